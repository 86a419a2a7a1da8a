"""Digests of folded texts: equal where the folded texts are, and only there."""

import random

import pyarrow as pa

from flancompile.compiler.folding import fold, folded_digests

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
    assert folded_digests([[1, " 1"], [None, "none"]]).tolist() == [one_ := int(
        folded_digests([["1"], ["None"]])[0]), one_]  # fmt: skip
