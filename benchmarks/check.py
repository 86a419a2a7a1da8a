"""The static check of 400 task files with 4,000 templates: cold, again, and after one edit.

The peer only parses: PyYAML's C loader on every file and jinja2's parser on every text, with no span,
no type, no name looked up. Every text is another; a fifth have blocks, filters or loops.

    python benchmarks/check.py --out benchmarks/check.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

FILES, TEMPLATES = 400, 10
MAIN = [sys.executable, "-c", "from flancompile.cli import main; main()"]
PEER = """
import sys, pathlib, yaml, jinja2
env = jinja2.Environment()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for task in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["tasks"].values():
        for template in task["templates"]:
            env.parse(template["input"]), env.parse(template["target"])
"""
OPENINGS = (
    "Read the passage and answer.", "Here is a passage; a question follows.", "Study this text.",
    "Answer from the text alone.", "What does the passage say?",
)  # fmt: skip
BODIES = (
    "{{ passage }}\n\nQuestion: {{ question }}\nAnswer:",
    "{{ question }}\n\n{{ passage }}",
    "Passage: {{ passage }}\nQ: {{ question }}\nA:",
    "{{ title }}\n{{ passage }}\n\n{{ question }}",
    "{% if title %}{{ title | upper }}\n{% endif %}{{ passage | trim }}\n"
    "{% for hint in hints %}- {{ hint }}\n{% endfor %}{{ question }}",
)


def library(folder: Path) -> Path:
    """The files, written as an author would."""
    (folder / "datasets").mkdir(parents=True)
    for number in range(FILES):
        lines = [
            f"source: {{files: {{train: rows{number}.jsonl}}}}",
            "fields: {passage: passage, question: question, title: title, hints: hints, answer: answer}",
            "tasks:",
            "  extractive_qa:",
            "    cluster: reading_comprehension",
            "    signature: passage, question, title, hints -> answer",
            "    eval: {metric: squad_f1}",
            "    templates:",
        ]
        for place in range(TEMPLATES):
            text = f"{OPENINGS[(number + place) % 5]} ({number}.{place})\n\n{BODIES[place % 5]}"
            lines += [f"      - name: form_{place}", "        input: |-"]
            lines += [f"          {line}".rstrip() for line in text.split("\n")]
            lines.append('        target: "{{ answer }}"')
        (folder / "datasets" / f"set{number}.yaml").write_text("\n".join(lines) + "\n")
    return folder


def timed(words: list[str], prepare: Callable[[], None], env: dict[str, str]) -> float:
    """The median seconds of five runs of a command, each after some preparation."""
    found = []
    for _ in range(5):
        prepare()
        start = time.perf_counter()
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        found.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stdout + done.stderr
    return statistics.median(found)


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as name:
        folder = library(Path(name) / "lib")
        cache = Path(name) / "cache"
        env = {**os.environ, "FLANCOMPILE_CACHE": str(cache)}
        edits = iter(range(1000))

        def forget() -> None:
            subprocess.run(["rm", "-rf", str(cache)], check=True)

        def edit() -> None:
            path = folder / "datasets" / "set7.yaml"
            text = path.read_text().replace("tasks:", f"# edit {next(edits)}\ntasks:", 1)
            path.write_text(text)

        check, listing = [*MAIN, "check", str(folder)], [*MAIN, "ls", "--library", str(folder)]
        seconds = {
            "check, cold": timed(check, forget, env),
            "check, one file changed": timed(check, edit, env),
            "check, nothing changed": timed(check, lambda: None, env),
            "ls": timed(listing, lambda: None, env),
            "--help": timed([*MAIN, "--help"], lambda: None, env),
            "peer: PyYAML + jinja2 parse": timed(
                [sys.executable, "-c", PEER, str(folder)], lambda: None, env
            ),
        }
    found = {
        "files": FILES,
        "templates": FILES * TEMPLATES,
        "python": platform.python_version(),
        "versions": {n: version(n) for n in ("jinja2", "pyyaml", "pydantic")},
        "seconds": {k: round(v, 3) for k, v in seconds.items()},
    }
    print(json.dumps(found, indent=2))
    if out is not None:
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
