"""Write report.html: one page about a build, or a run on it, that works offline.

Counts, shares, lengths, fill and samples of the build; curves and evaluation of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from flancompile.report.run import run_view
from flancompile.store.build import Build

__all__ = ["write_report"]

SAMPLES = 12
BINS = 24
Decode = Callable[[Sequence[int]], str]


def write_report(build: Build, decode: Decode, run: Path | None = None) -> None:
    """Write report.html into a build's folder, or into a run's folder if one is given.

    decode: ids -> text, by the build's tokenizer.
    """
    import jinja2

    pages = {
        name: resources.files("flancompile.report").joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "run.html")
    }
    env = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.DictLoader(pages)
    )
    text = env.get_template("page.html").render(
        m=build.manifest,
        lengths=_lengths(build),
        samples=_samples(build, decode),
        fewer_shots=[t for t in build.manifest.tasks if t.fewer_shots],
        dropped=build.dropped()[:50],
        run=None if run is None else run_view(run),
    )
    folder = build.path if run is None else run
    partial = folder / ".report.html"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / "report.html")


def _lengths(build: Build) -> list[dict[str, Any]]:
    """Histograms of prompt and target lengths, in tokens. x, w: percent; h: 0 to 40."""
    columns: dict[str, list[Any]] = {"prompt_tokens": [], "target_tokens": []}
    for batch in build.examples():
        for name, parts in columns.items():
            parts.append(batch.column(name).to_numpy())
    found = []
    for name, parts in columns.items():
        values = np.concatenate(parts) if parts else np.zeros(0)
        if len(values) == 0:
            continue
        counts, edges = np.histogram(values, bins=BINS)
        top = counts.max()
        bars = [
            {"x": i * 100 / BINS, "w": 100 / BINS - 0.6, "h": 40 * int(c) / top, "n": int(c),
             "low": int(edges[i]), "high": int(edges[i + 1])}
            for i, c in enumerate(counts)
        ]  # fmt: skip
        statistics = {"mean": float(values.mean()), "p95": float(np.percentile(values, 95))}
        found.append(
            {"name": name.replace("_", " "), "bars": bars, "most": int(values.max()), **statistics}
        )
    return found


def _samples(build: Build, decode: Decode) -> list[dict[str, Any]]:
    """First examples of evenly spaced packs, as runs of (text, whether it is a target)."""
    found = []
    packs = len(build.packs)
    for index in np.unique(np.linspace(0, packs - 1, min(SAMPLES, packs)).astype(int)).tolist():
        example_id, tokens = build.example_ids(index, 0)
        example = build.example(example_id)
        if build.manifest.layout == "decoder":
            parts = np.split(tokens["tokens"], np.cumsum(build.packs[index].loss_spans[0])[:-1])
        else:
            parts = [tokens["inputs"], tokens["targets"]]
        texts = [(decode(part.tolist()), place % 2 == 1) for place, part in enumerate(parts)]
        found.append({**example, "runs": texts})
    return found
