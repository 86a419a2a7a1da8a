"""How the cost of a compile grows with rows, templates, shots and tasks: a table and a plot.

One of the four is changed at a time, the rest stay at 4,000 rows, 10 templates, 2 shots and 1 task,
compiled with GPT-2's tokenizer into packs of 2,048. Each compile is a process of its own with an
empty cache; its seconds are those of `flancompile.compile`, without Python's own start.

    python benchmarks/scale.py --shared ../shared/data --out benchmarks/scale.json --plot benchmarks/scale.svg
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = {"rows": 4000, "templates": 10, "shots": 2, "tasks": 1}
STEPS = {
    "rows": (1000, 10_000, 100_000), "templates": (1, 10, 100), "shots": (0, 2, 5, 10),
    "tasks": (1, 10, 100, 1836),
}  # fmt: skip
CODE = """
import json, sys, time
from pathlib import Path
import flancompile
root = Path(sys.argv[1])
started = time.perf_counter()
build = flancompile.compile("work", root / "out", library=[root], cache=root / "cache")
seconds = time.perf_counter() - started
print(json.dumps([seconds, build.manifest.counts["tokens"], build.manifest.counts["examples"]]))
"""
WIDTH, HEIGHT, LEFT, BELOW = 640, 320, 56, 40
COLOURS = {"rows": "#4078c0", "templates": "#c05040", "shots": "#40a060", "tasks": "#9060b0"}


def write(root: Path, found: list[dict[str, str]], tokenizer: Path, about: dict[str, int]) -> None:
    """A library of this size. Tasks have 200 rows each where there are many."""
    for part in ("datasets", "mixtures", "recipes"):
        (root / part).mkdir(parents=True)
    each = about["rows"] if about["tasks"] == 1 else 200
    texts = [
        {"name": f"t{i}", "input": f"({i}) {{{{ context }}}}\n{{{{ question }}}}", "target": "{{ answer }}"}
        for i in range(about["templates"])
    ]  # fmt: skip
    for number in range(about["tasks"]):
        rows = [
            {**found[(number * 31 + i) % len(found)], "question": f"{number}.{i} {found[i % len(found)]['question']}"}
            for i in range(each)
        ]  # fmt: skip
        name = f"d{number}"
        (root / "datasets" / f"{name}.jsonl").write_text(
            "".join(json.dumps(r) + "\n" for r in rows)
        )
        value = {"source": {"files": {"train": f"{name}.jsonl"}}, "fields": {n: n for n in rows[0]},
                 "tasks": {"qa": {"signature": "context, question -> answer", "templates": texts}}}  # fmt: skip
        (root / "datasets" / f"{name}.yaml").write_text(json.dumps(value))
    mixture: dict[str, Any] = {
        "mixture": "work",
        "shots": {about["shots"]: 1},
        "members": [{"select": "all"}],
    }
    recipe = {"recipe": "work", "mixture": "work", "size": {"examples": each * about["tasks"]},
              "tokenizer": {"file": str(tokenizer.resolve())}, "layout": "decoder", "lengths": {"pack": 2048}}  # fmt: skip
    (root / "mixtures" / "work.yaml").write_text(json.dumps(mixture))
    (root / "recipes" / "work.yaml").write_text(json.dumps(recipe))


def plot(results: dict[str, list[dict[str, float]]]) -> str:
    """Seconds by size, both in powers of ten."""
    top = max(p["seconds"] for points in results.values() for p in points)
    lowest = min(p["seconds"] for points in results.values() for p in points)
    low, high = math.floor(math.log10(lowest)), math.ceil(math.log10(top))

    def spot(size: float, seconds: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - 90) * math.log10(max(size, 1)) / 5
        share = (math.log10(seconds) - low) / (high - low)
        return x, (HEIGHT - BELOW) - (HEIGHT - BELOW - 12) * share

    marks = []
    for power in range(low, high + 1):
        _, y = spot(1, 10**power)
        marks.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 90}" stroke="#8884"/>')
        marks.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
        )
    for power in range(6):
        x, _ = spot(10**power, 1)
        marks.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{10**power:,}</text>'
        )
    for name, points in results.items():
        places = [spot(p["size"], p["seconds"]) for p in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        x, y = places[-1]
        marks.append(
            f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"/>'
        )
        marks += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{COLOURS[name]}"/>' for a, b in places
        ]
        marks.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{COLOURS[name]}">{name}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#777">'
        f"<title>seconds of a compile by rows, templates, shots and tasks</title>{''.join(marks)}</svg>\n"
    )


def main() -> None:
    """Print the table, write the figures and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    articles = json.loads((options.shared / "xquad" / "xquad.en.json").read_text())["data"]
    found = [
        {"context": p["context"], "question": q["question"], "answer": q["answers"][0]["text"]}
        for a in articles for p in a["paragraphs"] for q in p["qas"]
    ]  # fmt: skip
    tokenizer = options.shared / "tokenizers" / "gpt2.json"
    results: dict[str, list[dict[str, float]]] = {}
    for name, sizes in STEPS.items():
        for size in sizes:
            root = Path(tempfile.mkdtemp())
            write(root, found, tokenizer, {**BASE, name: size})
            done = subprocess.run(
                [sys.executable, "-c", CODE, str(root)], capture_output=True, text=True, check=True
            )
            seconds, tokens, examples = json.loads(done.stdout.splitlines()[-1])
            shutil.rmtree(root)
            point = {
                "size": size,
                "seconds": round(seconds, 2),
                "tokens": tokens,
                "examples": examples,
            }
            results.setdefault(name, []).append(point)
            print(f"{name:10} {size:8,} {seconds:8.2f} s {tokens:13,} tokens {tokens / seconds / 1e6:6.2f} Mtok/s"
                  f" {seconds / examples * 1e6:8.1f} us an example")  # fmt: skip
    if options.out:
        about = {"date": time.strftime("%Y-%m-%d"), "base": BASE, "results": results}
        options.out.write_text(json.dumps(about, indent=2) + "\n")
    if options.plot:
        options.plot.write_text(plot(results))


if __name__ == "__main__":
    main()
