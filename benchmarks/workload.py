"""The work that compile.py measures: five tasks of real datasets, ten templates each, FLAN's arms.

Both sides read the same JSON Lines and render the same templates, option lists and layouts.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOTS = (0, 2, 5)
LENGTH = 2048
OPENING, ITEM = "\n\nOptions:\n", "- "
ASKS: dict[str, list[str]] = {
    "qa": [
        "{{ context }}\n\n{{ question }}", "Read this and answer.\n{{ context }}\nQ: {{ question }}",
        "{{ question }}\n\nThe answer is in this text:\n{{ context }}",
        "Passage: {{ context }}\nQuestion: {{ question }}\nAnswer in the passage's words:",
        "What does the text say? {{ context }}\n\n{{ question }}",
        "Article:\n{{ context }}\n\nUse it to tell: {{ question }}",
        "{{ context }} -- So, {{ question }}", "Here is a question: {{ question }}\n\n{{ context }}",
        "Find the answer.\n\nText: {{ context }}\n\nAsked: {{ question }}",
        "A quiz on this paragraph: {{ context }}\n\n1. {{ question }}",
    ],
    "boolq": [
        "{{ passage }}\n\n{{ question }}?{{ options }}", "{{ question }}? See: {{ passage }}{{ options }}",
        "Text: {{ passage }}\nIs it so: {{ question }}?{{ options }}",
        "After reading {{ passage }}, tell: {{ question }}?{{ options }}",
        "{{ passage }}\nYes or no: {{ question }}?{{ options }}",
        "Q: {{ question }}?\nSource: {{ passage }}\nA:{{ options }}",
        "Decide. {{ question }}?\n\n{{ passage }}{{ options }}",
        "From an encyclopedia: {{ passage }}\n\n{{ question | capitalize }}?{{ options }}",
        "{{ passage }}\n\nSomeone asks: {{ question }}?{{ options }}",
        "Check it against the text.\n{{ passage }}\n{{ question }}?{{ options }}",
    ],
    "rte": [
        "{{ premise }}\n\nDoes it follow that {{ hypothesis }}{{ options }}",
        "If {{ premise }} then is this true? {{ hypothesis }}{{ options }}",
        "Premise: {{ premise }}\nHypothesis: {{ hypothesis }}{{ options }}",
        "{{ premise }}\nBased on that: {{ hypothesis }} Right?{{ options }}",
        "Claim: {{ hypothesis }}\nSource: {{ premise }}\nSupported?{{ options }}",
        "{{ hypothesis }}\n\nIs it backed by: {{ premise }}{{ options }}",
        "Read: {{ premise }}\nJudge: {{ hypothesis }}{{ options }}",
        "News: {{ premise }}\n\nCan one conclude \"{{ hypothesis }}\"?{{ options }}",
        "{{ premise }} Therefore, {{ hypothesis }} Is that sound?{{ options }}",
        "Text one: {{ premise }}\nText two: {{ hypothesis }}\nEntailed?{{ options }}",
    ],
    "csqa": [
        "{{ question }}{{ options }}", "Q: {{ question }}{{ options }}\nA:",
        "Use common sense. {{ question }}{{ options }}", "{{ question }}\nWhat fits best?{{ options }}",
        "Answer this: {{ question }}{{ options }}", "A riddle: {{ question }}{{ options }}",
        "Question: {{ question }}\nChoose.{{ options }}", "Think, then say: {{ question }}{{ options }}",
        "{{ question }}\n\nIt is most likely{{ options }}", "Everyday life: {{ question }}{{ options }}",
    ],
    "mrpc": [
        "{{ one }}\n{{ two }}\nDo they mean the same?{{ options }}",
        "Same meaning?\n1. {{ one }}\n2. {{ two }}{{ options }}",
        "First: {{ one }}\nSecond: {{ two }}\nParaphrases?{{ options }}",
        "Is \"{{ one }}\" another way to say \"{{ two }}\"?{{ options }}",
        "{{ one }}\n\nIn other words: {{ two }}\n\nRight?{{ options }}",
        "Compare.\nA: {{ one }}\nB: {{ two }}{{ options }}",
        "Sentence: {{ one }}\nRewrite: {{ two }}\nFaithful?{{ options }}",
        "{{ two }}\nDoes that restate this? {{ one }}{{ options }}",
        "An editor changed \"{{ one }}\" to \"{{ two }}\". Same sense?{{ options }}",
        "Two headlines: {{ one }} / {{ two }}\nEqual in meaning?{{ options }}",
    ],
}  # fmt: skip
LISTS = {"boolq": ["yes", "no"], "rte": ["entailment", "not_entailment"], "mrpc": ["no", "yes"]}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    import zstandard

    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
    elif path.suffix == ".gz":
        raw = gzip.decompress(raw)
    return (json.loads(line) for line in raw.decode().splitlines() if line.strip())


def rows(shared: Path) -> dict[str, list[dict[str, Any]]]:
    """The tasks' rows, each with its answer and, where it has them, its options."""
    articles = json.loads((shared / "xquad" / "xquad.en.json").read_text())["data"]
    found: dict[str, list[dict[str, Any]]] = {
        "qa": [
            {"context": p["context"], "question": q["question"], "answer": q["answers"][0]["text"]}
            for a in articles for p in a["paragraphs"] for q in p["qas"]
        ],
        "boolq": [
            {"passage": r["passage"], "question": r["question"],
             "answer": "yes" if r["label"] == "True" else "no"}
            for r in _lines(shared / "boolq" / "train.jsonl.zst")
        ],
        "rte": [
            {"premise": r["premise"], "hypothesis": r["hypothesis"], "answer": r["label"]}
            for r in _lines(shared / "superglue_rte" / "train.jsonl.gz")
        ],
        "csqa": [
            {"question": r["question"]["stem"],
             "choices": [c["text"] for c in r["question"]["choices"]],
             "answer": next(c["text"] for c in r["question"]["choices"]
                            if c["label"] == r["answerKey"])}
            for r in _lines(shared / "commonsense_qa" / "train.jsonl")
        ],
        "mrpc": [],
    }  # fmt: skip
    with (shared / "mrpc" / "train.tsv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            texts = {"one": row["#1 String"], "two": row["#2 String"]}
            found["mrpc"].append({**texts, "answer": ["no", "yes"][int(row["Quality"])]})
    return found


def write_library(root: Path, data: dict[str, list[dict[str, Any]]]) -> None:
    """The work as a flancompile library. JSON is YAML."""
    for part in ("datasets", "mixtures", "recipes", "styles"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for name, items in data.items():
        text = "".join(json.dumps(r) + "\n" for r in items)
        (root / "datasets" / f"{name}.jsonl").write_text(text)
        fields = list(items[0])
        has_options = name in LISTS or "choices" in fields
        task: dict[str, Any] = {
            "signature": f"{', '.join(f for f in fields if f != 'answer')} -> answer",
            "templates": [
                {"name": f"t{i}", "input": ask, "target": "{{ answer }}",
                 "options": "optional" if has_options else "none"}
                for i, ask in enumerate(ASKS[name])
            ],
        }  # fmt: skip
        if has_options:
            task["choices"] = {"options": LISTS.get(name, "choices"), "gold": "answer"}
        about = {
            "source": {"files": {"train": f"{name}.jsonl"}},
            "fields": {f: f for f in fields},
            "tasks": {"task": task},
        }
        (root / "datasets" / f"{name}.yaml").write_text(json.dumps(about))
    styles = {
        "options": {"dashes": {"label": "-", "item": "{{ label }} {{ text }}", "opening": OPENING,
                               "gold": "{{ text }}"}},
        "shots": {"bare": {"exemplar": "{{ input }}\n{{ target }}", "query": "{{ input }}\n",
                           "zero": "{{ instruction }}{{ input }}\n"}},
    }  # fmt: skip
    (root / "styles" / "styles.yaml").write_text(json.dumps(styles))
    members = [{"select": f"{name}/task"} for name in data]
    arms = {"shots": dict.fromkeys(SHOTS, 1), "options": {"with": 1, "without": 1}}
    (root / "mixtures" / "work.yaml").write_text(
        json.dumps({"mixture": "work", **arms, "members": members})
    )


def write_recipe(root: Path, tokenizer: Path, examples: int, **more: Any) -> None:
    """The recipe `work` over so many examples."""
    layout = {"layout": "decoder", "lengths": {"pack": LENGTH}}
    about = {
        "recipe": "work", "mixture": "work", "size": {"examples": examples},
        "tokenizer": {"file": str(tokenizer.resolve())}, **layout,
        "styles": {"shots": ["bare"], "options": ["dashes"]}, **more,
    }  # fmt: skip
    (root / "recipes" / "work.yaml").write_text(json.dumps(about))
