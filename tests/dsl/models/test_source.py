"""Sources: formats by name, options of formats, and places of which exactly one is given."""

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from flancompile.dsl.models.source import (
    Format,
    Join,
    Overlay,
    Place,
    PlaceChoice,
    ReadOptions,
    Source,
    format_by_name,
    formats_of,
    options_for,
    unknown_option,
)

FORMATS = get_args(Format)
SUFFIXES = st.sampled_from(
    [".jsonl", ".JSON", ".csv", ".Tsv", ".parquet", ".feather", ".txt", ".xml"]
)


@settings(max_examples=40)
@given(
    st.sampled_from(["a", "a.b", "b/c.csv/a", "../x y"]),
    SUFFIXES,
    st.sampled_from(["", ".gz", ".zst"]),
)
def test_a_format_is_that_of_the_last_suffix_but_compression(
    stem: str, suffix: str, packed: str
) -> None:
    kind = {".feather": "arrow", ".txt": "text"}.get(suffix, suffix[1:].lower())
    assert format_by_name(stem + suffix + packed) == kind


@pytest.mark.parametrize("name", ["", "a", "a.gz", ".csv", "a.data", "a.csv.bz2", "csv"])
def test_other_names_have_no_format(name: str) -> None:
    assert format_by_name(name) is None


@pytest.mark.parametrize(
    ("files", "declared", "found"),
    [
        ("a.csv", None, ["csv"]),
        ("a.csv", "tsv", ["tsv"]),
        ({"train": ("a.csv", "b.csv"), "test": "c.jsonl"}, None, ["csv", "jsonl"]),
        ("data/*", None, []),
        (None, None, []),
        ({}, None, []),
    ],
)
def test_formats_of_a_place_are_each_named_once(
    files: Any, declared: Any, found: list[str]
) -> None:
    assert formats_of(files, declared) == found


VALUES: dict[str, Any] = {
    "encoding": "utf-16", "errors": "replace", "delimiter": ";", "quoting": False, "header": False,
    "columns": ["a"], "unescape": True, "rows": "x.y", "skip": 2, "lines": 3, "blank": True, "whole": True,
}  # fmt: skip


def test_every_option_belongs_to_some_format() -> None:
    assert set(VALUES) == set(ReadOptions.model_fields)
    for name in VALUES:
        assert any(unknown_option([name], format_) is None for format_ in FORMATS), name


@pytest.mark.parametrize("format_", FORMATS)
def test_an_option_that_a_format_lacks_is_refused_in_each_place(format_: Format) -> None:
    refused = 0
    for name, value in VALUES.items():
        known = unknown_option([name], format_) is None
        refused += not known
        about = {"files": "x.data", "format": format_, "read": {name: value}}
        for model in (Source, Place, Join, PlaceChoice):
            if known:
                model.model_validate(about)
                continue
            with pytest.raises(ValidationError, match=f"'{name}' is not an option of {format_}"):
                model.model_validate(about)
    assert refused > 0


def test_a_place_of_two_formats_takes_the_options_of_both() -> None:
    files = {"train": "a.csv", "test": "b.jsonl"}
    source = Source.model_validate({"files": files, "read": {"delimiter": ";", "skip": 1}})
    assert options_for(source.read, ["csv"]) == source.read
    assert options_for(source.read, ["jsonl"]).model_fields_set == {"skip"}
    assert options_for(source.read, ["parquet"]).model_fields_set == set()
    with pytest.raises(ValidationError, match="'rows' is not an option of csv"):
        Source.model_validate({"files": files, "read": {"rows": "x"}})


def test_rows_of_a_text_are_made_in_one_way() -> None:
    for lines, blank, whole in product([None, 2], [False, True], [False, True]):
        given_ = {"lines": lines, "blank": blank, "whole": whole}
        if (lines is not None) + blank + whole > 1:
            with pytest.raises(ValidationError, match="only one of `lines`, `blank`"):
                ReadOptions.model_validate(given_)
        else:
            assert ReadOptions.model_validate(given_).model_dump()["lines"] == lines


@pytest.mark.parametrize(
    ("model", "given_", "message"),
    [
        (ReadOptions, {"columns": ["a", "b", "a"]}, "both named 'a'"),
        (ReadOptions, {"delimiter": ", "}, "at most 1 character"),
        (ReadOptions, {"skip": -1}, "greater than or equal to 0"),
        (Join, {"files": "a.csv", "by": "key"}, "`by: key` needs `key:`"),
        (Join, {"files": "a.csv", "key": "k"}, "`by: key` needs `key:`"),
        (Place, {}, "exactly one of `hub` and `files`"),
        (Place, {"hub": "x/y", "files": "a.csv"}, "exactly one of `hub` and `files`"),
        (Source, {}, "needs `hub`, `files` or `places`"),
        (Source, {"hub": "x/y", "files": "a.csv"}, "put the other under `places`"),
        (PlaceChoice, {}, "exactly one of `place`, `hub` and `files`"),
        (PlaceChoice, {"place": "p", "files": "a.csv"}, "exactly one of `place`, `hub` and `files`"),
        (Overlay, {"overlay": "o", "sources": {"a": {"root": "x"}}}, "Extra inputs"),
    ],
)  # fmt: skip
def test_places_that_are_refused(model: type[BaseModel], given_: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        model.model_validate(given_)


def test_one_join_may_stand_without_a_list() -> None:
    one = {"files": "b.csv", "by": "key", "key": "k"}
    made = [Source.model_validate({"files": "a.csv", "join": j}) for j in (one, [one])]
    assert made[0] == made[1] and made[0].join[0].other is None
    assert Source.model_validate({"places": {"disk": {"files": "a.csv"}}}).files is None
