"""Run files: derived sizes, and values that do not fit together."""

from typing import Any

import pytest
from pydantic import ValidationError
from runs import run_of

from flancompile.trainer.config import MeshShape, ModelShape

MODEL = {"layers": 1, "width": 32, "heads": 4, "mlp": 8}


def test_sizes_that_follow_from_others() -> None:
    assert (ModelShape(**MODEL).key_heads, ModelShape(**MODEL).head_size) == (4, 8)
    shape = ModelShape(**MODEL, kv_heads=2, head_width=6)
    assert (shape.key_heads, shape.head_size) == (2, 6)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kv_heads": 3}, "kv_heads 3 do not divide heads 4"),
        ({"width": 30}, "heads 4 do not divide width 30"),
        ({"width": 20}, "even head_width, not 5"),
        ({"depth": 2}, "depth"),
    ],
)
def test_shapes_that_are_refused(more: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelShape(**{**MODEL, **more})


@pytest.mark.parametrize("data", [0, -2])
def test_devices_are_counted_or_all_remaining(data: int) -> None:
    assert MeshShape().data == -1
    with pytest.raises(ValidationError, match="or -1 for all remaining devices"):
        MeshShape(data=data)


def test_micro_batches_divide_the_batch() -> None:
    assert run_of(micro_batches=4).batch_packs == 8
    more: dict[str, Any] = {"micro_batches": 3}
    with pytest.raises(ValidationError, match="micro_batches 3 do not divide batch_packs 8"):
        run_of(**more)
