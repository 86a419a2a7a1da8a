"""Lints of rows alone: dropped rows, template syntax, special tokens, keys of messages."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lints import about, linted, task

Rows = list[dict[str, Any]]


def rows_of(*questions: Any) -> Rows:
    return [{"id": f"r{n}", "q": q, "a": f"a{n}"} for n, q in enumerate(questions)]


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    found = about(linted(tmp_path, "", task()), "FC320")
    assert found == ["the split 'train' has no rows; the file 'train.jsonl' is empty"]


def test_a_condition_that_leaves_all_rows_out_is_named(tmp_path: Path) -> None:
    found = about(linted(tmp_path, rows_of("x", "y"), task(), where="q == 'z'"), "FC320")
    assert found == ["the split 'train' has no rows; `where` leaves out all 2"]


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        ("['no', 'yes'][n]", "1 of 3 rows are dropped when read", "if a label is outside its list"),
        ("n | lookup({0: 'no', 1: 'yes'})", "1 of 3 rows are dropped when read", "if a label is outside"),
        ("m", "3 of 3 rows are dropped when read; most frequent reason: field q: no 'm'", None),
        ("m if n == 0 else 'x'", "1 of 3 rows are dropped when read; most frequent reason: field q: no 'm'", None),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_read_are_counted_with_the_reason(
    tmp_path: Path, field: str, message: str, hint: str | None
) -> None:
    rows = [{"id": n, "n": n, "a": f"a{n}"} for n in range(3)]
    found = [
        d
        for d in linted(tmp_path, rows, task(), fields={"q": field, "a": "a"})
        if d.code == "FC320"
    ]
    assert [d.message.partition(": ")[2].startswith(message) for d in found] == [True]
    assert (found[0].hint or "").startswith(hint or "") and bool(found[0].hint) is bool(hint)


MARKED = st.lists(
    st.tuples(st.sampled_from(["{{", "{%", "{ {", "}}", "{#", "{", "%}"]), st.text("ab ", max_size=3)),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MARKED)
def test_template_syntax_in_values_is_counted(tmp_path: Path, parts: list[tuple[str, str]]) -> None:
    rows = rows_of(*(f"{text}{mark}{text}" for mark, text in parts))
    held = [n for n, (mark, _) in enumerate(parts) if mark in ("{{", "{%")]
    share = f"{len(held)} of {len(rows)} rows, such as 'r{held[0]}'" if held else ""
    wanted = [f"values contain template syntax in {share}"] if held else []
    assert about(linted(tmp_path, rows, task()), "FC333") == wanted


def test_special_tokens_of_values_are_counted_by_rows(tmp_path: Path) -> None:
    rows = rows_of("<s>a</s>", "<s><s>", "plain", {"deep": ["<|im_start|>user"]})
    found = about(linted(tmp_path, rows, task("{{ q | tojson }}")), "FC336")
    assert found == [
        "values contain special tokens in 3 of 4 rows, such as 'r0': <s> (2), </s> (1), "
        "<|im_start|> (1)"
    ]


def test_special_tokens_of_unused_fields_are_not_counted(tmp_path: Path) -> None:
    rows = [{**row, "note": "<s>"} for row in rows_of("x", "y")]
    fields = {"q": "q", "a": "a", "note": "note"}
    assert about(linted(tmp_path, rows, task(), fields=fields), "FC336") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("turn.content", "name (2), mood (1)"), ("turn.name | default('') ~ turn.content", "mood (1)")],
)  # fmt: skip
def test_keys_of_messages_that_no_text_shows_are_named(
    tmp_path: Path, text: str, told: str
) -> None:
    said = [
        [{"role": "user", "content": "q", "name": "ada"}, {"role": "assistant", "content": "a"}],
        [{"role": "user", "content": "r", "name": "ben", "mood": "glad"},
         {"role": "assistant", "content": "b"}],
    ]  # fmt: skip
    rows = [{"id": f"r{n}", "m": messages} for n, messages in enumerate(said)]
    turns = {"each": "q", "text": text}
    given_ = {"signature": "-> q", "templates": [{"name": "t", "turns": turns}]}
    found = linted(tmp_path, rows, given_, fields={"q": "m | chat"})
    assert about(found, "FC335") == [
        f"messages have keys or parts that no turn shows in {2 if 'name' in told else 1} of 2 "
        f"rows, such as 'r{0 if 'name' in told else 1}': {told}"
    ]
