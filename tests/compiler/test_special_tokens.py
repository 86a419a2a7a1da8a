"""The frame: ids around prompts and targets, against lists put together token by token."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.compiler.special_tokens import NONE, FrameIds, frame_ids, framed
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import FlancompileError
from flancompile.store.loss_spans import LossSpans

BOS, EOS = 1, 2
TOKENS = st.sampled_from([NONE, 7])
FRAMES = st.builds(
    FrameIds, st.just("decoder"), TOKENS, st.sampled_from([NONE, 8]), st.sampled_from([NONE, 9])
)
# Lengths of an example's spans: pairs of a prompt and a target, of which a part may be empty.
EXAMPLES = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=3), max_size=6
)


def naive(ids: list[int], start: int, pairs: list[tuple[int, int]], frame: FrameIds) -> list[int]:
    """The framed ids of one example."""
    out = [frame.before]
    for prompt, target in pairs:
        out += [*ids[start : start + prompt], frame.after_prompt]
        start += prompt
        out += [*ids[start : start + target], frame.after_target]
        start += target
    return [token for token in out if token != NONE]


def spans_of(examples: list[list[tuple[int, int]]]) -> LossSpans:
    edges = np.cumsum([0, *(2 * len(pairs) for pairs in examples)])
    values = [n for pairs in examples for pair in pairs for n in pair]
    return LossSpans(np.array(values, np.int64), edges.astype(np.int64))


@settings(max_examples=60)
@given(EXAMPLES, FRAMES, st.sampled_from([np.uint16, np.uint32]), st.integers(0, 5))
def test_framed_ids_are_put_together_token_by_token(
    examples: list[list[tuple[int, int]]], frame: FrameIds, dtype: Any, gap: int
) -> None:
    content = spans_of(examples)
    sizes = content.sides.sum(axis=1)
    starts = np.cumsum([0, *(sizes + gap)])[:-1]  # of an object's rows, some are not taken
    ids = 100 + np.arange(int((sizes + gap).sum()), dtype=dtype)
    found = framed(ids, starts, content, frame)
    each = [
        naive(ids.tolist(), s, e, frame) for s, e in zip(starts.tolist(), examples, strict=True)
    ]
    assert found.tolist() == [token for tokens in each for token in tokens]
    assert found.dtype == dtype
    assert frame.loss_spans(content).sides.sum(axis=1).tolist() == [len(tokens) for tokens in each]


@settings(max_examples=60)
@given(EXAMPLES, FRAMES)
def test_the_token_after_a_target_has_loss_and_the_others_have_none(
    examples: list[list[tuple[int, int]]], frame: FrameIds
) -> None:
    content = spans_of(examples)
    sides = frame.loss_spans(content).sides - content.sides
    assert sides[:, 1].tolist() == [frame.target_extra * len(pairs) for pairs in examples]
    join = frame.after_prompt != NONE
    assert sides[:, 0].tolist() == [(frame.before != NONE) + join * len(e) for e in examples]
    single = [i for i, pairs in enumerate(examples) if len(pairs) == 1]
    assert (sides[single, 0] == frame.prompt_extra).all()


def recipe(layout: str, **frame: Any) -> Loaded[Recipe]:
    lengths = {"pack": 64} if layout == "decoder" else {"input": 64, "target": 16}
    about = {"recipe": "r", "mixture": "m", "layout": layout, "tokenizer": {"bytes": True},
             "lengths": lengths, "size": {"examples": 1}, "frame": frame}  # fmt: skip
    document = parse(yaml.safe_dump(about), "r.yaml")
    return Loaded("r", validate(Recipe, document), document)


WHOLE = SimpleNamespace(bos_id=BOS, eos_id=EOS)


@pytest.mark.parametrize(
    ("layout", "frame", "wanted"),
    [
        ("decoder", {}, (NONE, EOS, EOS)),  # FLAN: eos between prompt and target, and at the end
        ("decoder", {"bos": True}, (BOS, EOS, EOS)),
        ("decoder", {"join": "none"}, (NONE, NONE, EOS)),
        ("decoder", {"join": " "}, (NONE, NONE, EOS)),  # white space is text of the target
        ("decoder", {"eos": False}, (NONE, EOS, NONE)),
        ("decoder", {"join": "none", "eos": False}, (NONE, NONE, NONE)),
        ("encoder_decoder", {}, (NONE, EOS, EOS)),  # T5: eos after input and target
        ("encoder_decoder", {"bos": True}, (BOS, EOS, EOS)),
        ("encoder_decoder", {"eos": False}, (NONE, NONE, NONE)),
    ],
)
def test_a_recipes_frame_in_the_tokenizers_ids(
    layout: str, frame: dict[str, Any], wanted: tuple[int, int, int]
) -> None:
    found = frame_ids(recipe(layout, **frame), WHOLE)
    assert (found.before, found.after_prompt, found.after_target) == wanted
    assert found.layout == layout


@pytest.mark.parametrize(
    ("lacks", "frame", "place", "hint"),
    [
        ("bos", {"bos": True}, "bos", "frame: {bos: false}"),
        ("eos", {"eos": True}, "eos", "frame: {eos: false}"),
        ("eos", {"eos": False, "join": "eos"}, "join", "frame: {join: none}"),
        ("eos", {}, "tokenizer", "frame: {eos: false}"),  # the default is not in the file
        ("eos", {"eos": False}, "tokenizer", "frame: {join: none}"),
    ],
)
def test_a_token_that_the_tokenizer_lacks(
    lacks: str, frame: dict[str, Any], place: str, hint: str
) -> None:
    tokenizer = SimpleNamespace(**{**vars(WHOLE), f"{lacks}_id": None})
    given_ = recipe("decoder", **frame)
    with pytest.raises(FlancompileError, match=f"the tokenizer has no {lacks} token") as caught:
        frame_ids(given_, tokenizer)
    (diagnostic,) = caught.value.diagnostics
    key = (place,) if place == "tokenizer" else ("frame", place)
    assert (diagnostic.code, diagnostic.span) == ("FC410", given_.document.span(key))
    assert hint in (diagnostic.hint or "")


def test_a_frame_without_tokens_needs_none_of_the_tokenizer() -> None:
    bare = SimpleNamespace(bos_id=None, eos_id=None)
    found = frame_ids(recipe("decoder", join="none", eos=False), bare)
    assert (found.prompt_extra, found.target_extra) == (0, 0)
