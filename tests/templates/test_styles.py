"""The library's styles: how many there are, that they differ in structure, and that all read well."""

import json
import re
from collections import Counter
from collections.abc import Mapping

import pytest

from flancompile import check
from flancompile.compiler.render.layout import Shot, gold_text, option_block, prompt_pieces
from flancompile.dsl.library.library import builtin_library, load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.lowering.lowerable import why_not

LIBRARY, _ = load_library([])
OPTIONS, SHOTS = LIBRARY.option_styles, LIBRARY.shots_styles
FEW = {i: s for i, s in SHOTS.items() if s.when != "zero"}
ZERO = {i: s for i, s in SHOTS.items() if s.when != "few"}

TEXTS = [
    "yes",
    "It rained, and we stayed in.",
    'He said "no"',
    "Is it so?",
    "a place (or city); a river",
    "Stop!",
    "neither 'this' nor that",
    *(f"number {n} of the rest" for n in range(19)),
]
INSTRUCTION = "Decide with care."
INPUT = "A passage.\n\nIts second part:\n    code = 1\n\nIs it so?\n(A) yes\n(B) no"
SHOT_TEXTS: list[Shot] = [
    (INPUT, "(A) yes", "It says so."),
    ("Short", "no", None),
    ("Two\nlines", "first line\nsecond line", "Two\nreasons."),
]


# What makes two styles the same


def shape(text: str, *, words: bool = True) -> str:
    """The text with letters' case, numbers, runs of punctuation and runs of white space as classes.

    Without `words`, runs of words are one class too, except the slots.
    """
    text = re.sub(r"\d+(?:st|nd|rd|th)?\b", "0", text.lower())
    text = re.sub(r"[^\S\n]*\n\s*", "\n", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?(?:[^\w\s]|_)(?:[^\w\n]|_)*", ".", text)
    if not words:
        text = re.sub(r"\b(?!slot)[^\W\d]+(?: (?!slot)[^\W\d]+)*", "w", text)
    return text


def option_shape(style: OptionStyle) -> tuple[str, str]:
    """(how three options are listed, what is said of the second)."""
    texts = ["slotone", "slottwo", "slotthree"]
    return shape(option_block(style, texts)), shape(gold_text(style, texts, 1))


def item_shape(style: OptionStyle) -> tuple[str, str]:
    """One option and what follows it, whatever the words."""
    bare = style.model_copy(update={"opening": "", "ending": ""})
    texts = ["slotone", "slottwo", "slotthree"]
    return shape(option_block(bare, texts), words=False), shape(gold_text(style, texts, 1))


def few_shape(style: ShotsStyle) -> str:
    """A prompt with two exemplars, one of which is explained."""
    shots: list[Shot] = [("slotin", "slotout", "slotwhy"), ("slotin", "slotout", None)]
    return shape("".join(prompt_pieces(style, shots, "slotin", "slottask")))


def zero_shape(style: ShotsStyle) -> str:
    return shape("".join(prompt_pieces(style, [], "slotin", "slottask")))


def exemplar_shape(style: ShotsStyle) -> str:
    """An exemplar and what parts it from the next, whatever the words."""
    shots: list[Shot] = [("slotin", "slotout", "slotwhy")]
    pieces = prompt_pieces(style, shots, "slotin", None)
    return shape("".join(pieces[1:3]), words=False)


def doubled(shapes: Mapping[str, object]) -> list[list[str]]:
    """Ids of one shape, where there are several."""
    groups: dict[object, list[str]] = {}
    for id_, found in shapes.items():
        groups.setdefault(found, []).append(id_)
    return [ids for ids in groups.values() if len(ids) > 1]


def test_there_are_enough() -> None:
    assert len(OPTIONS) >= 64
    assert len(FEW) >= 104
    assert len(ZERO) >= 40
    assert sum("explained" in s.tags for s in FEW.values()) >= 8
    kinds = Counter(s.tags for s in OPTIONS.values())
    assert set(kinds) == {("label",), ("label_text",), ("text",)}
    assert min(kinds.values()) >= 20


@pytest.mark.slow
def test_they_check_clean() -> None:
    assert check(builtin_library()) == []


def test_all_differ_in_structure() -> None:
    assert doubled({i: option_shape(s) for i, s in OPTIONS.items()}) == []
    assert doubled({i: few_shape(s) for i, s in FEW.items()}) == []
    assert doubled({i: zero_shape(s) for i, s in ZERO.items()}) == []


def test_each_brings_a_part_of_its_own() -> None:
    """What introduces or ends a block in words is never used again, the rest a few times.

    Otherwise old openings, items and endings could be multiplied with each other.
    """
    framing = [(s.opening, s.ending) for s in OPTIONS.values()]
    blocks = [t for pair in framing for t in {shape(text).strip(" .\n") for text in pair}]
    prompts = [shape(s.opening.replace("{{ instruction }}", "")) for s in FEW.values()]
    for frames in (blocks, prompts):
        frames = [re.sub(r"\.?(if instruction|endif)\.", "", text).strip(" .\n") for text in frames]
        prose = Counter(t for t in frames if len(t.split()) > 2)
        assert [text for text, times in prose.items() if times > 1] == []
        short = Counter(t for t in frames if 0 < len(t.split()) <= 2)
        assert max(short.values()) <= 4, short.most_common(3)
    items = Counter(item_shape(s) for s in OPTIONS.values())
    exemplars = Counter(exemplar_shape(s) for s in FEW.values())
    for parts in (items, exemplars):
        assert max(parts.values()) <= 5, parts.most_common(3)
        assert len(parts) >= 0.7 * parts.total()


@pytest.mark.parametrize(
    ("old", "new"),
    [("LETTER", "letter"), (")", "]"), ("}}.", "}} -"), ("- ", "+ "), ("\n", "\n\n"), (":", ">")],
)
def test_a_permutation_is_no_style_of_its_own(old: str, new: str) -> None:
    """Other brackets, bullets, separators or letters' case change no shape."""
    changed = 0
    for style in OPTIONS.values():
        texts = {n: getattr(style, n) for n in ("label", "item", "gold", "opening", "ending")}
        if any(
            "{%" in t or "|" in t or "[n" in t or "=" in t or " if " in t for t in texts.values()
        ):
            continue  # code of their own
        other = style.model_copy(update={n: t.replace(old, new) for n, t in texts.items()})
        changed += other != style
        assert option_shape(other) == option_shape(style)
    assert changed


@pytest.mark.parametrize(("old", "new"), [("\n\n", "\n"), ("\n\n", "\n\n\n"), (":", " -")])
def test_nor_is_a_layout_s(old: str, new: str) -> None:
    changed = 0
    for style in FEW.values():
        texts = {n: getattr(style, n) for n in ("exemplar", "query")}
        if any("|" in t or "{%" in t or '"' in t for t in texts.values()):
            continue
        parts = {**texts, "separator": style.separator}
        other = style.model_copy(update={n: t.replace(old, new) for n, t in parts.items()})
        changed += other != style
        assert few_shape(other) == few_shape(style)
    assert changed


def test_none_is_rendered_row_by_row() -> None:
    styles = (*OPTIONS.values(), *SHOTS.values())
    texts = [t for s in styles for t in s.model_dump().values() if isinstance(t, str)]
    assert [t for t in texts if why_not(t) is not None] == []


# Options


def shown(style: OptionStyle, text: str) -> list[str]:
    """The forms in which a listing may hold an option's text."""
    return [text, json.dumps(text)[1:-1], text.replace("'", "''"), text.replace('"', '""')]


@pytest.mark.parametrize("count", [2, 3, 5, 26])
@pytest.mark.parametrize("id_", OPTIONS)
def test_an_option_block_reads_well(id_: str, count: int) -> None:
    style, texts = OPTIONS[id_], TEXTS[:count]
    block = option_block(style, texts)
    assert block == block.rstrip()
    assert not block.startswith("\n")
    assert not re.search(r"[ \t]$", block, re.MULTILINE)
    assert "\n\n\n" not in block
    assert not re.search(r"\b(both|neither of|two of)\b", style.opening + style.ending)
    for text in texts:
        place = max(block.find(t) + len(t) for t in shown(style, text) if t in block)
        after = block[place : place + 3]
        assert not re.match(r"[.,;:!?]|[\"'”»)\]]+\.", after), after
    if "," in style.separator:  # what commas part is quoted
        assert re.match(r"\W+[\"“«']|[\"“«']", block[block.index(texts[1]) - 1 :])


@pytest.mark.parametrize("id_", OPTIONS)
def test_gold_is_what_its_kind_says(id_: str) -> None:
    style = OPTIONS[id_]
    (kind,) = style.tags
    block = option_block(style, TEXTS).lower()
    golds = [gold_text(style, TEXTS, n) for n in range(26)]
    assert len(set(golds)) == 26
    assert all(g and g == g.strip() for g in golds)
    for text, gold in zip(TEXTS, golds, strict=True):
        assert (gold == text) == (kind == "text")
        assert any(t in gold for t in shown(style, text)) == (kind != "label")
        if kind == "label":  # seen in the listing, whole or by its last part
            assert gold.lower() in block or re.split(r"[./]", gold)[-1].lower() in block
    if kind == "text":
        assert not re.search(r"\b(letter|label|key)\b", f"{style.opening} {style.ending}".lower())
    else:
        alone = {"item": "{{ label }}", "separator": "\n", "opening": "", "ending": ""}
        labels = option_block(style.model_copy(update=alone), TEXTS).split("\n")
        assert "" not in labels
        assert len(set(labels)) == 26


# Layouts


def prompts(style: ShotsStyle, instruction: str | None) -> list[tuple[str, list[Shot]]]:
    """A layout's prompts with 0, 1 and 3 exemplars, as far as it serves them."""
    found = []
    for count in (0, 1, 3):
        if style.when != ("few" if count == 0 else "zero"):
            shots = SHOT_TEXTS[:count]
            found.append(("".join(prompt_pieces(style, shots, INPUT, instruction)), shots))
    assert found
    return found


@pytest.mark.parametrize("instruction", [None, INSTRUCTION, "First line.\n\nSecond line."])
@pytest.mark.parametrize("id_", SHOTS)
def test_a_prompt_reads_well(id_: str, instruction: str | None) -> None:
    style = SHOTS[id_]
    for prompt, shots in prompts(style, instruction):
        assert not re.search(r"[ \t]$", prompt, re.MULTILINE), "white space at a line's end"
        assert not prompt.startswith("\n")
        assert "\n\n\n" not in prompt or "\n\n\n" in style.separator
        lines = [line.strip() for line in prompt.splitlines()]
        for text in (INPUT, *(t for shot in shots for t in shot[:2])):
            # each of its lines is seen, in order, whatever stands before or after it
            wanted = iter(lines)
            for line in text.strip().splitlines():
                assert any(line.strip() in seen for seen in wanted)
        if instruction is not None:
            first = instruction.splitlines()[0]
            assert sum(first in line for line in lines) == 1
        if shots and "explained" in style.tags:
            assert "It says so." in prompt
        assert ("It says so." in prompt) == bool(shots and "explained" in style.tags)


@pytest.mark.parametrize("id_", FEW)
def test_a_prompt_ends_as_exemplars_do_before_their_targets(id_: str) -> None:
    style = FEW[id_]
    shots: list[Shot] = [("slotin", "slotout", None)]
    opening, exemplar, _, query = prompt_pieces(style, shots, "slotin", None)
    before = exemplar.partition("slotin")[2].partition("slotout")[0]
    end = query.partition("slotin")[2]
    if "explained" not in style.tags:
        assert "slotwhy" not in exemplar
    numbers = re.compile(r"\d+")
    assert numbers.sub("0", end) in (numbers.sub("0", before), numbers.sub("0", before.rstrip()))
    if style.when == "any":
        alone = "".join(prompt_pieces(style, [], "slotin", None)).partition("slotin")[2]
        assert alone.strip() == end.strip()
    assert opening == "" or opening[-1] in "\n "


def is_heading(line: str) -> bool:
    return bool(re.match(r"#+ |=+ |\[\w+\]$", line)) or line.endswith(":") or line.isupper()


TITLES = ("EXAMINATION PAPER",)  # of a whole prompt, not of its instruction


@pytest.mark.parametrize("id_", SHOTS)
def test_a_heading_goes_with_its_instruction(id_: str) -> None:
    style = SHOTS[id_]
    pairs = zip(prompts(style, INSTRUCTION), prompts(style, None), strict=True)
    for (given, _), (absent, _) in pairs:
        before, after = given.split(INSTRUCTION)
        same = before.rpartition("\n")[2]
        above = before.rstrip().rpartition("\n")[2]
        heading = same or above
        if heading and (same or is_heading(heading)) and heading not in TITLES:
            rest = after.partition("\n")[0].strip()
            assert (same and rest) or heading not in absent.splitlines()
        if not same and "{% else %}" not in style.zero + style.opening:
            assert set(absent.splitlines()) <= set(given.splitlines()), "lines run together"


@pytest.mark.parametrize("id_", [i for i, s in FEW.items() if "explained" in s.tags])
def test_an_exemplar_without_a_reason_shows_no_slot_for_it(id_: str) -> None:
    style = FEW[id_]
    whole: list[Shot] = [("slotin", "slotout", "slotwhy")]
    lacking: list[Shot] = [("slotin", "slotout", None)]
    with_reason = prompt_pieces(style, whole, "slotin", None)[1]
    without = prompt_pieces(style, lacking, "slotin", None)[1]
    assert without.endswith("slotout")
    assert with_reason.startswith(without)
    assert "slotwhy" in with_reason
