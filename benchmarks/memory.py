"""Peak memory of compiling a source that is larger than it: 3 GB of JSON Lines by default.

The source is questions over encyclopedic passages, numbered, so that no two rows are equal. Peak
resident memory is the process's own, without the pages of files that it maps (RssAnon) and with
them (VmHWM), sampled ten times a second.

    python benchmarks/memory.py --shared ../shared/data --gigabytes 3 --out benchmarks/memory.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PEEK = 0.1
CODE = """
import sys
from pathlib import Path
import flancompile
root = Path(sys.argv[1])
build = flancompile.compile("big", root / "out", library=[root], cache=root / "cache",
                            memory_bytes=int(sys.argv[2]))
print(build.manifest.counts["tokens"], build.manifest.counts["examples"])
"""


def write(root: Path, shared: Path, size: int, tokenizer: Path) -> int:
    """The library. -> rows"""
    for part in ("datasets", "mixtures", "recipes"):
        (root / part).mkdir(parents=True)
    articles = json.loads((shared / "xquad" / "xquad.en.json").read_text())["data"]
    found = [
        (p["context"], q["question"], q["answers"][0]["text"])
        for a in articles for p in a["paragraphs"] for q in p["qas"]
    ]  # fmt: skip
    rows = written = 0
    with (root / "datasets" / "big.jsonl").open("w") as file:
        while written < size:
            context, question, answer = found[rows % len(found)]
            row = {"context": f"({rows}) {context} {found[rows * 7 % len(found)][0]}"}
            line = json.dumps({**row, "question": question, "answer": answer}) + "\n"
            file.write(line)
            written, rows = written + len(line), rows + 1
    texts = [{"name": "t", "input": "{{ context }}\n{{ question }}", "target": "{{ answer }}"}]
    task = {"signature": "context, question -> answer", "templates": texts}
    names = ("context", "question", "answer")
    about: dict[str, Any] = {
        "datasets/big.yaml": {"source": {"files": {"train": "big.jsonl"}},
                              "fields": {n: n for n in names}, "tasks": {"qa": task}},
        "mixtures/big.yaml": {"mixture": "big", "members": [{"select": "all"}]},
        "recipes/big.yaml": {"recipe": "big", "mixture": "big", "size": {"examples": rows},
                             "tokenizer": {"file": str(tokenizer.resolve())}, "layout": "decoder",
                             "lengths": {"pack": 2048}},
    }  # fmt: skip
    for name, value in about.items():
        (root / name).write_text(json.dumps(value))
    return rows


def peaks(pid: int) -> dict[str, int]:
    """Memory of a process in KiB, as it is now."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    about = dict(line.split(":", 1) for line in lines if line.startswith(("VmHWM", "RssAnon")))
    return {n: int(v.split()[0]) for n, v in about.items()}


def main() -> None:
    """Print the peaks and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--memory-bytes", type=int, default=256 << 20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        size = int(options.gigabytes * 1e9)
        tokenizer = options.shared / "tokenizers" / "gpt2.json"
        rows = write(root, options.shared, size, tokenizer)
        words = [sys.executable, "-c", CODE, str(root), str(options.memory_bytes)]
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        most: dict[str, int] = {}
        while process.poll() is None:
            for name, now in peaks(process.pid).items():
                most[name] = max(most.get(name, 0), now)
            time.sleep(PEEK)
        seconds = time.perf_counter() - started
        if process.returncode:
            sys.exit("the compile failed")
        assert process.stdout is not None
        tokens, examples = map(int, process.stdout.read().split())
        run = json.loads((root / "out" / "run.json").read_text())["seconds"]
    finally:
        shutil.rmtree(root, ignore_errors=True)
    found = {
        "date": time.strftime("%Y-%m-%d"), "source_bytes": size, "rows": rows, "tokens": tokens,
        "examples": examples, "seconds": round(seconds, 1), "passes": run,
        "peak_own_mib": most["RssAnon"] // 1024, "peak_with_mapped_files_mib": most["VmHWM"] // 1024,
    }  # fmt: skip
    print(json.dumps(found, indent=2))
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
