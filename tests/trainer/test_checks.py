"""Diagnostics of a run that does not fit its build or its mesh."""

from types import SimpleNamespace
from typing import Any

import pytest
from runs import run_of

from flancompile.trainer.checks import mesh_diagnostics, run_diagnostics, vocabulary

MODEL = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 64}


def manifest(**more: Any) -> Any:
    about = {
        "layout": "decoder", "lengths": {"tokens": 256}, "counts": {"packs": 3}, "pad_id": 0,
        "tokenizer": SimpleNamespace(vocab_size=259, name="bytes", digest="d" * 64), **more,
    }  # fmt: skip
    return SimpleNamespace(**about)


def test_the_vocabulary_is_rounded_up_unless_the_model_sets_it() -> None:
    assert vocabulary(run_of(), manifest()) == 384
    assert vocabulary(run_of(), manifest(pad_id=384)) == 512
    assert vocabulary(run_of(model={**MODEL, "vocab_size": 300}), manifest()) == 300


@pytest.mark.parametrize(
    ("model", "build", "expected"),
    [
        ({}, {}, []),
        ({"vocab_size": 259, "max_length": 256}, {}, []),
        ({}, {"layout": "encoder_decoder", "counts": {"packs": 0}}, [("FC601", ("build",))]),
        ({"vocab_size": 258}, {}, [("FC602", ("model", "vocab_size"))]),
        ({"max_length": 255}, {}, [("FC603", ("model", "max_length"))]),
        ({}, {"counts": {"packs": 0}}, [("FC603", ("build",))]),
    ],
)
def test_mismatches_of_run_and_build(model: Any, build: Any, expected: Any) -> None:
    found = run_diagnostics(run_of(model={**MODEL, **model}), manifest(**build))
    assert [(d.code, d.key) for d in found] == expected


def test_another_tokenizer_is_named_with_its_digest() -> None:
    (found,) = run_diagnostics(run_of(), manifest(), other_tokenizer=True)
    assert (found.code, found.key) == ("FC602", ("tokenizer",))
    assert "bytes, 259 ids, digest dddddddddddd" in found.message


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ({"data": 2, "fsdp": 2, "tensor": 2}, []),
        ({"data": 1, "fsdp": 1, "tensor": 4}, [("model", "kv_heads")]),
        ({"data": 3, "fsdp": 1, "tensor": 1}, [("batch_packs",), ("mesh",)]),
        ({"data": 1, "fsdp": 64, "tensor": 1}, [("model", "width"), ("batch_packs",)]),
    ],
)
def test_sizes_are_divisible_by_the_axes(shape: dict[str, int], keys: Any) -> None:
    found = mesh_diagnostics(run_of(), 384, shape, processes=2 if shape["data"] == 3 else 1)
    assert [d.key for d in found] == keys
    assert all(d.code == "FC604" and d.hint for d in found)
