"""Programs of styles against the renderer that goes by row."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.programs import (
    Constant,
    apply_filters,
    program_of,
    template_form,
)
from flancompile.compiler.columns.ropes.ropes import Program
from flancompile.compiler.render.layout import (
    EXEMPLAR_SLOTS,
    EXEMPLARS,
    INSTRUCTION,
    QUERY,
    block_parts,
    gold_parts,
    gold_text,
    option_block,
    prompt_parts,
    prompt_pieces,
)
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle

LIBRARY, _ = load_library([])
TEXTS = ['He said "no"', "Two\nlines", " née 東京 ", "{{ input }}", "it's", "0", "a \ue0000\ue000"]
WHOLE = st.sampled_from(TEXTS)


def text_of(program: Program, slots: dict[int, str]) -> str | None:
    """The one text of a program; None where it does not fit."""
    line = np.zeros((1, max(slots) + 1), np.int64)
    fragments = Fragments()
    line[0, list(slots)] = fragments.intern(pa.array(list(slots.values()), pa.string()))
    at, texts = fragments.concatenate_resolved(
        [program], np.zeros(1, np.int64), line, None, apply_filters
    )
    return fragments.texts(texts).to_pylist()[0] if len(at) else None


def options_agree(style: OptionStyle, texts: list[str], gold: int) -> None:
    block, said = program_of(block_parts, style, len(texts)), program_of(gold_parts, style, gold)
    assert block is not None
    assert said is not None
    assert text_of(block, dict(enumerate(texts))) == option_block(style, texts)
    assert text_of(said, {0: texts[gold]}) == gold_text(style, texts, gold)


def prompts_agree(
    style: ShotsStyle,
    shots: list[tuple[str, str, str | None]],
    query: str,
    instruction: str | None,
) -> None:
    explained = sum(1 << n for n, (_, _, why) in enumerate(shots) if why is not None)
    program = program_of(prompt_parts, style, len(shots), instruction is not None, explained)
    assert program is not None
    slots = {QUERY: query, INSTRUCTION: instruction or ""}
    for n, shot in enumerate(shots):
        slots |= {
            EXEMPLARS + len(EXEMPLAR_SLOTS) * n + i: text or "" for i, text in enumerate(shot)
        }
    assert text_of(program, slots) == "".join(prompt_pieces(style, shots, query, instruction))


@pytest.mark.slow
@pytest.mark.parametrize("id_", sorted(LIBRARY.option_styles))
@given(texts=st.lists(WHOLE, min_size=2, max_size=26), data=st.data())
@settings(max_examples=10, deadline=None)
def test_every_option_style_of_the_library_has_programs(
    id_: str, texts: list[str], data: st.DataObject
) -> None:
    gold = data.draw(st.integers(0, len(texts) - 1))
    options_agree(LIBRARY.option_styles[id_], texts, gold)


@pytest.mark.slow
@pytest.mark.parametrize("id_", sorted(LIBRARY.shots_styles))
@given(st.lists(st.tuples(WHOLE, WHOLE, st.none() | WHOLE), max_size=6), WHOLE, st.none() | WHOLE)
@settings(max_examples=10, deadline=None)
def test_every_layout_of_the_library_has_programs(
    id_: str, shots: list[tuple[str, str, str | None]], query: str, instruction: str | None
) -> None:
    prompts_agree(LIBRARY.shots_styles[id_], shots, query, instruction)


FITTING = [
    "{{ label }}{{ text }}{{ text }}",
    "{% if text %}[{{ text }}]{% elif n %}none{% endif %}",
    "{% if label == 'b' %}{{ text | upper }}{% else %}{{ text | upper | replace('E', 'e') }}{% endif %}",
    "{{ n * 2 }}{{ 'x' if letter in 'aeiou' else 'y' }}{{ text | default('', true) }}{{ text|upper }}",
]


@pytest.mark.parametrize("item", FITTING)
def test_constants_may_be_used_in_any_way(item: str) -> None:
    style = OptionStyle(label="{{ letter }}", item=item, gold=item)
    options_agree(style, TEXTS, 3)


UNFIT = [
    "{{ text[0] }}", "{{ text ~ label }}", "{{ text | replace('a', label) }}", "{{ text.upper() }}",
    "{% if text == 'a' %}a{% endif %}", "{% if not text %}a{% endif %}", "{{ text if n else '' }}",
    "{% set t = text %}{{ t }}", "{% filter upper %}{{ text }}{% endfilter %}",
    "{% for c in 'ab' %}{{ text }}{% endfor %}", "{% with t = text %}{{ t }}{% endwith %}",
    "{{ text }}\ue000", "{{ text }}{{ '\\ue000' }}", "{{ text }}{{ unknown }}", "{{ text }}{{ 1 // 0 }}",
]  # fmt: skip


@pytest.mark.parametrize("item", UNFIT)
def test_a_text_that_does_more_has_no_program(item: str) -> None:
    style = OptionStyle(label="{{ letter }}", item=item, gold=item)
    assert program_of(block_parts, style, 2) is None
    assert program_of(gold_parts, style, 1) is None
    shots = ShotsStyle(exemplar=item.replace("text", "input"), zero=item.replace("text", "input"))
    assert program_of(prompt_parts, shots, 2, True, 0) is None
    assert program_of(prompt_parts, shots, 0, True, 0) is None


@pytest.mark.parametrize("value", ["\ue000", "\ue0000\ue000", {"a": "\ue0007\ue000"}, 0xE000])
def test_a_constant_that_prints_a_mark_leaves_no_form(value: object) -> None:
    shown = "{{ topic.a }}" if isinstance(value, dict) else "{{ '%c' % topic }}"
    text = "{{ topic }}{{ field }}" if isinstance(value, str) else shown + "{{ field }}"
    assert template_form(text, ("field",), (("topic", Constant.of(value)),)) is None
    unused = "{{ topic is string }}{{ field }}"
    assert template_form(unused, ("field",), (("topic", Constant.of(value)),)) is not None


def test_a_text_that_is_asked_for_must_be_there() -> None:
    style = ShotsStyle(zero="{% if instruction %}{{ instruction }}: {% endif %}{{ input }}")
    program = program_of(prompt_parts, style, 0, True, 0)
    assert program is not None
    assert text_of(program, {QUERY: "q", INSTRUCTION: "Say"}) == "Say: q"
    assert text_of(program, {QUERY: "q", INSTRUCTION: ""}) is None
    prompts_agree(style, [], "q", None)


def test_filters_that_fail_on_a_text_leave_its_row() -> None:
    style = OptionStyle(item="{{ text | int | list }}", gold="{{ text | tojson }}")
    program = program_of(block_parts, style, 2)
    assert program is not None
    assert text_of(program, {0: "1", 1: "2"}) is None
    assert program_of(gold_parts, style, 0) is not None
