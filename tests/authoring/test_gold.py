"""How a column names the right option, tried on rows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.authoring.gold import Gold, gold_of
from flancompile.dsl.jinja.expression import RowError, compile_expression

WORDS = ["red", "blue", "grey", "green"]


def chosen(gold: Gold, row: dict[str, Any]) -> int:
    """Index of the right option of a row, by the expressions of a file's `choices`."""
    listed = compile_expression(gold.labels or gold.options)(row)
    value = compile_expression(gold.gold)(row)
    if gold.by == "index":
        assert isinstance(value, int)
        return value
    assert isinstance(listed, list)
    return [str(one) for one in listed].index(str(value))


FORMS: dict[str, Any] = {  # right index -> the column's value
    "text": lambda i: WORDS[i],
    "index": lambda i: i,
    "index as text": lambda i: f" {i}",
    "index from 1": lambda i: i + 1,
    "letter": lambda i: "ABCD"[i],
    "small letter": lambda i: f"{'abcd'[i]} ",
    "numbered word": lambda i: f"option{i}",
    "numbered word from 1": lambda i: f"opt_{i + 1}",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_right_option_is_found_by_each_form(form: str) -> None:
    rights = [0, 3, 1, 2, 0, 3]
    rows = [{"opts": WORDS, "ans": FORMS[form](i)} for i in rights]
    gold = gold_of(rows, "opts", "ans")
    assert gold is not None
    assert [chosen(gold, row) for row in rows] == rights


@pytest.mark.parametrize("shape", ["list of maps", "map of lists"])
def test_labels_beside_the_options(shape: str) -> None:
    def options(n: int) -> Any:
        texts, labels = [f"t{n}", f"u{n}"], ["P", "Q"]
        pairs = [{"text": t, "label": k} for t, k in zip(texts, labels, strict=True)]
        return pairs if shape == "list of maps" else {"text": texts, "label": labels}

    rows = [{"o": options(n), "a": "PQ"[n % 2]} for n in range(6)]
    gold = gold_of(rows, "o", "a")
    assert gold is not None and gold.by == "label" and gold.labels is not None
    assert [chosen(gold, row) for row in rows] == [0, 1] * 3
    assert [line.split(": ")[0] for line in gold.lines()] == ["options", "labels", "gold", "by"]


def test_labels_that_are_no_list_name_no_option() -> None:
    rows = [{"o": {"text": ["x", "y"], "label": "xy"}, "a": "xy"[n % 2]} for n in range(4)]
    assert gold_of(rows, "o", "a") == Gold("o.text", "a", "text")


def test_one_row_in_ten_may_differ() -> None:
    rows = [{"o": ["x", "y"], "a": "x"}] * 9
    assert gold_of([*rows, {"o": ["x", "y"], "a": "z"}], "o", "a") == Gold("o", "a", "text")
    assert gold_of([*rows[:8], {"o": ["x", "y"], "a": "z"}], "o", "a") is None


def test_the_form_that_fits_most_rows_is_taken() -> None:
    """The index from 0 fits 11 rows of 12, the index from 1 all."""
    rows = [{"o": ["x", "y", "z"], "a": 1 + n % 2} for n in range(11)] + [
        {"o": ["x", "y", "z"], "a": 3}
    ]
    assert gold_of(rows, "o", "a") == Gold("o", "a | int - 1", "index")


@pytest.mark.parametrize(
    "row",
    [
        {"o": ["x", "y"], "a": "it is x"},
        {"o": ["x"], "a": "x"},
        {"o": "xy", "a": "x"},
        {"o": None, "a": "x"},
        {"o": [["x"], ["y"]], "a": 0},
        {"o": ["x", "y"], "a": None},
        {"o": ["x", "y"], "a": ""},
        {"o": ["x", "y"], "a": -1},
        {"o": ["x", "y"], "a": 3},
        {"o": ["x", "y"], "a": "0.5"},
        {"o": ["x", "y"], "a": "C"},
        {"o": ["x", "y"]},
    ],
)
def test_rows_that_name_no_option(row: dict[str, Any]) -> None:
    assert gold_of([row] * 3, "o", "a") is None


def test_no_rows_name_no_option() -> None:
    assert gold_of([], "o", "a") is None


def test_a_gold_with_quotes_is_quoted_in_yaml() -> None:
    gold = gold_of([{"o": ["x", "y"], "a": "B"}], "o", "a")
    assert gold is not None
    assert gold.lines()[0] == "options: o"
    assert gold.lines()[1].startswith("gold: '\"ABC") and gold.lines()[1].endswith("'")


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["0", "1", "2", "A", "b", "x1", ""]), max_size=4),
            st.one_of(
                st.integers(-1, 4), st.sampled_from(["0", "1", "A", "b", "x1", "é", "²"]), st.none()
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_inferred_names_an_option_of_nine_rows_in_ten(
    given_rows: list[tuple[list[str], Any]],
) -> None:
    rows = [{"o": options, "a": answer} for options, answer in given_rows]
    gold = gold_of(rows, "o", "a")
    if gold is None:
        assert not all(len(o) > 1 and str(a) in o for o, a in given_rows)
        return
    fitting = 0
    for row in rows:
        try:
            fitting += 0 <= chosen(gold, row) < len(row["o"])
        except (RowError, ValueError):
            continue
    assert fitting >= 0.9 * len(rows)
