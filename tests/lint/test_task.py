"""Lints of rendered templates: prompts, targets, lengths, lost characters and dropped rows."""

from pathlib import Path
from typing import Any

import pytest
from lints import about, linted, task

from flancompile.lint.reading import Reading
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))


def rows_of(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"id": f"r{n}", "q": q, "a": a} for n, (q, a) in enumerate(pairs)]


ROWS = rows_of(*((f"question {n}", f"answer {n}") for n in range(10)))
TEMPLATE_FAULTS = [
    ("{{ q[:8] }}", "{{ a }}", "FC322", "gives one prompt for 10 rows that differ"),
    ("answer {{ q[9:] }}", "{{ a }}", "FC324", "has its target in the input in 10 of 10 rows, such as 'r0'"),
    ("{{ q }} ", "{{ a }}", "FC325", "has white space before its target in 10 of 10 rows, such as 'r0'"),
    ("{{ q }}\n", "{{ a }}", "FC325", "has white space before its target in 10 of 10 rows, such as 'r0'"),
    ("{{ q }}{{ '?' if q[9:] == '3' }}?", "{{ a }}", "FC326", "has doubled punctuation in 1 of 10 rows, such as 'r3'"),
]  # fmt: skip


@pytest.mark.parametrize(("input_", "target", "code", "message"), TEMPLATE_FAULTS)
def test_a_template_s_fault_is_told_once_with_its_rows(
    tmp_path: Path, input_: str, target: str, code: str, message: str
) -> None:
    found = linted(tmp_path, ROWS, task(input_, target))
    assert [(d.code, d.message) for d in found] == [(code, f"d/qa: the template 't' {message}")]
    assert all(d.span is not None and d.severity == "warning" for d in found)


def test_a_sound_task_has_no_diagnostics(tmp_path: Path) -> None:
    assert linted(tmp_path, ROWS, task("Q: {{ q }}", "{{ a }}")) == []


@pytest.mark.parametrize(("count", "told"), [(9, False), (10, True)])
def test_equal_inputs_are_told_of_from_ten_rows_on(tmp_path: Path, count: int, told: bool) -> None:
    rows = rows_of(*(("same", f"answer {n}") for n in range(count)))
    assert (
        about(linted(tmp_path / "a", rows, task()), "FC322")
        == ["all 10 rows have the same inputs"] * told
    )
    assert about(linted(tmp_path / "b", rows, task(inverted=True)), "FC322") == []


@pytest.mark.parametrize(
    ("when", "code", "message"),
    [
        ("q == 'z'", "FC321", "the template 't' renders none of the rows"),
        ("q != 'question 3'", None, None),
    ],
)
def test_rows_that_a_template_does_not_fit(
    tmp_path: Path, when: str, code: str | None, message: str | None
) -> None:
    found = linted(tmp_path, ROWS, task(template={"when": when}))
    assert [(d.code, d.message) for d in found] == (
        [] if code is None else [(code, f"d/qa: {message}")]
    )


def test_rows_that_a_template_drops_are_counted_with_the_reason(tmp_path: Path) -> None:
    found = linted(tmp_path, ROWS, task("{{ q }} {{ {'0': 1, '1': 2}[q[9:]] }}"))
    (message,) = about(found, "FC323")
    assert message == "the template 't' drops 8 of 10 rows; most frequent reason: no '2'"


@pytest.mark.parametrize(("length", "over"), [(17, 10), (18, 1), (19, 0)])
def test_lengths_count_prompt_and_target(tmp_path: Path, length: int, over: int) -> None:
    rows = rows_of(*(("question!", f"answer {n}") for n in range(9)), ("question!", "answer 10"))
    reading = Reading(rows=None, write_lock=False, tokenizer=BYTES, length=length - 1)
    found = about(linted(tmp_path, rows, task(inverted=True), reading), "FC328")
    share = f"{over} of 10 rows, such as 'r{10 - over}'"
    wanted = f"the template 't' has more than {length - 1} tokens in {share}"
    assert found == [wanted] * bool(over)


def test_an_arm_with_options_is_linted_apart(tmp_path: Path) -> None:
    given = task(
        "{{ q }}\n{{ options }}", "{{ gold }}", template={"options": "optional"},
        choices={"options": ["answer 0", "else"], "gold": "a"},
    )  # fmt: skip
    rows = rows_of(("question", "answer 0"), ("other ", "else"))
    (message,) = about(linted(tmp_path, rows, given), "FC325")
    assert (
        message == "the template 't' has white space before its target in 1 of 2 rows, such as 'r1'"
    )


RATIONALE = {"signature": "q -> r, a"}


@pytest.mark.parametrize(("split", "told"), [("train", True), ("validation", False)])
def test_rationales_are_wanted_in_training_alone(tmp_path: Path, split: str, told: bool) -> None:
    rows = [
        {"id": n, "q": f"x{n}", "a": "yes", "r": r} for n, r in enumerate(["because so", "yes"])
    ]
    rows.append({"id": 2, "q": "x2", "a": "no", "r": ""})  # dropped
    given = {
        **task("{{ q }}", "{{ r }} {{ a }}", template={"cot": True}, eval={"answers": "[a]"}),
        **RATIONALE,
    }
    fields = {"q": "q", "a": "a", "r": "r"}
    splits = {"train": rows, "validation": rows}
    reading = Reading(rows=None, write_lock=False, split=split)
    found = about(linted(tmp_path, splits, given, reading, fields=fields), "FC327")
    wanted = "the template 't' has no rationale before its answer in 1 of 2 rows, such as '1'"
    assert found == [wanted] * told


@pytest.mark.parametrize(("said", "told"), [("tell me a tale", True), ("hello", False)])
def test_a_dialogue_s_answer_that_was_asked(tmp_path: Path, said: str, told: bool) -> None:
    turns = [{"role": "user", "content": said}, {"role": "assistant", "content": said}]
    rows = [{"id": f"r{n}", "m": turns} for n in range(2)]
    given = {"signature": "-> q", "templates": [{"name": "t", "turns": {"each": "q"}}]}
    found = linted(tmp_path, rows, given, fields={"q": "m | chat"})
    wanted = "the template 't' has its target in the input in 2 of 2 rows, such as 'r0'"
    assert about(found, "FC324") == [wanted] * told
