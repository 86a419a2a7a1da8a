"""Detection of targets in their prompts: the field they come from, and intended leaks."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lints import about, linted, task
from toys import Library

from flancompile.compiler.render.chat import Turn
from flancompile.dsl.library.library import TaskDef, load_library
from flancompile.lint.leaks import (
    Leaks,
    fields_from_answers,
    lacks_rationale,
    repeats_prompt,
    texts_of,
)


def leaks(**more: Any) -> Leaks:
    given_: dict[str, Any] = {
        "derived": frozenset(), "copied": frozenset(), "tagged": False, "extractive": False, "own_words": ""
    }  # fmt: skip
    return Leaks(**{**given_, **more})


SENTENCE = "the cat sat on the mat"


@pytest.mark.parametrize(
    ("target", "prompt", "fields", "settings_", "counted"),
    [
        (SENTENCE, f"Say: {SENTENCE}!", {"q": [f"So {SENTENCE}!"]}, {}, {"q": 1}),
        (SENTENCE, "Say it.", {"q": [SENTENCE]}, {}, {}),
        ("one two three", "one two three!", {"q": ["one two three!"]}, {}, {"q": 1}),
        ("one two", "one two!", {"q": ["one two!"]}, {}, {}),
        (SENTENCE, f"Say: {SENTENCE}", {"q": [SENTENCE]}, {"extractive": True}, {}),
        (SENTENCE, f"Say: {SENTENCE}", {"q": [SENTENCE]}, {"copied": frozenset("q")}, {}),
        (SENTENCE, f"Say: {SENTENCE}", {"q": [SENTENCE]}, {"own_words": f"Say: {SENTENCE}"}, {}),
        ("Ulm", "in Ulm", {"q": ["in Ulm"]}, {}, {}),
        ("Ulm", "in Ulm", {"q": ["in Ulm"]}, {"derived": frozenset("q")}, {"q": 1}),
        ("Ulm", "in Ulm", {"q": ["in Ulm"]}, {"derived": frozenset("q"), "tagged": True}, {}),
        ("Ulm", "x" * 20 + " Ulm", {"q": ["x" * 20 + " Ulm"]}, {"derived": frozenset("q")}, {}),
        ("no", "no one", {"q": ["no one"]}, {"derived": frozenset("q")}, {}),
    ],
)  # fmt: skip
def test_leaks_are_counted_by_the_field_that_holds_the_target(
    target: str, prompt: str, fields: dict[str, list[str]], settings_: Any, counted: dict[str, int]
) -> None:
    made = leaks(**settings_)
    assert not made.look("7", prompt, target, fields, ())
    assert dict(made.rows) == counted
    if counted:
        ((message, advice, count, row),) = made.findings(1)
        assert "in the field 'q'" in message and (count, row) == (1, "7")
        assert ("answer's column" in advice) == ("q" in made.derived)


@pytest.mark.parametrize(
    ("prompt", "others", "found"),
    [("my target", (), True), ("my target", ("my",), False), ("my targe", (), False),
     (" target ", ("target",), True)],
)  # fmt: skip
def test_a_target_that_no_field_holds_is_a_leak_of_the_template(
    prompt: str, others: tuple[str, ...], found: bool
) -> None:
    assert leaks().look("7", prompt, "target", {"q": ["my"]}, others) is found


@pytest.mark.parametrize(("leaking", "rows", "told"), [(1, 2, True), (1, 3, False), (0, 0, False)])
def test_a_field_is_told_of_from_half_of_the_rows_on(leaking: int, rows: int, told: bool) -> None:
    made = leaks()
    for n in range(rows):
        prompt = SENTENCE + "." if n < leaking else "else"
        made.look(str(n), prompt, SENTENCE, {"q": [prompt]}, ())
    assert bool(list(made.findings(rows))) is told


VALUES = st.recursive(
    st.text(max_size=3) | st.integers() | st.none(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=2), v, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(VALUES)
def test_texts_of_a_value_are_its_leaves_in_order(value: Any) -> None:
    def leaves(part: Any) -> list[str]:
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, list):
            return [leaf for item in part for leaf in leaves(item)]
        return [] if part is None else [str(part)]

    assert texts_of(value) == leaves(value)


def loaded(root: Path, fields: dict[str, str], **more: Any) -> TaskDef:
    library = Library(root)
    library.write("datasets/d.jsonl", [])
    library.write("datasets/d.yaml", {
        "source": {"files": "d.jsonl"}, "fields": fields,
        "tasks": {"qa": {**task(), "signature": "q, p -> a"}}, **more,
    })  # fmt: skip
    found, diagnostics = load_library([root], builtin=False)
    assert not diagnostics
    return found.tasks()["d/qa"]


@pytest.mark.parametrize(
    ("fields", "let", "derived"),
    [
        ({"q": "text", "p": "title", "a": "text[:9]"}, {}, {"q"}),
        ({"q": "m.x", "p": "m.y", "a": "m.x.z"}, {}, {"q"}),
        ({"q": "m", "p": "n", "a": "m.x"}, {}, {"q"}),
        ({"q": "row.text", "p": "n", "a": "text"}, {}, {"q"}),
        ({"q": "both[0]", "p": "n", "a": "both[1]"}, {"both": "text | split('|')"}, {"q"}),
        ({"q": "n", "p": "text", "a": "n2"}, {"n": "text", "n2": "n"}, {"q", "p"}),
        ({"q": "'text'", "p": "n", "a": "text"}, {}, set()),
    ],
)
def test_inputs_made_of_the_answers_column(
    tmp_path: Path, fields: dict[str, str], let: dict[str, str], derived: set[str]
) -> None:
    assert fields_from_answers(loaded(tmp_path, fields, let=let)) == derived


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([("user", "one two three"), ("assistant", "one two three")], True),
        ([("system", " one two three\n"), ("assistant", "one two three")], True),
        ([("user", "hi there"), ("assistant", "hi there")], False),
        ([("tool", "one two three"), ("assistant", "one two three")], False),
        ([("assistant", "one two three"), ("user", "one two three")], False),
        ([], False),
    ],
)
def test_an_answer_that_was_asked_already(turns: list[tuple[str, str]], found: bool) -> None:
    said = [Turn(role, text, learnt=role == "assistant") for role, text in turns]
    assert repeats_prompt(said) is found


@pytest.mark.parametrize(
    ("target", "outputs", "lacking"),
    [
        ("So it is yes", ["So it is", "yes"], False),
        ("yes", ["So it is", "yes"], True),
        ("yes yes", ["yes", "yes"], True),
        (" yes", ["", "yes"], True),
        ("yes", ["yes"], False),
        ("yes", [], False),
    ],
)
def test_targets_without_a_rationale(target: str, outputs: list[str], lacking: bool) -> None:
    assert lacks_rationale(target, outputs) is lacking


@pytest.mark.parametrize(
    ("input_", "more", "told"),
    [("{{ q }}", {}, True), ("Copy from this: {{ q }}", {}, False),
     ("{{ q }}", {"tags": ["extractive"]}, False), ("{{ q }}", {"cluster": "span_qa"}, False)],
)  # fmt: skip
def test_tasks_that_ask_for_a_part_of_their_text(
    tmp_path: Path, input_: str, more: dict[str, Any], told: bool
) -> None:
    rows = [{"id": n, "q": f"It says {SENTENCE} {n}", "a": f"{SENTENCE} {n}"} for n in range(4)]
    messages = about(linted(tmp_path, rows, task(input_, **more)), "FC324")
    assert [m.partition(" in 4 of")[0] for m in messages] == [
        "the template 't' has its whole target (7 words on average) in the field 'q'"
    ] * told
