"""A decoder passes its settings to generation and scoring."""

import jax
import pytest

from flancompile.trainer import model
from flancompile.trainer.config import ModelShape
from flancompile.trainer.decoder import Decoder
from flancompile.trainer.generate import generate
from flancompile.trainer.score import score

SHAPE = ModelShape(layers=1, width=16, heads=2, mlp=16)


def test_answers_and_scores_are_those_of_the_functions() -> None:
    params = model.init(SHAPE, 64, jax.random.key(1))
    decoder = Decoder(params, SHAPE, "float32", 2, batch_rows=2)
    prompts, targets = [[5], [6, 7], [8]], [[1], [2, 3], [4]]
    seen: list[int] = []
    made = decoder.generate(prompts, 3, seen.append)
    assert seen == [2, 3], "batches of two"
    expected = generate(
        params, SHAPE, prompts, compute="float32", eos=2, max_new_tokens=3, batch_rows=2
    )
    assert [m.tolist() for m in made] == [e.tolist() for e in expected]
    found = decoder.score(prompts, targets)
    expected_scores = score(params, SHAPE, prompts, targets, compute="float32", batch_rows=2)
    assert found.tolist() == pytest.approx(expected_scores.tolist()) and (found < 0).all()
