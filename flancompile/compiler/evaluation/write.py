"""Write the evaluation sets of a build, one file each, and the ledger of their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from pyarrow import parquet

from flancompile.compiler.evaluation.tables import EvalTable
from flancompile.compiler.link.ledger import eval_ledger
from flancompile.drop_reasons import Dropped
from flancompile.store.manifest import EvalEntry
from flancompile.store.schema import EVAL_LEDGER
from flancompile.store.writer import BuildWriter

__all__ = ["write_eval_ledger", "write_evaluation_set"]


def write_evaluation_set(writer: BuildWriter, table: EvalTable) -> EvalEntry:
    """Write one set, and return its entry for the manifest."""
    one, rows = table.set, table.table
    names = {"name": one.name, "task": one.task.id, "entry": one.entry}
    written = rows.drop_columns(["fewer_shots"])
    entry = writer.write_eval(one.name, written, {**table.metadata, **names})
    scoring = {k: table.metadata[k] for k in ("metric", "group", "random_baseline")}
    reasons = Counter(Dropped.of(lost.reason).general for lost in table.dropped)
    fewer = Counter(rows["fewer_shots"].drop_null().to_pylist())
    return EvalEntry(
        **entry.model_dump(),
        **names,
        split=one.split,
        shots_requested=one.choice.shots,
        shots=dict(sorted(Counter(rows["shots"].to_pylist()).items())),
        fewer_shots=dict(sorted(fewer.items())),
        options=table.arms.options[0] > 0,
        cot=table.arms.cot[0] > 0,
        dropped=len(table.dropped),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        unused=table.unused,
        **scoring,
    )


def write_eval_ledger(writer: BuildWriter, tables: Sequence[EvalTable]) -> dict[str, int]:
    """Write the disposition of each row of each evaluation set, in a file beside the ledger."""
    parts = [eval_ledger(t.set.name, t.set.split, t.table, t.dropped, t.unused) for t in tables]
    if not parts:
        return {}
    whole = pa.concat_tables(parts)
    parquet.write_table(whole, writer.folder / EVAL_LEDGER, compression="zstd")
    return {EVAL_LEDGER: len(whole)}
