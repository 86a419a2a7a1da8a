"""The filters that the language adds to Jinja's, against Python's own functions and brute force."""

import html
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from expressions import both
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import RowError, compile_expression
from flancompile.dsl.jinja.filters import FILTERS, LEFT_OUT_FILTERS, LEFT_OUT_TESTS
from flancompile.errors import FlancompileError

FEW = settings(max_examples=30)
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=8) | st.text("ab \t\n\x1c\u00a0\u2003-,", max_size=12)
MARKS = st.sampled_from(["a", "-", ", ", "ab", "\u00a0"])

TEXT_FUNCTIONS: dict[str, Callable[[str, str], Any]] = {
    "t | split(s)": lambda t, s: t.split(s),
    "t | split(s, 1)": lambda t, s: t.split(s, 1),
    "t | split": lambda t, s: t.split(),
    "t | words": lambda t, s: t.split(),
    "t | squeeze": lambda t, s: re.sub(r"\s+", " ", t).strip(),
    "t | lstrip": lambda t, s: t.lstrip(),
    "t | rstrip(s)": lambda t, s: t.rstrip(s),
    "t | upper_first": lambda t, s: "".join(c if n else c.upper() for n, c in enumerate(t)),
    "t | lower_first": lambda t, s: "".join(c if n else c.lower() for n, c in enumerate(t)),
    "t | unescape_html": lambda t, s: html.unescape(t),
    "t | regex_findall('a+')": lambda t, s: re.findall("a+", t),
    "t | regex_replace('(a)(b)', '\\\\2\\\\1')": lambda t, s: t.replace("ab", "ba"),
    "t | matches('b')": lambda t, s: "b" in t,
}


@pytest.mark.parametrize("text", TEXT_FUNCTIONS)
def test_text_filters_give_what_python_gives(text: str) -> None:
    @FEW
    @given(TEXTS, MARKS)
    def agree(t: str, s: str) -> None:
        wanted = [TEXT_FUNCTIONS[text](t, s)]
        by_rows, by_columns = both(text, {"t": t, "s": s})
        assert by_rows == wanted
        assert by_columns in (wanted, None)

    agree()


ITEMS = st.lists(st.sampled_from(["a", "b", "", "c"]) | st.integers(0, 3), max_size=6)


@FEW
@given(ITEMS)
def test_most_frequent_values_are_those_that_no_other_outnumbers(items: list[Any]) -> None:
    found, _ = both("v | most_frequent", {"v": items})
    wanted = [v for v in items if all(items.count(w) <= items.count(v) for w in items)]
    assert found == [list(dict.fromkeys(wanted))]


@FEW
@given(ITEMS, ITEMS)
def test_filters_of_lists_keep_every_item(first: list[Any], second: list[Any]) -> None:
    row = {"x": first, "y": second}
    assert both("[x, y] | flatten", row)[0] == [first + second]
    assert both("x | enumerate(2)", row)[0] == [[(n + 2, item) for n, item in enumerate(first)]]
    pairs = list(zip(first, second, strict=False))
    equal = len(first) == len(second)
    assert both("x | zip(y)", row)[0] == ([pairs] if equal else None)


@FEW
@given(ITEMS, st.sampled_from(["a", "c", 0, 3]))
def test_an_index_is_that_of_the_first_equal_item(items: list[Any], value: Any) -> None:
    wanted = next(([n] for n, item in enumerate(items) if item == value), None)
    assert both("x | index(v)", {"x": items, "v": value})[0] == wanted
    as_option = [value] if isinstance(value, int) else wanted
    assert both("v | option_index(x)", {"x": items, "v": value})[0] == as_option


@pytest.mark.parametrize(
    ("value", "place"),
    [(1.0, 1), (True, 1), ("2", 2), ("002", 2), ("\u0662", 2), ("b", 1), ("-1", None), (1.5, None),
     (-1, None), ("", None), (None, None)],
)  # fmt: skip
def test_option_indexes_are_whole_numbers_or_texts_of_options(value: Any, place: Any) -> None:
    found, _ = both("v | option_index(['a', 'b', 'c'])", {"v": value})
    assert found == (None if place is None else [place])


@pytest.mark.parametrize(
    ("table", "value", "found"),
    [({"A": 0}, "A", [0]), ({"A": 0}, "a", None), ({1: "x"}, 1.0, ["x"]), ({"A": None}, "A", [None]),
     ({"A": 0}, ["A"], None)],
)  # fmt: skip
def test_a_value_outside_its_table_drops_the_row(table: Any, value: Any, found: Any) -> None:
    assert both("v | lookup(table)", {"v": value, "table": table})[0] == found


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0th"), (1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"),
     (13, "13th"), (21, "21st"), (111, "111th"), (1013, "1013th"), (122, "122nd"), (-1, "-1st"),
     (-12, "-12th"), (3.0, "3rd"), ("22", "22nd"), (1.7, None), ("1.7", None), ("x", None)],
)  # fmt: skip
def test_ordinals_of_whole_numbers(value: Any, text: str | None) -> None:
    assert both("v | ordinal", {"v": value})[0] == (None if text is None else [text])


@FEW
@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_formatted_as_python_formats_them(value: float) -> None:
    assert both("v | number", {"v": value})[0] == [f"{value:,}"]
    assert both("v | number('.2f')", {"v": repr(value)})[0] == [f"{float(repr(value)):.2f}"]


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "1e999", "", "one"])
def test_a_text_that_is_no_finite_number_has_no_number(text: str) -> None:
    assert both("v | number", {"v": text}) == (None, None)
    with pytest.raises(RowError):
        compile_expression("v | number('.1f')")({"v": text})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(CHARACTERS, max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=2), v, max_size=3),
    max_leaves=8,
)  # fmt: skip


@FEW
@given(JSON)
def test_json_texts_are_read_back(value: Any) -> None:
    row = {"v": value, "t": json.dumps(value)}
    assert both("v | tojson", row)[0] == [json.dumps(value, ensure_ascii=False)]
    assert both("t | fromjson", row)[0] == [value]
    assert both("v | tojson(2) | fromjson", row)[0] == [value]


def test_json_texts_are_read_as_rows_are() -> None:
    assert both("(t | fromjson).x is none", {"t": '{"x": NaN}'}) == ([True], [True])
    assert both("(t | fromjson).x | default('d', true)", {"t": '{"x": NaN}'})[0] == ["d"]
    with pytest.raises(RowError, match="two keys of the JSON text are 'a'"):
        compile_expression("t | fromjson")({"t": '{"a": 1, "b": {"a": 1, "a": 2}}'})


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_a_number_that_json_lacks_drops_the_row(value: Any) -> None:
    assert both("v | tojson", {"v": value}) == (None, None)


@FEW
@given(st.text(CHARACTERS, min_size=1, max_size=9), st.data())
def test_spans_include_their_end(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text) - 1))
    row = {"t": text, "v": [{"start": start, "end": end}, {"start": 0.0, "end": 0.0}]}
    assert both("v | spans(t)", row)[0] == [
        ["".join(text[n] for n in range(start, end + 1)), text[0]]
    ]


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [("born in 1815", r"\d+", "1815"), ("born in 1815", r"in (\d)(\d)", "1"), ("none", r"\d", None),
     ("a", "(", None), ("a", "(b)?a", None)],
)  # fmt: skip
def test_a_search_gives_its_first_group(text: str, pattern: str, found: str | None) -> None:
    by_rows, by_columns = both("t | regex_search(p)", {"t": text, "p": pattern})
    assert by_rows == (None if found is None else [found])
    assert by_columns in (by_rows, None)


def test_filters_that_print_python_or_draw_are_left_out() -> None:
    for name in LEFT_OUT_FILTERS:
        with pytest.raises(FlancompileError) as caught:
            compile_expression(f"v | {name}")
        assert caught.value.code == "FC104"
    assert not {*LEFT_OUT_FILTERS} & {*environment().filters}
    assert not {*LEFT_OUT_TESTS} & {*environment().tests}
    assert {*FILTERS} <= {*environment().filters}
