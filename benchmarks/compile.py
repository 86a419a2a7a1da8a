"""Compiling, pass by pass, beside what a user would write today, in one run.

The work is that of workload.py: five tasks of real datasets, ten templates each, zero-, 2- and
5-shot, with options and without, packed into 2,048 tokens. The peers (peers.py) are `datasets.map`
with jinja2, then `tokenizers` or gigatoken, then TRL's best-fit packing. They do a smaller part of
the same work, for rates are compared; they draw exemplars at random and keep no provenance.

    pip install torch==2.13.0 && pip install trl mistral-common -e '.[hub]'
    python benchmarks/compile.py --shared ../shared/data --out benchmarks/compile.json
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata, util
from pathlib import Path
from typing import Any

import workload

NAMES = ("flancompile", "datasets", "jinja2", "tokenizers", "gigatoken", "sentencepiece", "trl",
         "pyarrow", "numpy", "numba")  # fmt: skip
TEKKEN = "tekken_240911.json"


def tokenizers(shared: Path) -> dict[str, Path]:
    """The four tokenizers; Tekken where mistral-common is installed."""
    folder = shared / "tokenizers"
    found = {"GPT-2": folder / "gpt2.json"}
    about = util.find_spec("mistral_common")
    if about is not None and about.origin is not None:
        found["Tekken"] = Path(about.origin).parent / "data" / TEKKEN
    return {**found, "SentencePiece BPE": folder / "bpe_32k_c4.model", "T5": folder / "t5.model"}


def ours(root: Path, tokenizer: Path, examples: int, workers: int) -> dict[str, Any]:
    """A cold compile; relinks after a change of packing and of rates; a change of seed."""
    started = time.perf_counter()
    import flancompile
    from flancompile.store.verify import verify

    imports = time.perf_counter() - started
    found: dict[str, Any] = {"imports": imports}

    def compiled(name: str, **more: Any) -> None:
        workload.write_recipe(root, tokenizer, examples, **more)
        out = root / f"out {name}"
        began = time.perf_counter()
        build = flancompile.compile(
            "work", out, library=[root], cache=root / "cache", workers=workers
        )
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        faults = list(verify(build)) if name != "cold" else ()
        checked = time.perf_counter() - began
        run = json.loads((out / "run.json").read_text())
        found[name] = {
            "seconds": seconds + (imports if name == "cold" else 0), "passes": run["seconds"],
            "tokens": build.manifest.counts["tokens"], "packs": build.manifest.counts["packs"],
            "fill": build.manifest.packing["fill"][0], "encoder": run["encoder"],
            "verify_seconds": checked if name != "cold" else None, "faults": len(faults),
        }  # fmt: skip
        shutil.rmtree(out)

    compiled("cold")
    compiled("packing", packing={"window": 60_000})
    compiled("seed", seed=1)
    return found


def measured(side: str, root: Path, tokenizer: Path, examples: int, workers: int) -> dict[str, Any]:
    """One side in a process of its own, so that its peak memory is its own."""
    words = [sys.executable, __file__, "--side", side, "--root", str(root), "--tokenizer",
             str(tokenizer), "--examples", str(examples), "--workers", str(workers)]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_side(options: argparse.Namespace) -> None:
    """Run one side and print its figures."""
    if options.side == "ours":
        found = ours(options.root, options.tokenizer, options.examples, options.workers)
    else:
        import peers

        found = peers.run(options.root, options.tokenizer, options.examples, options.side)
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(w).ru_maxrss for w in who)
    print(json.dumps({**found, "peak_mib": round(peak / 1024)}))


def rate(one: dict[str, Any]) -> float:
    """Million tokens a second."""
    return float(one["tokens"] / one["seconds"] / 1e6)


def table(name: str, results: dict[str, Any]) -> None:
    """Print one tokenizer's figures."""
    failed = [s for s, one in results.items() if "failed" in one]
    if "ours" in failed or "tokenizers" in failed:
        print(f"{name}: {results}")
        return
    base = rate(results["tokenizers"])
    print(f"\n{name} ({results['ours']['cold']['encoder'].split(':')[0]})")
    for side in ("ours", "ours, 2 workers", "tokenizers", "gigatoken"):
        one = results.get(side)
        if one is None or "failed" in one:
            print(f"  {side:18} {'' if one is None else one['failed']}")
            continue
        cold = one.get("cold", one)
        passes = ", ".join(f"{k} {v:.2f}" for k, v in cold["passes"].items())
        print(f"  {side:18} {cold['seconds']:7.2f} s {rate(cold):7.2f} Mtok/s  x{rate(cold) / base:5.1f}"
              f"  fill {cold['fill']:.4%}  peak {one['peak_mib']} MiB  ({passes})")  # fmt: skip
        for again in ("packing", "seed"):
            if again in one:
                part = one[again]
                print(f"    after a change of {again}: {part['seconds']:.2f} s, {rate(part):.1f} Mtok/s,"
                      f" and {part['verify_seconds']:.2f} s to verify")  # fmt: skip


def main() -> None:
    """Print a table of ratios and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--examples", type=int, default=400_000)
    parser.add_argument("--peer-examples", type=int, default=40_000)
    parser.add_argument("--only", help="One tokenizer's name.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", choices=["ours", "tokenizers", "gigatoken"])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.side:
        one_side(options)
        return
    data = workload.rows(options.shared)
    results: dict[str, Any] = {
        "rows": {n: len(items) for n, items in data.items()}, "examples": options.examples,
        "peer_examples": options.peer_examples,
        "versions": {n: metadata.version(n) for n in NAMES},
        "machine": {"python": platform.python_version(), "cores": 2},
        "date": time.strftime("%Y-%m-%d"), "tokenizers": {},
    }  # fmt: skip
    for name, tokenizer in tokenizers(options.shared).items():
        if options.only not in (None, name):
            continue
        found: dict[str, Any] = {}
        for side, count, workers in (
            ("ours", options.examples, 1), ("ours, 2 workers", options.examples, 2),
            ("tokenizers", options.peer_examples, 1), ("gigatoken", options.peer_examples, 1),
        ):  # fmt: skip
            root = Path(tempfile.mkdtemp())
            workload.write_library(root, data)
            kind = "ours" if side.startswith("ours") else side
            found[side] = measured(kind, root, tokenizer, count, workers)
            shutil.rmtree(root)
        results["tokenizers"][name] = found
        table(name, found)
        sys.stdout.flush()
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
