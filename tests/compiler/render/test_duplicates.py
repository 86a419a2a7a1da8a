"""Digests of folded texts: equal where the folded texts are, and only there."""

import math
import random

import pyarrow as pa

from flancompile.compiler.render.duplicates import fold, folded_digests

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
