"""Evaluation rows: ids, options and answers against their texts; the metadata of a set."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LETTERS, PLAIN, Library, dataset_of

from flancompile.compiler.evaluation.rows import Lost, eval_metadata, read_eval
from flancompile.compiler.objects.build import write_object
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.style import ChatStyle
from flancompile.dsl.models.task import Eval, Task
from flancompile.store.build import Build
from flancompile.store.schema import EVAL

PICK = {
    "name": "pick",
    "options": "required",
    "input": "{{ question }}\n{{ options }}",
    "target": "{{ gold }}",
}
TELL = {"name": "tell", "input": "{{ question }}", "target": "{{ answer }}"}
WHY = {
    "name": "why",
    "cot": True,
    "input": "{{ question }} Why?",
    "target": "{{ note }} So it is {{ answer }}.",
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Three sets over one dataset: options that are ranked, answers, and answers after a rationale."""
    root = tmp_path_factory.mktemp("rows")
    made = Library(root / "lib")
    made.dataset(rows=50)
    about = dataset_of("toy")
    common = {"signature": "question -> note, answer"}
    scored = {"metric": "exact_match", "answers": "[answer, answer ~ '.0']"}
    about["tasks"] = {
        "ranked": {**common, "choices": {"gold": "answer", "distractors": 3}, "templates": [PICK, TELL],
                   "eval": {"metric": "accuracy"}},
        "told": {**common, "templates": [TELL], "eval": scored},
        "why": {**common, "templates": [WHY], "eval": scored},
    }  # fmt: skip
    made.write("datasets/toy.yaml", about)
    made.mixture({"select": "toy/told"})
    made.recipe(
        evaluate=[{"select": "all", "max_rows": 30, "cot": True, "shots": 1, "name": "one"}],
        size={"examples": 5}, lengths={"pack": 2048},
    )  # fmt: skip
    return made.compile(root / "build", root / "cache")


SETS = ["toy/ranked@one", "toy/told@one", "toy/why@one"]


def ids(text: str) -> list[int]:
    return [b + 3 for b in text.encode()]


@pytest.mark.parametrize("name", SETS)
def test_ids_are_those_of_the_texts(build: Build, name: str) -> None:
    table, _ = build.evaluation(name)
    assert len(table) == 30
    assert table.schema.remove_metadata().equals(EVAL)
    assert table["example"].to_pylist() == list(range(30))
    for line in table.to_pylist():
        assert line["prompt_ids"] == ids(line["prompt"])
        assert line["target_ids"] == ids(line["target"])
        if line["options"] is not None:
            assert line["option_ids"] == [ids(option) for option in line["options"]]
            assert line["options"][line["gold"]] == line["target"]


def test_accepted_answers_are_those_of_the_row(build: Build) -> None:
    path = build.path.parent / "lib/datasets/toy.jsonl"
    answers = {str(r["id"]): r["answer"] for r in map(json.loads, path.read_text().splitlines())}
    for name in SETS[1:]:
        table, _ = build.evaluation(name)
        for line in table.to_pylist():
            answer = answers[line["row_id"]]
            assert line["accepted"] == [answer, f"{answer}.0"]
            assert line["target"] == answer or line["target"].endswith(f"So it is {answer}.")
    table, _ = build.evaluation(SETS[0])
    for line in table.to_pylist():
        assert line["accepted"] == [line["target"]]
        assert line["shots"] == len(line["exemplars"]) == 1


def spec(*templates: dict[str, Any], **more: Any) -> RenderSpec:
    task = Task.model_validate(
        {"signature": "question -> note, answer", "templates": list(templates)}
    )
    shares = ArmShares(options=more.pop("options", (0.0, 1.0)))
    every = tuple(range(len(templates)))
    return RenderSpec("t", task, {"l": LETTERS}, {"p": PLAIN}, shares, 1, every, **more)


def chances(*counts: int | None) -> pa.ChunkedArray:
    column = [None if n is None else [f"o{i}" for i in range(n)] for n in counts]
    return pa.chunked_array([pa.array(column, pa.list_(pa.string()))])


def about(made: RenderSpec, counts: pa.ChunkedArray, **changes: Any) -> dict[str, Any]:
    return eval_metadata(Eval.model_validate(changes), counts, made)


@settings(max_examples=60)
@given(st.lists(st.none() | st.integers(1, 6), max_size=8))
def test_chance_is_the_mean_over_all_rows(counts: list[int | None]) -> None:
    found = about(spec(PICK), chances(*counts), metric="accuracy")["random_baseline"]
    if not any(counts):
        assert found is None
        return
    assert found == pytest.approx(sum(1 / n for n in counts if n) / len(counts))


@pytest.mark.parametrize(
    ("options", "metric", "given_", "wanted"),
    [
        ((1.0, 0.0), "exact_match", None, 0.25),
        ((1.0, 0.0), "exact_match", 0.1, 0.25),  # options are shown, so one may be guessed
        ((1.0, 0.0), "exact_match", 0.5, 0.5),
        ((0.0, 1.0), "exact_match", 0.1, 0.1),
        ((1.0, 0.0), "accuracy", 0.1, 0.1),  # the file's own baseline of a choice task stays
    ],
)
def test_a_baseline_of_the_file_is_at_least_that_of_the_shown_options(
    options: tuple[float, float], metric: str, given_: float | None, wanted: float
) -> None:
    made = spec(PICK, options=options)
    changes = {} if given_ is None else {"random_baseline": given_}
    assert about(made, chances(4, 4), metric=metric, **changes)["random_baseline"] == wanted


def test_accuracy_after_a_rationale_compares_the_answer() -> None:
    assert about(spec(WHY), chances(None), metric="accuracy")["metric"] == "exact_match"
    assert about(spec(WHY), chances(None), metric="accuracy", extract="[0-9]")["extract"] is None
    assert about(spec(WHY, PICK), chances(4), metric="accuracy")["metric"] == "accuracy"


@pytest.mark.parametrize(
    ("templates", "changes", "wanted"),
    [
        ((WHY,), {}, {"why": ["So it is", "."]}),
        ((TELL,), {}, {}),  # the whole target is the answer
        (({**TELL, "target": "It is {{ answer }}."},), {}, {"tell": ["It is", "."]}),
        ((WHY, TELL), {}, {"why": ["So it is", "."]}),
        ((WHY,), {"extract": "[0-9]+"}, None),
        ((WHY,), {"metric": "rouge_l"}, None),
    ],
)
def test_texts_around_the_answer(templates: Any, changes: dict[str, Any], wanted: Any) -> None:
    found = about(spec(*templates), chances(None), **{"metric": "exact_match", **changes})
    around = found.get("between")
    assert (around and {k: [t.strip() for t in v] for k, v in around.items()}) == wanted


def test_an_answer_stops_at_the_layouts_text_after_it() -> None:
    chat = ChatStyle(user="<u>{{ text }}</u>", assistant="<a>{{ text }}</a>", system="{{ text }}")
    for wrap, stops in ((True, ["\n", "</a>"]), (False, ["\n"])):
        made = spec(TELL, chat_styles={"c": chat}, wrap=wrap)
        assert about(made, chances(None), metric="exact_match", stop=["\n"])["stop"] == stops


COLUMNS = pa.schema([*(f for f in EVAL if f.name != "example"), ("fewer_shots", pa.string())])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=4))
def test_blocks_are_joined_in_order_and_numbered(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    paths, rows, lost = [], [], []
    for number, (kept, dropped) in enumerate(blocks):
        own = [{"row": 100 * number + i, "prompt": f"{number}.{i}"} for i in range(kept)]
        gone = [(900 + 10 * number + i, None, i, "the input is empty") for i in range(dropped)]
        table = pa.Table.from_pylist(own, schema=COLUMNS)
        paths.append(str(folder / f"{number}.arrow"))
        write_object(Path(paths[-1]), table.replace_schema_metadata({"dropped": json.dumps(gone)}))
        rows += own
        lost += [Lost(*g) for g in gone]
    table, dropped_rows = read_eval(paths)
    assert table["example"].to_pylist() == list(range(len(rows)))
    assert table["row"].to_pylist() == [row["row"] for row in rows]
    assert dropped_rows == lost
    assert table.column_names[0] == "example"
