"""JSON and JSON Lines against the json module, through windows of any size."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import ReadOptions
from flancompile.errors import FlancompileError
from flancompile.sources import json_rows as reader
from flancompile.sources.json_rows import json_lines_rows, json_rows
from flancompile.sources.rows import BadRow

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), min_size=1, max_size=6)


def read(text: str, lines: bool = False, **options: Any) -> list[Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(text, encoding="utf-8", newline="")
        rows = json_lines_rows if lines else json_rows
        return list(rows(path, ReadOptions.model_validate(options)))


@settings(deadline=None, max_examples=50)
@given(OBJECTS, st.integers(1, 40), st.sampled_from([None, 2]))
def test_arrays_documents_and_lines_have_the_same_rows(
    objects: list[dict[str, Any]], window: int, indent: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "WINDOW", window)
        assert read(json.dumps(objects, indent=indent)) == objects
        assert read("\n".join(json.dumps(o, indent=indent) for o in objects)) == objects
        assert read(json.dumps({"a": {"b": objects}}), rows="a.b") == objects
    assert read("\n\n".join(map(json.dumps, objects)), lines=True) == objects


def test_a_bad_line_drops_its_row_only() -> None:
    text = '{"a": 1}\n{"a": \n[1]\n{"a": 1, "a": 2}\n{"a": 3}\n'
    first, *bad, last = read(text, lines=True)
    assert (first, last) == ({"a": 1}, {"a": 3})
    assert [b.where for b in bad if isinstance(b, BadRow)] == ["a.json:2", "a.json:3", "a.json:4"]
    assert bad[2].reason == "two keys are 'a'"


def test_items_that_are_no_objects() -> None:
    found = read('[1, "x", [2], null, {"a": {"b": 1, "b": 2}}]')
    assert found[:3] == [{"item": 1}, {"item": "x"}, {"item": [2]}]
    assert [type(f) for f in found[3:]] == [BadRow, BadRow]


@pytest.mark.parametrize(
    ("text", "place"), [("", "1:1"), ('[{"a": 1},\n {"a" 2}]', "2:7"), ("[1, 2", "1:6")]
)
@pytest.mark.parametrize("window", [1, 1 << 20])
def test_syntax_errors_have_line_and_column(
    monkeypatch: pytest.MonkeyPatch, text: str, place: str, window: int
) -> None:
    monkeypatch.setattr(reader, "WINDOW", window)
    with pytest.raises(FlancompileError, match=f"a.json:{place}: ") as caught:
        read(text)
    assert caught.value.code == "FC304"


def test_a_path_that_leads_nowhere_lists_the_keys() -> None:
    with pytest.raises(FlancompileError, match="names 'x'; the file has a, b"):
        read('{"a": [], "b": 1}', rows="x")


PAIRS = st.recursive(
    st.sampled_from(["1", '"x"', '"\\":"', '"a:b"', "null", "[]"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", '\\":']), st.sampled_from(["", " ", "\t "]), inner
            ),
            max_size=3,
        ).map(lambda pairs: "{" + ",".join(f'"{k}"{space}:{v}' for k, space, v in pairs) + "}"),
    ),
    max_leaves=6,
)


def has_repeated_key(text: str) -> bool:
    repeated = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        repeated.append(len(dict(found)) < len(found))

    json.loads(text, object_pairs_hook=pairs)
    return any(repeated)


@settings(deadline=None, max_examples=150)
@given(PAIRS)
@example('{"a" :1,"a":2}')
def test_a_repeated_key_is_found_in_any_spelling(value: str) -> None:
    text = f'{{"row" : {value}}}'
    (row,) = read(text, lines=True)
    assert isinstance(row, BadRow) == has_repeated_key(text)
