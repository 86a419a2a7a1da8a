"""A file of each kind as plain data, and copies of it with one change."""

import copy
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["FILES", "ODD", "accepts", "edited", "places"]

ODD: list[Any] = [
    None,
    [],
    {},
    "",
    "a b",
    "é",
    -1,
    1,
    2.5,
    [None],
    ["a"],
    {"a": 1},
    {"1": "x"},
    300,
]
FILES: dict[str, dict[str, Any]] = {
    "dataset": {
        "source": {"files": {"train": ["a.csv", "b.csv"]}, "id": "id", "read": {"skip": 1},
                   "join": {"files": "c.csv", "by": "key", "key": "k"}, "explode": {"x": "xs"}},
        "for_each": {"lang": ["en", {"name": "de"}]},
        "let": {"z": "1"}, "fields": {"q": "q", "a": "a"}, "where": "q", "allow": {"FC213": "so"},
        "tasks": {"qa": {
            "signature": "q -> a", "tags": ["x"], "cluster": "c", "truncate": ["q"],
            "choices": {"options": {"A": "x", "B": "y"}, "gold": "a", "shuffle": False},
            "exemplars": {"from": "file", "file": "e.yaml", "fields": {"q": "item.q"}},
            "eval": {"metric": "exact_match", "filters": [{"regex": "(a)"}], "random_baseline": 0.5},
            "templates": [
                {"name": "t", "input": "{{ q }}", "target": "{{ a }}", "options": "optional"},
                {"name": "u", "turns": {"each": "q"}, "cot": False, "when": "q"},
            ]}}},
    "mixture": {
        "mixture": "m", "rate_in": "examples", "cap_rows": 7, "hold_out": {"select": "all"},
        "shots": {0: 1, 5: 0.5}, "options": {"with": 1, "without": 0},
        "members": [{"select": "all", "rate": 2, "within": "equal"}, {"mixture": "n", "overlap": "keep"}]},
    "recipe": {
        "recipe": "r", "mixture": "m", "layout": "decoder", "lengths": {"pack": 64, "target": 9},
        "tokenizer": {"train": "bpe", "vocab_size": 300}, "size": {"passes": 1.5, "over": "m"},
        "frame": {"join": " "}, "packing": {"window": 3, "enabled": False}, "seed": 3,
        "styles": {"options": ["a"], "wrap": True}, "missing": "leave_out",
        "evaluate": [{"select": "all", "name": "n", "shots": 5}]},
    "styles": {
        "options": {"a": {"label": "x", "only_where_named": True}}, "shots": {"b": {"when": "few"}},
        "chat": {"c": {"system": "{{ text }}", "tags": ["x"]}}, "overrides": ["d"]},
    "overlay": {
        "overlay": "o", "root": "..", "sources": {
            "a": {"place": "disk"}, "b": {"hub": "x/y", "splits": {"train": "t"}},
            "c": {"files": "*.csv", "format": "csv", "columns": {"q": "x"}, "id": "q"}}},
}  # fmt: skip


def places(value: Any, key: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys of all parts of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        yield (*key, name)
        if isinstance(item, dict | list):
            yield from places(item, (*key, name))


def edited(value: Any, key: tuple[Any, ...], how: str, odd: Any) -> Any:
    """A copy in which one part is replaced, dropped, or joined by an unknown key."""
    made = copy.deepcopy(value)
    owner = made
    for name in key[:-1]:
        owner = owner[name]
    if how == "drop":
        del owner[key[-1]]
    elif how == "add" and isinstance(owner, dict):
        owner["unknown_key"] = odd
    else:
        owner[key[-1]] = odd
    return made


def accepts(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True
