"""Columns beside a dialogue that nothing reads."""

from typing import Any

import pytest
from checks import file_of, loaded, marked

from flancompile.dsl.checks.dialogues import unread_columns
from flancompile.dsl.jinja.dialogues import ROW_KEYS
from flancompile.dsl.jinja.types import type_of
from flancompile.dsl.library.lock import Schema


def unread(columns: list[str], fields: dict[str, str], **more: Any) -> tuple[list[str], list[Any]]:
    """Names in the message, and the marked texts."""
    dataset = loaded(file_of(fields=fields, **more))
    schema = Schema({name: type_of("x") for name in columns}, "s")
    found = list(unread_columns(dataset, schema))
    names = [part for d in found for part in d.message.split("'")[1::2]]
    assert all(d.severity == "warning" for d in found)
    return names, marked(dataset, found)


CHAT = {"q": "row | chat", "a": "x"}


@pytest.mark.parametrize(
    "field", ["row | chat", "(row | chat)[0].content", "row | exchanges | first", "[row | chat]"]
)
def test_a_column_that_no_expression_reads_is_told_of(field: str) -> None:
    names, places = unread(["messages", "notes", "mood"], {"q": field, "a": "1"})
    assert names == ["mood", "notes"]
    assert places == [("FC335", "row")]


@pytest.mark.parametrize(
    "field", ["messages | chat", "row.messages | chat", "row", "rows | chat", "row |"]
)
def test_dialogues_of_one_column_leave_others_alone(field: str) -> None:
    assert unread(["messages", "notes"], {"q": field, "a": "1"}) == ([], [])


@pytest.mark.parametrize(
    "more",
    [
        {"fields": {**CHAT, "t": "notes"}},
        {"fields": {**CHAT, "t": "row.notes"}},
        {"fields": {**CHAT, "t": "row['notes'] | upper"}},
        {"fields": CHAT, "let": {"y": "notes"}},
        {"fields": CHAT, "where": "notes"},
        {"fields": CHAT, "source": {"files": "d.jsonl", "id": "notes"}},
        {"fields": CHAT, "source": {"files": "d.jsonl", "where": "notes"}},
        {"fields": CHAT, "source": {"files": "d.jsonl", "explode": {"y": "notes"}}},
    ],
)
def test_a_column_that_an_expression_reads_is_not_told_of(more: dict[str, Any]) -> None:
    fields = more.pop("fields")
    assert unread(["messages", "notes"], fields, **more) == ([], [])


def test_columns_of_the_dialogue_and_about_the_row_are_not_told_of() -> None:
    own = sorted(ROW_KEYS)
    about = [
        "id",
        "row_id",
        "conversation_hash",
        "Model",
        "source",
        "num_tokens",
        "created_date",
        "x_score",
    ]
    assert len(own) > 10
    assert unread([*own, *about], CHAT) == ([], [])
    assert unread(["modelled", "sources", "idle"], CHAT)[0] == ["idle", "modelled", "sources"]
