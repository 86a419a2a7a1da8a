"""Evaluation tables: under accuracy every row has options, and chance is over every row."""

from pathlib import Path
from typing import Any

from toys import Library, dataset_of

from flancompile.store.build import Build

PICK = {"name": "pick", "input": "{{ question }}", "target": "{{ gold }}"}
TOLD = {"name": "told", "input": "{{ question }} Tell.", "target": "{{ answer }}"}
WORDED = {"name": "worded", "input": "{{ question }} So?", "target": "{{ answer | upper }}."}
OWN = {"name": "own", "input": "{{ question }}", "target": "{{ note or topic }}"}


def compiled(root: Path, metric: str, *templates: dict[str, Any], **more: Any) -> Build:
    library = Library(root / "lib")
    tasks = dataset_of("toy")["tasks"]
    tasks["qa"] |= {"eval": {"metric": metric}, "templates": list(templates), **more}
    tasks["qa"]["signature"] = "question -> answer, note, topic"
    library.dataset(tasks=tasks)
    library.mixture()
    library.recipe(evaluate=[{"select": "all", "split": "validation", "max_rows": 40}])
    return library.compile(root / "build", root / "cache")


def test_targets_of_the_options_are_ranked_however_they_name_them(tmp_path: Path) -> None:
    table, about = compiled(tmp_path, "accuracy", PICK, TOLD, WORDED).evaluation("toy/qa")
    assert set(table["template"].to_pylist()) == {"pick", "told", "worded"}
    for line in table.to_pylist():
        assert len(line["options"]) == 4
        assert line["options"][line["gold"]] == line["target"]
    assert about["random_baseline"] == 0.25


def test_templates_that_cannot_be_ranked_are_left_out(tmp_path: Path) -> None:
    table, _ = compiled(tmp_path, "accuracy", OWN, PICK).evaluation("toy/qa")
    assert len(table) == 40 and set(table["template"].to_pylist()) == {"pick"}


def test_rows_without_options_are_dropped_with_their_reason(tmp_path: Path) -> None:
    """Of a topic that one row alone has, no distractors can be drawn."""
    choices = {"gold": "answer", "distractors": 3, "same": "answer"}
    build = compiled(tmp_path, "accuracy", PICK, choices=choices)
    (entry,) = build.manifest.evaluation
    assert (entry.rows, entry.dropped) == (0, 40)


def test_chance_is_over_rows_with_options_and_without(tmp_path: Path) -> None:
    build = compiled(tmp_path, "exact_match", OWN, PICK)
    table, about = build.evaluation("toy/qa")
    shares = [0.25 if options else 0.0 for options in table["options"].to_pylist()]
    assert 0.0 in shares and 0.25 in shares
    assert about["random_baseline"] == sum(shares) / len(shares)


def test_rows_whose_accepted_answers_are_no_texts_are_dropped(tmp_path: Path) -> None:
    for answers in ("[[answer]]", "{'k': answer}", "[answer, [answer, 'b']]"):
        settings = {"metric": "exact_match", "answers": answers}
        build = compiled(tmp_path / str(len(answers)), "exact_match", TOLD, eval=settings)
        (entry,) = build.manifest.evaluation
        assert (entry.rows, entry.dropped) == (0, 40)


def test_accepted_answers_leave_out_nulls(tmp_path: Path) -> None:
    settings = {"metric": "exact_match", "answers": "[answer, none, 2.5]"}
    table, _ = compiled(tmp_path, "exact_match", TOLD, eval=settings).evaluation("toy/qa")
    assert len(table) == 40
    for line in table.to_pylist():
        assert line["accepted"] == [line["target"], "2.5"]


def test_a_failing_expression_of_accepted_answers_drops_the_row(tmp_path: Path) -> None:
    answers = "[answer, (note | length) ~ '']"  # of a null there is no length
    build = compiled(
        tmp_path, "exact_match", TOLD, eval={"metric": "exact_match", "answers": answers}
    )
    (entry,) = build.manifest.evaluation
    table, _ = build.evaluation("toy/qa")
    assert entry.dropped > 0 and entry.rows + entry.dropped == 40
    assert all(len(a) == 2 for a in table["accepted"].to_pylist())


def test_a_chain_that_ends_in_its_answer_needs_accepted_answers_alone(tmp_path: Path) -> None:
    """The published form of BBH: the rationale, answer included, is the whole target of exemplars."""
    chain = {"name": "chain", "cot": True, "input": "{{ question }}", "target": "{{ note }}"}
    library = Library(tmp_path / "lib")
    tasks = dataset_of("toy")["tasks"]
    tasks["qa"] |= {"templates": [chain], "eval": {"metric": "exact_match", "answers": "answer"}}
    tasks["qa"] |= {"signature": "question -> note, answer"}
    library.dataset(tasks=tasks)
    library.mixture()
    library.recipe(
        evaluate=[{"select": "all", "split": "validation", "cot": True, "shots": 2}],
        lengths={"pack": 4096},
    )
    build = library.compile(tmp_path / "build", tmp_path / "cache")
    (entry,) = build.manifest.evaluation
    assert entry.rows == 200 and entry.dropped == 0  # every fifth row has no rationale
    table, _ = build.evaluation("toy/qa")
    for line in table.to_pylist():
        assert line["target"] == line["accepted"][0] or line["target"].endswith("make it.")
        assert "None" not in line["prompt"] and line["shots"] == 2
    assert any(line["target"] == line["accepted"][0] for line in table.to_pylist())


def test_an_entry_names_the_arms_that_its_templates_have(tmp_path: Path) -> None:
    """A task of reasoning templates alone has no other arm, whatever the recipe asks for."""
    chain = {"name": "chain", "cot": True, "input": "{{ question }}", "target": "{{ answer }}"}
    build = compiled(tmp_path, "exact_match", chain)
    (entry,) = build.manifest.evaluation
    assert entry.cot and not entry.options and entry.rows == 40
