"""Texts of styles over many rows against the row engine, with and without programs."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.styled import styled
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import Grammar
from flancompile.compiler.render.layout import (
    Shot,
    block_parts,
    gold_parts,
    gold_text,
    option_block,
    prompt_parts,
    prompt_pieces,
)
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

LIBRARY, _ = load_library([])
LABEL = "{{ ['one', 'two', 'three'][n - 1] | upper }}"  # none for a fourth option
OPTIONS = [
    *list(LIBRARY.option_styles.values())[:4],
    OptionStyle(label="{{ letter }}", item="{{ label ~ text }}", gold="{{ text[:1] }}{{ label }}"),
    OptionStyle(item="{% for c in text %}{{ c }}.{% endfor %}", opening="{{ count ~ '' }}"),
    OptionStyle(label=LABEL, item="{{ label }}{{ text }}", gold="{{ label }}"),
    OptionStyle(item="{{ 1 // (n - 1) }}{{ text }}"),
    OptionStyle(gold="{{ text | int }}{{ 3 // (text | length) }}"),
]
LAYOUTS = [
    *list(LIBRARY.shots_styles.values())[:4],
    ShotsStyle(exemplar="{{ input ~ n }}={{ target }}\n{{ explanation }}", zero="{{ input[:3] }}"),
    ShotsStyle(query="{% if input == 'a' %}A{% else %}{{ input }}{{ count }}{% endif %}"),
    ShotsStyle(exemplar="{{ 7 // (input | length) }}{{ target }}{{ explanation or '-' }}"),
]
TEXTS = st.text("ab\n é{}'", max_size=4)


def rendered(
    grammar: Grammar, rows: Sequence[tuple[tuple[object, ...], list[str]]]
) -> list[str | None]:
    """Texts of rows of (arguments of the grammar, texts of its slots); None where not sure."""
    fragments = Fragments()
    most = max(len(texts) for _, texts in rows)
    slots = np.zeros((len(rows), most), np.int64)
    for row, (_, texts) in enumerate(rows):
        slots[row, : len(texts)] = fragments.intern(pa.array(texts, pa.string()))
    distinct = list(dict.fromkeys(arguments for arguments, _ in rows))
    of = np.array([distinct.index(arguments) for arguments, _ in rows])
    found, fallback = styled(fragments, grammar, distinct, of, slots)
    texts = fragments.texts(found).to_pylist()
    return [None if u else t for t, u in zip(texts, fallback.tolist(), strict=True)]


def agree(found: list[str | None], expected: list[str | None]) -> None:
    """Sure texts are those of the row engine, and rows that it drops are not sure."""
    assert len(found) == len(expected)
    assert [f for f, e in zip(found, expected, strict=True) if f is not None and f != e] == []


def block(style: OptionStyle, texts: list[str]) -> str | None:
    try:
        return option_block(style, texts)
    except RowError:
        return None


def gold(style: OptionStyle, texts: list[str], index: int) -> str | None:
    try:
        return gold_text(style, texts, index)
    except RowError:
        return None


def prompt(style: ShotsStyle, shots: list[Shot], query: str, said: str | None) -> str | None:
    try:
        return "".join(prompt_pieces(style, shots, query, said))
    except RowError:
        return None


@given(
    st.lists(
        st.tuples(st.sampled_from(OPTIONS), st.lists(TEXTS, min_size=2, max_size=5)), min_size=1
    )
)
@settings(max_examples=40, deadline=None)
def test_option_blocks_and_golds_are_those_of_rows(
    rows: list[tuple[OptionStyle, list[str]]],
) -> None:
    blocks = rendered(block_parts, [((s, len(texts)), texts) for s, texts in rows])
    agree(blocks, [block(s, texts) for s, texts in rows])
    golds = rendered(gold_parts, [((s, len(t) - 1), t[-1:]) for s, t in rows])
    agree(golds, [gold(s, texts, len(texts) - 1) for s, texts in rows])


SHOT = st.tuples(TEXTS, TEXTS, st.none() | TEXTS)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(LAYOUTS),
            st.lists(SHOT, max_size=3) | st.lists(SHOT, min_size=25, max_size=40),
            TEXTS,
            st.none() | TEXTS,
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_prompts_are_those_of_rows(
    rows: list[tuple[ShotsStyle, list[Shot], str, str | None]],
) -> None:
    given_ = []
    for style, shots, query, said in rows:
        explained = sum(1 << n for n, shot in enumerate(shots) if shot[2] is not None)
        texts = [query, said or "", *(t or "" for shot in shots for t in shot)]
        given_.append(((style, len(shots), said is not None, explained), texts))
    agree(rendered(prompt_parts, given_), [prompt(*row) for row in rows])


def test_a_row_is_sure_unless_it_fails() -> None:
    """Failures of a label, of a constant and of a text leave their own rows alone."""
    texts = ["a", "b", "c", "d"]
    labels, division, length = OPTIONS[-3:]
    rows = [((labels, n), texts[:n]) for n in (2, 3, 4)] + [((division, 2), texts[:2])]
    assert rendered(block_parts, rows) == ["ONEa\nTWOb", "ONEa\nTWOb\nTHREEc", None, None]
    found = rendered(gold_parts, [((length, 0), ["1"]), ((length, 0), [""]), ((labels, 3), ["d"])])
    assert found == ["13", None, None]
