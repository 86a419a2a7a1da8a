"""Small mixtures and their plan: members, shares, limits, examples and epochs, as fixture pairs.

A case of plans.txt has the tasks with their rows, the mixture (and others beside it, as
`@ mixture NAME`), the recipe's size and further keys, and the plan or its diagnostics.

A task's rows have `prompt` tokens (default 3) and `target` tokens (default 1); `dropped` of them
give no example. The plan's columns: a task's member, its share of the mixture, the most rows and
epochs that it may give, the weights of its arms, the examples requested of it and granted to it,
and how often its rows are used.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fixture_pairs import Pair, pairs
from object_streams import Row, stream_of
from toys import Library, dataset_of

from flancompile.compiler.link.quota import quotas
from flancompile.compiler.objects.streams import Streams
from flancompile.compiler.plan.feasibility import check_size
from flancompile.compiler.plan.members import PlannedTask
from flancompile.compiler.plan.plan import clusters_of, resolve, shares
from flancompile.dsl.library.library import load_library
from flancompile.errors import FlancompileError

PAIRS = pairs(Path(__file__).parent)
HEADS = ("task", "member", "share", "cap", "max_passes", "shots", "options", "requested", "examples", "epochs")  # fmt: skip
TASK_KEYS = ("cluster", "tags", "rungs")


def library_of(root: Path, pair: Pair) -> tuple[Library, dict[str, dict[str, Any]]]:
    """The library of a case, and its tasks' settings by id."""
    made = Library(root)
    tasks: dict[str, dict[str, Any]] = yaml.safe_load(pair.parts["tasks"])
    for id_, settings in tasks.items():
        name = id_.removesuffix("/qa")
        about = dataset_of(name)
        about["tasks"]["qa"] |= {k: settings[k] for k in TASK_KEYS if k in settings}
        made.write(f"datasets/{name}.yaml", about)
    for part, text in pair.parts.items():
        if part.startswith("mixture"):
            name = part.removeprefix("mixture").strip() or "m"
            made.write(f"mixtures/{name}.yaml", f"mixture: {name}\n{text}")
    made.recipe(**yaml.safe_load(pair.parts["recipe"]))
    return made, tasks


def weights(*given: float) -> str:
    return ":".join(f"{w:g}" for w in given)


def plan(root: Path, pair: Pair) -> str:
    """The table of a case's plan."""
    made, tasks = library_of(root, pair)
    library, found = load_library([made.root])
    assert found == []
    recipe = library.recipe("r")
    node, held = resolve(library, library.tasks(), "m", None, clusters_of(recipe))
    check_size(recipe, node)
    rows = {id_: int(settings["rows"]) for id_, settings in tasks.items()}
    parts = shares(node, rows)
    planned = {p.task.id: p for p in node.all_tasks()}
    streams = {}
    for id_, one in planned.items():
        settings = tasks[id_]
        row: Row = (settings.get("prompt", 3), settings.get("target", 1))
        dropped = settings.get("dropped", 0)
        block = [row] * (rows[id_] - dropped) + ["the prompt is over-long"] * dropped
        streams[id_] = stream_of(
            root, id_, [block], cap_rows=one.cap_rows, max_epochs=one.max_epochs
        )

    def over(member: str | None) -> dict[str, float]:
        some = [c for c in node.children if member in (None, c.name)]
        return {t.task.id: float(t.capped(rows[t.task.id])) for c in some for t in c.all_tasks()}

    rate_in = library.mixture("m").model.rate_in
    counts = quotas(Streams(streams), parts, recipe.model.size, rate_in, over)
    lines = [HEADS]
    for id_, one in sorted(planned.items()):
        granted, usable = counts.granted.get(id_, 0), streams[id_].usable_rows
        shots = " ".join(weights(n, w) for n, w in one.arms.shots)
        requested = counts.requested.get(id_, 0)
        limits_ = _shown(one)
        epochs = f"{granted / usable:.2f}" if usable else "-"
        lines.append((id_, one.member, f"{parts[id_]:.4f}", *limits_, shots, weights(*one.arms.options),
                      str(requested), str(granted), epochs))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(f"{v:<{w}}" for v, w in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join([*table, *(f"held out: {id_} by {why}" for id_, why in sorted(held.items()))])


def _shown(one: PlannedTask) -> tuple[str, str]:
    cap, most = one.cap_rows, one.max_epochs
    return "-" if cap is None else str(cap), "-" if most is None else f"{most:g}"


@pytest.mark.parametrize("pair", PAIRS, ids=[p.name for p in PAIRS])
def test_a_mixture_is_planned(pair: Pair, tmp_path: Path) -> None:
    try:
        found = plan(tmp_path, pair)
    except FlancompileError as error:
        found = "\n".join(d.render() for d in error.diagnostics).replace(f"{tmp_path}/", "")
    pair.check("plan", found)


def test_there_are_enough() -> None:
    assert len(PAIRS) >= 14
