"""Indexes and arguments from a row: null and negative ones drop the row, literals do not."""

import inspect
import re
from typing import Any

import pytest
from expressions import both

from flancompile.dsl.jinja.environment import environment
from flancompile.dsl.jinja.expression import compile_expression
from flancompile.dsl.jinja.values import NullValueError

INDEXED = ["['a', 'b', 'c'][i]", "xs[i]", "t[i]", "xs[i:]", "xs[:i]", "t[0:i]", "xs[i - 1 + 1]",
           "xs[[i, 0] | first]", "xs[i | int]", "xs[::i]", "xs[i if true else 0]",
           "xs[i | option_index(xs)]", "i | option_index(xs)", "[{'start': i, 'end': 1}] | spans(t)"]  # fmt: skip


@pytest.mark.parametrize("text", INDEXED)
@pytest.mark.parametrize("i", [-1, -2, -7])
def test_a_negative_index_from_a_row_is_refused(text: str, i: int) -> None:
    row = {"xs": ["p", "q", "r"], "t": "stu", "i": i}
    assert both(text, row) == (None, None)
    assert both(text, row | {"i": 1})[0] is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [("xs[-1]", "r"), ("xs[-2:]", ["q", "r"]), ("xs[:-1]", ["p", "q"]), ("xs[::-1]", ["r", "q", "p"]),
     ("t[-1]", "u"), ("xs[-1 if i else 0]", "r"), ("xs[-i]", "r"), ("xs[-i:]", ["r"]), ("xs[1 - 2]", "r"),
     ("{-1: 'x'}[0 - i]", "x"), ("xs | index('r')", 2), ("xs[xs | index('r')]", "r")],
)  # fmt: skip
def test_a_written_negative_index_counts_from_the_end(text: str, found: Any) -> None:
    assert both(text, {"xs": ["p", "q", "r"], "t": "stu", "i": 1}) == ([found], [found])


NULL_BOUND = ["xs[i:]", "xs[:i]", "xs[0:i]", "t[i:]", "t[::i]", "t[:i | default(none)]", "t | split(i)",
              "t | trim(i)", "t | lstrip(i)", "t | rstrip(i)"]  # fmt: skip


@pytest.mark.parametrize("text", NULL_BOUND)
def test_a_null_bound_or_separator_from_a_row_is_refused(text: str) -> None:
    row = {"xs": ["p", "q", "r"], "t": "stu", "i": None}
    assert both(text, row) == (None, None)
    with pytest.raises(NullValueError):
        compile_expression(text)(row)


# Arguments of filters and methods: each in turn from a row, as a value of its kind and as a null.

PEOPLE = [{"k": "a", "n": 1}, {"k": "b", "n": 2}]
OVER = {
    "groupby": PEOPLE, "unique": ["a", "b"], "max": ["a", "b"], "min": ["a", "b"],
    **{name: [[1, 2], [3, 4]] for name in ("batch", "enumerate", "index", "slice", "sort", "sum")},
    "join": ["a", "b"],
    "dictsort": {"b": 1, "a": 2}, "int": "12", "float": "1.5", "round": 2.75, "number": 1234.5,
    "lookup": "k", "option_index": "k", "spans": [{"start": 0, "end": 1}], "tojson": {"a": 1},
}  # fmt: skip
FITTING = {
    "attribute": 0, "base": 10, "blank": True, "boolean": True, "break_long_words": True,
    "break_on_hyphens": True, "by": "key", "case_sensitive": True, "chars": "a", "count": 1, "d": "-",
    "end": ".", "fill_with": "x", "first": True, "form": ".1f", "indent": 1, "killwords": True,
    "leeway": 0, "length": 3, "limit": 1, "linecount": 2, "method": "ceil", "new": "x", "old": "a",
    "options": ["k"], "pattern": "a", "precision": 1, "replacement": "b", "reverse": True,
    "separator": " ", "slices": 2, "start": 0, "table": {"k": 1}, "text": "abc", "width": 5,
    "wrapstring": "|", "default": 1, "default_value": 1, "value": [1, 2],
}  # fmt: skip
MAY_BE_NULL = {("index", "value"), ("default", "default_value"), ("float", "default"),
               ("int", "default")}  # fmt: skip


def arguments() -> list[tuple[str, str]]:
    """(filter, parameter) of all filters, but for their values."""
    found = []
    for name, function in environment().filters.items():
        parameters = [
            p.name for p in inspect.signature(function).parameters.values()
            if p.name not in ("environment", "env", "eval_ctx", "context")
            and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]  # fmt: skip
        found += [(name, parameter) for parameter in parameters[1:]]
    return found


def called_with(name: str, parameter: str, *, named: bool) -> str:
    """A call whose parameter is `v`; the others up to it and the needed ones have fitting values."""
    required = {"groupby": 1, "replace": 2, "regex_replace": 2}.get(name, 0)
    names = [p for n, p in arguments() if n == name]
    names = names[: max(names.index(parameter) + 1, required)]
    own = {"attribute": "'n'"} if name == "groupby" else {}
    values = {p: own.get(p, repr(FITTING[p])) for p in names} | {parameter: "v"}
    given = [f"{p}={v}" if named else v for p, v in values.items()]
    return f"o | {name}({', '.join(given)})" + (" | list" if name in GIVES_LISTS else "")


GIVES_LISTS = ("batch", "slice", "unique", "groupby", "selectattr", "rejectattr", "enumerate")


@pytest.mark.parametrize(("name", "parameter"), arguments())
@pytest.mark.parametrize("named", [False, True])
def test_a_null_argument_from_a_row_drops_the_row(name: str, parameter: str, named: bool) -> None:
    text = called_with(name, parameter, named=named)
    fitting = "n" if name == "groupby" and parameter == "attribute" else FITTING[parameter]
    row = {"o": OVER.get(name, "a b a"), "v": fitting}
    assert both(text, row)[0] is not None
    if (name, parameter) not in MAY_BE_NULL:
        assert both(text, row | {"v": None}) == (None, None), text


TEXT_METHODS = ["split(v)", "split(sep=v)", "rsplit(v)", "strip(v)", "lstrip(v)", "rstrip(v)",
                "split(' ', maxsplit=v | int(none))"]  # fmt: skip


@pytest.mark.parametrize("call", TEXT_METHODS)
def test_a_null_argument_of_a_text_s_method_drops_the_row(call: str) -> None:
    assert both(f"'a b'.{call}", {"v": None}) == (None, None)
    assert both("'a b'.split(none, 1)", {})[0] == [["a", "b"]]


ARGUMENTS_IN_ROWS = [
    "o | map(attribute=v) | list", "o | join('-', attribute=v)", "o | join('-', v)",
    "o | sort(attribute=v)", "o | sort(false, false, v)", "o | groupby(v)", "o | max(attribute=v)",
    "o | groupby(attribute=v)", "o | selectattr(v) | list", "o | rejectattr(v, 'eq', 1) | list",
    "o | min(attribute=v)", "o | unique(attribute=v) | list", "o | sum(attribute=v)", "o | sum(v)",
]  # fmt: skip


@pytest.mark.parametrize("text", ARGUMENTS_IN_ROWS)
def test_a_negative_attribute_from_a_row_drops_the_row(text: str) -> None:
    row = {"o": [[1, 2], [3, 4]]}
    assert both(text, row | {"v": 1})[0] is not None
    for value in (-1, -2, -1.0, None):
        assert both(text, row | {"v": value}) == (None, None)
    written = re.sub(r"\bv\b", "-1", text)
    assert both(written, row)[0] == both(text, row | {"v": 1})[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [("v | default(w)", None), ("[v, 1] | select('eq', v) | list", [None]),
     ("[1, v] | index(v)", 1), ("[v] | map('default', w) | list", [None]),
     ("{'a': 1}.get('b', v)", None), ("v is eq w", True),
     ("[{'a': v}] | selectattr('a', 'eq', w) | list | length", 1), ("'x' | int(v)", None)],
)  # fmt: skip
def test_an_argument_that_is_a_value_may_be_null(text: str, found: Any) -> None:
    assert both(text, {"v": None, "w": None})[0] == [found]


def test_bounds_that_are_left_out_or_written_as_none_take_all() -> None:
    for text in ("t[:]", "t[none:]", "t[:none]", "t | trim", "t | split"):
        assert both(text, {"t": "stu"})[0] in (["stu"], [["stu"]])
