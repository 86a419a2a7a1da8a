"""The demo's library: rows are what their programs write, and true; tasks are rich enough."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flancompile import check
from flancompile.dsl.library.library import demo_library, load_library

DATA = demo_library() / "datasets"


def rows(name: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.{split}.jsonl").read_text().splitlines()]


def both(name: str) -> list[dict[str, Any]]:
    found = [*rows(name, "train"), *rows(name, "test")]
    assert len(found) >= 50
    return found


def test_it_checks_clean() -> None:
    assert check(demo_library()) == []


@pytest.mark.parametrize("name", ["arithmetic", "entailment", "sentiment"])
def test_rows_are_what_the_program_writes(name: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(DATA / f"{name}.py"), str(tmp_path)], check=True)
    for split in ("train", "test"):
        file = f"{name}.{split}.jsonl"
        assert (tmp_path / file).read_bytes() == (DATA / file).read_bytes(), f"run {name}.py"


def test_every_answer_is_in_its_passage() -> None:
    passages = both("passages")
    assert len(passages) == 60
    assert set(Counter(p["topic"] for p in passages).values()) == {10}
    for row in passages:
        assert len(row["questions"]) == 3
        for pair in row["questions"]:
            assert pair["answer"] in row["passage"], row["title"]
            assert pair["answer"] != pair["question"]


def test_rationales_end_in_their_answer_and_compute_right() -> None:
    for row in both("arithmetic"):
        assert row["rationale"].endswith(f"= {row['answer']}."), row
        assert 0 <= row["answer"] <= 60
        for left, sign, right, result in re.findall(
            r"(\d+) ([-+×]) (\d+) = (\d+)", row["rationale"]
        ):
            a, b = int(left), int(right)
            assert {"+": a + b, "-": a - b, "×": a * b}[sign] == int(result), row


def test_labels_are_balanced() -> None:
    for name, labels in (("entailment", 3), ("sentiment", 2)):
        for split in ("train", "test"):
            counts = Counter(r["label"] for r in rows(name, split))
            assert len(counts) == labels and max(counts.values()) - min(counts.values()) <= 1


COLOURS = "red|blue|green|yellow|white|black"
THINGS = "kettle|scarf|lamp|umbrella|chair|notebook"
ROOMS = "kitchen|garden|hall|attic|cellar|balcony"


def form(hypothesis: str) -> str:
    """A hypothesis without its value."""
    return re.sub(rf"\b({COLOURS}|(in the|on the|an?) \w+)\b", "X", hypothesis)


def test_a_hypothesis_alone_does_not_tell_its_label() -> None:
    train, test = rows("entailment", "train"), rows("entailment", "test")
    labels: dict[str, Counter[str]] = {}
    for row in train:
        labels.setdefault(form(row["hypothesis"]), Counter())[row["label"]] += 1
    assert len(labels) == 5
    for text, counts in labels.items():
        total = sum(counts.values())
        assert total > 60, text
        assert all(0.23 < counts[label] / total < 0.44 for label in ("yes", "no", "maybe")), text
    for key in ("hypothesis", "premise"):
        seen: dict[str, Counter[str]] = {}
        for row in train:
            for word in {*row[key].split(), row[key]}:
                seen.setdefault(word, Counter())[row["label"]] += 1
        guessed = 0
        for row in test:
            votes: Counter[str] = Counter()
            for word in {*row[key].split(), row[key]}:
                counts = seen.get(word, Counter())
                votes.update({k: n / counts.total() for k, n in counts.items()})
            guessed += votes.most_common(1)[0][0] == row["label"]
        assert guessed / len(test) < 0.45, key


def test_what_a_premise_tells_settles_the_label() -> None:
    """Yes: the value is told. No: another one of its kind is. Maybe: none of its kind is."""
    kinds = [words.split("|") for words in (COLOURS, THINGS, ROOMS)]
    for row in both("entailment"):
        told, said = (set(re.findall(r"\w+", row[k])) for k in ("premise", "hypothesis"))
        (kind,) = [k for k in kinds if said & set(k)]
        (value,) = said & set(kind)
        expected = "yes" if value in told else "no" if told & set(kind) else "maybe"
        assert row["label"] == expected, row


@pytest.mark.parametrize("name", ["entailment", "sentiment", "arithmetic", "passages"])
def test_articles_are_right(name: str) -> None:
    for row in both(name):
        text = json.dumps(row, ensure_ascii=False)
        wrong = re.search(r"\b[Aa] [aeio]\w+|\b[Aa] umbrella|\b[Aa]n [^aeiouh\W]\w+", text)
        assert wrong is None, wrong


def test_reviews_are_of_things_as_they_are() -> None:
    for row in both("sentiment"):
        assert not re.search(r"\b[Tt]he \w+[^s\W]s (is|was|won|put|let)\b", row["review"])
        at_home = row["thing"] in ("kettle", "novel", "drill", "rucksack")
        assert "go again" not in row["review"] or not at_home
        assert "gave me" not in row["review"] or at_home


@pytest.mark.parametrize(
    ("name", "keys"),
    [("arithmetic", ["question"]), ("entailment", ["premise", "hypothesis"]), ("sentiment", ["review"]),
     ("passages", ["passage"])],
)  # fmt: skip
def test_no_row_is_in_both_splits(name: str, keys: list[str]) -> None:
    seen = [tuple(r[k] for k in keys) for r in both(name)]
    assert len(set(seen)) == len(seen)


def test_tasks_have_at_least_eight_templates_that_differ() -> None:
    library, found = load_library([demo_library()])
    assert found == []
    tasks = {i: t for i, t in library.tasks().items() if i.startswith("demo_")}
    assert len(tasks) == 10
    for id_, task in tasks.items():
        inputs = [t.input for t in task.task.templates]
        assert len(inputs) >= 8, id_
        shapes = {re.sub(r"\{\{[^}]*\}\}", "{}", text) for text in inputs}
        assert len(shapes) == len(inputs), id_
    arithmetic = tasks["demo_arithmetic/arithmetic"].task.templates
    assert sum(t.cot for t in arithmetic) == 8


def test_what_is_held_out_is_in_no_build() -> None:
    library, _ = load_library([demo_library()])
    mixture = library.mixture("demo").model
    assert "topic_classification" in mixture.hold_out[0].select
