"""Small lists of examples and their packs, drawn token by token, as fixture pairs.

A case of packs.txt has the recipe's `layout`, `lengths`, `frame` and `packing`, and the examples in
the mixture's order: a letter with the lengths of its spans, without and with loss in turn. A pack is
drawn as its rows of tokens, segment ids, positions (0 to 9, then a to z) and loss. Tokens of a
prompt are the example's letter, those of a target the capital; `<` begins an example, `|` follows a
prompt, `>` ends a target, and `.` is padding. The packs' own order, a draw, is left out: they are
drawn by their first example.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fixture_pairs import Pair, pairs

from flancompile.compiler.packing.pack import PackPlan, pack
from flancompile.compiler.special_tokens import NONE, FrameIds, framed
from flancompile.store.expand import expand
from flancompile.store.loss_spans import LossSpans

PAIRS = pairs(Path(__file__).parent)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def frame_of(layout: Any, frame: dict[str, bool]) -> FrameIds:
    """The frame whose ids are the characters that are drawn."""
    before = ord("<") if frame.get("bos") else NONE
    after = ord(">") if frame.get("eos") else NONE
    join = ord("|") if frame.get("join") else NONE
    return FrameIds(layout, before, join, after)


def spans_of(examples: dict[str, list[int]]) -> LossSpans:
    counts = [0, *(len(spans) for spans in examples.values())]
    return LossSpans(
        np.array([n for s in examples.values() for n in s], np.int64), np.cumsum(counts)
    )


def texts_of(
    examples: dict[str, list[int]], content: LossSpans, frame: FrameIds
) -> list[list[str]]:
    """The framed tokens of each example as text: of the whole, or of its input and its target."""
    flat = np.array(
        [
            ord(letter.upper() if place % 2 else letter)
            for letter, spans in examples.items()
            for place, count in enumerate(spans)
            for _ in range(count)
        ]
    )
    starts = np.cumsum([0, *content.sides.sum(axis=1)])[:-1]
    whole = "".join(map(chr, framed(flat, starts, content, frame)))
    found, at = [], 0
    for inputs, targets in frame.loss_spans(content).sides.tolist():
        both = whole[at : at + inputs + targets]
        found.append([both] if frame.layout == "decoder" else [both[:inputs], both[inputs:]])
        at += inputs + targets
    return found


def drawn(
    plan: PackPlan, texts: list[list[str]], arrays: dict[str, Any], lengths: dict[str, int]
) -> str:
    """The packs, each side of a pack as its rows."""
    lines = []
    for number in sorted(range(len(plan)), key=lambda n: plan.items[plan.offsets[n]]):
        items = plan.items[plan.offsets[number] : plan.offsets[number + 1]]
        for side, (name, length) in enumerate(lengths.items()):
            head = "" if name == "tokens" else f"{name}_"
            rows = {name: "".join(texts[i][side] for i in items).ljust(length, ".")}
            for part in ("segment_ids", "positions"):
                values = arrays[f"{head}{part}"][number].tolist()
                rows[part.replace("_", " ")] = "".join(DIGITS[v] for v in values)
            loss = arrays.get(f"{head}loss_weights")
            if loss is not None:
                rows["loss"] = "".join("-x"[int(v)] for v in loss[number])
            lines += [f"{label:<11}  {row}" for label, row in rows.items()]
        lines.append("")
    return "\n".join(lines)


def packed(case: dict[str, Any]) -> str:
    """The packs of a case and the certificate, or the message that refuses it."""
    layout, lengths, examples = case["layout"], case["lengths"], case["examples"]
    frame, content = frame_of(layout, case.get("frame", {})), spans_of(examples)
    spans = frame.loss_spans(content)
    sizes = spans.sides if layout == "encoder_decoder" else spans.sides.sum(axis=1)
    capacity = tuple(lengths.values())
    settings = case.get("packing", {})
    try:
        plan = pack(sizes, capacity if len(capacity) > 1 else capacity[0], **settings)
    except ValueError as error:
        return f"ValueError: {error}"
    arrays = expand(layout, lengths, spans.take(plan.items), plan.offsets)
    found = plan.certificate
    fill = " and ".join(f"{100 * part:.0f}%" for part in found.fill)
    end = f"packs: {found.packs}, lower bound: {found.lower_bound}, fill: {fill}, {found.method}"
    return drawn(plan, texts_of(examples, content, frame), arrays, lengths) + end


@pytest.mark.parametrize("pair", PAIRS, ids=[p.name for p in PAIRS])
def test_examples_are_packed(pair: Pair) -> None:
    pair.check("packs", packed(yaml.safe_load(pair.parts["examples"])))


def test_there_are_enough() -> None:
    assert len(PAIRS) >= 12
