"""Arrow schemas of a build's files: the contract between writer, feed and other readers."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

__all__ = ["EVAL", "EVAL_LEDGER", "EXAMPLES", "LEDGER", "NAMES", "packs_schema", "token_columns"]

_NAME = pa.dictionary(pa.int32(), pa.string())

EXAMPLES = pa.schema(
    [
        ("example", pa.uint64()),
        ("task", _NAME),
        ("split", _NAME),
        ("pass", pa.uint16()),
        ("template", _NAME),
        ("option_style", _NAME),
        ("shots_style", _NAME),
        ("row", pa.uint64()),
        ("row_id", pa.string()),
        ("exemplars", pa.list_(pa.uint64())),
        ("shots_asked", pa.uint8()),
        ("shots", pa.uint8()),
        ("options", pa.bool_()),
        ("cot", pa.bool_()),
        ("inverted", pa.bool_()),
        ("truncated", pa.bool_()),
        ("exact", pa.bool_()),
        ("prompt_tokens", pa.uint32()),
        ("target_tokens", pa.uint32()),
        ("pack", pa.uint64()),
        ("segment", pa.uint32()),
    ]
)

EVAL = pa.schema(
    [
        ("example", pa.uint64()),
        ("row", pa.uint64()),
        ("row_id", pa.string()),
        ("template", pa.string()),
        ("prompt", pa.string()),
        ("prompt_ids", pa.list_(pa.uint32())),
        ("target", pa.string()),
        ("target_ids", pa.list_(pa.uint32())),
        ("options", pa.list_(pa.string())),
        ("option_ids", pa.list_(pa.list_(pa.uint32()))),
        ("gold", pa.int32()),
        ("accepted", pa.list_(pa.string())),
        ("shots", pa.uint8()),
        ("exemplars", pa.list_(pa.uint64())),
    ]
)

EVAL_LEDGER = "eval_ledger.parquet"  # the columns of LEDGER; `task` is the evaluation set

LEDGER = pa.schema(
    [
        ("task", pa.string()),
        ("split", pa.string()),
        ("pass", pa.uint16()),
        ("row", pa.uint64()),
        ("row_id", pa.string()),
        ("ordinal", pa.uint64()),
        ("disposition", pa.string()),
        ("reason", pa.string()),
        ("rows", pa.uint64()),
    ]
)

NAMES = pa.schema([("task", pa.string()), ("row", pa.uint64()), ("name", pa.string())])


def token_columns(layout: str) -> tuple[str, ...]:
    """Names of the columns that hold tokens."""
    return ("tokens",) if layout == "decoder" else ("inputs", "targets")


def packs_schema(layout: str, lengths: Mapping[str, int], dtype: str) -> pa.Schema:
    """Schema of packs: a fixed-size list of tokens for each column, example ids and loss spans.

    `runs` holds the loss spans: lengths without and with loss in turn; for encoder_decoder, the
    lengths in `inputs` and in `targets`.
    """
    item = pa.uint16() if dtype == "uint16" else pa.uint32()
    tokens = [
        pa.field(
            name, pa.list_(pa.field("item", item, nullable=False), lengths[name]), nullable=False
        )
        for name in token_columns(layout)
    ]
    ids = pa.list_(pa.field("item", pa.uint64(), nullable=False))
    loss_spans = pa.list_(pa.field("item", pa.list_(pa.field("item", pa.uint32(), nullable=False))))
    return pa.schema([*tokens, pa.field("example", ids), pa.field("runs", loss_spans)])
