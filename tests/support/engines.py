"""A task's examples made by columns and row by row, for tests that compare both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from flancompile import draw
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

__all__ = ["BYTES", "Shown", "both_engines", "row_set"]

BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))
Shown = tuple[str, str] | str  # prompt and target, or the reason why there are none
STYLE = {"s": OptionStyle(item="<{{ text }}>", gold="<{{ text }}>")}


def row_set(task: Task, columns: Mapping[str, Sequence[Any]], origin: str = "train") -> RowSet:
    """Rows whose columns are in Arrow where Arrow gives the same values back."""
    count = len(next(iter(columns.values())))
    digests = np.array([draw.digest64(origin, i) for i in range(count)], np.uint64)
    arrays = {}
    for name, values in columns.items():
        try:
            array = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            continue
        if repr(array.to_pylist()) == repr(list(values)) and not pa.types.is_null(array.type):
            arrays[name] = array
    return RowSet("toy/qa", task, 1, 0, digests, columns, None, arrays, origin=origin)


def both_engines(
    task: Task,
    columns: Mapping[str, Sequence[Any]],
    pool: RowSet | None = None,
    *,
    options: bool = False,
    shots: int = 0,
) -> list[Shown]:
    """Results of each row, after asserting that both engines agree."""
    rows = row_set(task, columns)
    shares = ArmShares(
        ((shots, 1.0),), options=(1.0, 0.0) if options else (0.0, 1.0), cot=(0.0, 1.0)
    )
    templates = tuple(range(len(task.templates)))
    spec = RenderSpec("toy/qa", task, STYLE, {"plain": ShotsStyle()}, shares, 1, templates)
    ids = pa.array([str(i) for i in range(len(rows))]), pa.array(range(len(rows)))
    pools, budget = Pools(task.exemplars, pool or rows), Budget(total=100_000)
    made = [
        examples_of(
            spec, (replace(rows, shared=BlockCache()), *ids), pools, BYTES, budget, by_columns=flag
        )
        for flag in (True, False)
    ]
    for name in made[1].schema.names:
        assert made[0][name].to_pylist() == made[1][name].to_pylist(), name
    found: list[Shown] = []
    for line in made[0].to_pylist():
        cut = line["prompt_tokens"]
        reason = line["reason"]
        texts = (BYTES.decode(line["ids"][:cut]), BYTES.decode(line["ids"][cut:]))
        found.append(texts if reason is None else reason)
    return found
