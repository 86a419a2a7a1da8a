"""Streams over objects of given lengths: written into a folder, without rows or a tokenizer."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from toys import dataset_of

from flancompile import draw
from flancompile.compiler.objects.build import ObjectJob, write_object
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.compiler.plan.members import PlannedTask
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.special_tokens import NONE, FrameIds
from flancompile.dsl.library.library import Loaded, TaskDef
from flancompile.dsl.models.task import DatasetFile
from flancompile.dsl.yaml.document import Document
from flancompile.tokenizer.load import TokenizerRef

__all__ = ["BARE", "Row", "ensured", "object_table", "stream_of", "task_def"]

BARE = FrameIds("decoder", NONE, NONE, NONE)  # no special tokens, so lengths are those given
Row = Sequence[int] | str  # lengths of the loss spans, or the reason why the row is dropped


@cache
def task_def(id_: str) -> TaskDef:
    """The task of a toy dataset. id_: `NAME/qa`."""
    name = id_.removesuffix("/qa")
    model = DatasetFile.model_validate(dataset_of(name))
    dataset = Loaded(name, model, Document(f"datasets/{name}.yaml", None))
    return TaskDef(id_, name, "qa", model.tasks["qa"], dataset)


def object_table(
    rows: Sequence[Row], first: int = 0, truncated: Sequence[int] = (), inexact: Sequence[int] = ()
) -> pa.Table:
    """The columns of an object that link and ledger read.

    first: the ordinal of the first row; truncated, inexact: indexes of such rows. The ids are
    10 * ordinal + 1, 2, ... in each row.
    """
    n = len(rows)
    spans = [() if isinstance(row, str) else tuple(row) for row in rows]
    sides = [(sum(s[::2]), sum(s[1::2])) for s in spans]
    ids = [[10 * (first + i) + k + 1 for k in range(sum(s))] for i, s in enumerate(spans)]
    flags = np.isin(np.arange(n), truncated), ~np.isin(np.arange(n), inexact)
    return pa.table(
        {
            "row": pa.array([draw.digest64(first + i) for i in range(n)], pa.uint64()),
            "row_id": pa.array([f"id{first + i}" for i in range(n)]),
            "ordinal": pa.array(range(first, first + n), pa.uint64()),
            "reason": pa.array([r if isinstance(r, str) else None for r in rows], pa.string()),
            "truncated": pa.array(flags[0]),
            "exact": pa.array(flags[1]),
            "fewer_shots": pa.array([None] * n, pa.string()).dictionary_encode(),
            "runs": pa.array([s if len(s) > 2 else None for s in spans], pa.list_(pa.uint32())),
            "prompt_tokens": pa.array([p for p, _ in sides], pa.uint32()),
            "target_tokens": pa.array([t for _, t in sides], pa.uint32()),
            "ids": pa.array(ids, pa.large_list(pa.uint16())),
        }
    )


def stream_of(
    folder: Path,
    id_: str,
    *epochs: Sequence[Sequence[Row]],
    cap_rows: int | None = None,
    max_epochs: float | None = None,
    frame: FrameIds = BARE,
) -> Stream:
    """A stream of a task's objects. epochs: the rows of each block in each epoch; the last repeats."""
    task = task_def(id_)
    planned = PlannedTask(task, "m/all", ArmShares(), cap_rows, max_epochs)
    spec = RenderSpec(id_, task.task, {}, {}, ArmShares(), 0, (0,))

    def job(block: int, epoch: int) -> ObjectJob:
        blocks = epochs[min(epoch, len(epochs) - 1)]
        key = f"{id_.replace('/', '.')}.{block}.{epoch}"
        path = folder / f"{key}.arrow"
        if not path.exists():
            first = sum(len(b) for b in blocks[:block])
            write_object(path, object_table(blocks[block], first))
        ref = TokenizerRef("", "")
        return ObjectJob(key, str(path), spec, Budget(total=1), ref, "", block, epoch)

    return Stream(planned, [len(block) for block in epochs[0]], job, frame)


def ensured(streams: Sequence[Stream], count: int) -> Streams:
    """The streams with so many examples each, as far as they reach."""
    whole = Streams({s.id: s for s in streams})
    whole.ensure({s.id: count for s in streams})
    return whole
