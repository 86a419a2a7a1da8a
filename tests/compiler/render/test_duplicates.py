"""Digests of folded texts: equal where the folded texts are, and only there."""

import math
import random
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.compiler.render import duplicates
from flancompile.compiler.render.duplicates import fold, folded_digests
from flancompile.dsl.jinja.values import compared_key

LETTERS = [
    *"aAbB zZ019 .,-_!?", "é", "É", "e\u0301", "ß", "Σ", "ς", "İ", "ﬁ", "…", "“", "—", "½", "²",
    "漢", "가", "한", "\u0301", "Ж", "ж", "Ⅷ", "\u00a0", "🙂", "𝐀", "µ", "Å", "\u212a", "·", "ª",
    "\u2028",
]  # fmt: skip


def test_digests_are_equal_where_folded_texts_are() -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices(LETTERS, k=chance.randrange(7))) for _ in range(30_000)]
    texts = [t for t in texts if t.strip()]
    digests = folded_digests([pa.array(texts)]).tolist()
    of_text = dict(zip(map(fold, texts), digests, strict=True))
    assert [of_text[fold(t)] for t in texts] == digests
    assert len(set(digests)) == len(of_text) > 10_000


def test_lists_count_as_they_are_printed() -> None:
    lists = [["it's", 'a "b"'], [], ["", "No."], ["x_y", "2"], ["None"]]
    columns = [pa.array(lists, pa.list_(pa.string())), lists]
    assert folded_digests(columns[:1]).tolist() == folded_digests(columns[1:]).tolist()
    odd = [["a\\nb"], ["é"], ["a", None], None]
    assert folded_digests([pa.array(odd)]).tolist() == folded_digests([odd]).tolist()


def test_columns_do_not_run_into_each_other() -> None:
    one = folded_digests([["a b", "a"], ["c", "b c"]])
    assert one[0] != one[1]
    assert len(set(folded_digests([[1, " 1", 1.0], [True, "true", "True"]]).tolist())) == 1


def test_a_null_is_no_text() -> None:
    values = [None, math.nan, "none", "None", "", "null", "nan", [None], ["None"], ["null"], []]
    digests = folded_digests([values]).tolist()
    assert digests[0] == digests[1] and digests[2] == digests[3]
    assert len(set(digests)) == len(values) - 2


EQUAL: list[list[Any]] = [
    [1, 1.0, "1"], [0, 0.0, -0.0, "0"], [-7, -7.0, "-7"], [2**60, float(2**60), str(2**60)], [0.5, "0.5"],
    [True, "True"], [False, "False"], [None, math.nan, math.inf, -math.inf], ["None"], ["null"], ["nan"], [""], [" "],
    ["a"], ["A"], ["1.0"], ["é"], ["e\u0301"], [[]], ["[]"], [{}], ["{}"], [[1, "a"], [1.0, "a"], ["1", "a"]], [["a", 1]],
    [[None]], [["None"]], [[[1], [2]], [[1.0], ["2"]]], [{"k": 1, "l": None}, {"l": math.nan, "k": 1.0}], [{"k": None}],
    [date(2001, 2, 3), "2001-02-03"],
]  # fmt: skip


def test_equal_values_have_one_key_and_others_another() -> None:
    keys = [{compared_key(value) for value in values} for values in EQUAL]
    assert all(len(found) == 1 for found in keys)
    assert len(set.union(*keys)) == len(EQUAL) > 20


def test_digests_of_unlike_agree_with_the_keys() -> None:
    """But for case, white space and Unicode form, which digests fold."""
    apart = [v for v in EQUAL if v[0] not in ("A", "e\u0301", " ", "null", "nan") and v != ["None"]]
    digests = [set(folded_digests([values]).tolist()) for values in apart]
    assert all(len(found) == 1 for found in digests)
    plain = [v for v in apart if not isinstance(v[0], list | dict)]
    assert len(set.union(*(set(folded_digests([v]).tolist()) for v in plain))) == len(plain) > 10


def test_arrow_columns_of_two_types_have_equal_digests() -> None:
    whole, fraction = pa.array([1, None, 3]), pa.array([1.0, None, 3.0])
    text = pa.array(["1", None, "3"])
    found = {tuple(folded_digests([column]).tolist()) for column in (whole, fraction, text)}
    assert len(found) == 1


TEXTS = st.lists(
    st.text(max_size=12) | st.text(" aAß\u00c5A\u030a\u0130ſ\t🙂", max_size=8), max_size=9
)


@given(TEXTS, TEXTS)
def test_few_rows_have_the_digests_of_many(left: list[str], right: list[str]) -> None:
    rows = min(len(left), len(right))
    columns = [left[:rows], right[:rows]]
    few = folded_digests(columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "FEW_BYTES", -1)
        assert folded_digests(columns).tolist() == few.tolist()


def test_each_character_has_one_digest_by_either_function() -> None:
    texts = [chr(c) for c in range(0x20000) if not 0xD800 <= c < 0xE000]
    many = folded_digests([texts])
    parts = [folded_digests([texts[n : n + 2000]]) for n in range(0, len(texts), 2000)]
    assert len(texts) > 100_000 and np.concatenate(parts).tolist() == many.tolist()
