"""Read rows of Parquet and Arrow IPC files, and of the Hub, with column projection.

A value that Python cannot represent drops its row if an expression reads the column, and no other
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flancompile.errors import fail
from flancompile.sources.arrow_values import column_values, duplicate_name
from flancompile.sources.rows import BadRow, Projection, Row
from flancompile.sources.scalars import Unreadable

__all__ = ["arrow_rows", "batch_rows", "parquet_rows"]

ROWS = 1024  # converted at a time


def parquet_rows(path: Path, projection: Projection) -> Iterator[Row | BadRow]:
    """The rows of a Parquet file. Raises FC304."""
    with _damage(path, "Parquet"), parquet.ParquetFile(path) as file:
        names = list(file.schema_arrow.names)
        _check_names(path, names)
        some = None if projection.whole else [n for n in names if projection.is_read(n)]
        batches: Iterator[pa.RecordBatch] = file.iter_batches(ROWS, columns=some)
        number = 0
        for batch in batches:
            yield from batch_rows(batch, projection, path.name, number, len(batch))
            number += len(batch)


def arrow_rows(path: Path, projection: Projection) -> Iterator[Row | BadRow]:
    """The rows of an Arrow IPC file or stream. Raises FC304."""
    with _damage(path, "Arrow IPC"), pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            batches = iter(pa.ipc.open_stream(source))
        number = 0
        for batch in batches:
            _check_names(path, batch.schema.names)
            batch = _sound(path, batch, projection)
            for start in range(0, len(batch), ROWS):
                part = batch.slice(start, ROWS)
                yield from batch_rows(part, projection, path.name, number + start, len(part))
            number += len(batch)


@contextmanager
def _damage(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise fail("FC304", f"{path}: not {kind}, or damaged: {error}") from None


def _check_names(path: Path, names: list[str]) -> None:
    if (why := duplicate_name(names)) is not None:
        hint = "rename columns of the file so that they differ"
        raise fail("FC304", f"{path}: {why}", hint=hint)


def _sound(path: Path, batch: pa.RecordBatch, projection: Projection) -> pa.RecordBatch:
    """Select the columns with valid buffers; others would crash the process. Raises FC304."""
    valid = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not projection.includes(name):
            continue
        try:
            _as_bytes(column).validate(full=True)
            valid.append(name)
        except (pa.ArrowException, IndexError) as error:
            if projection.is_read(name):
                raise fail("FC304", f"{path}: column {name!r} is damaged: {error}") from None
    return batch.select(valid)


def _as_bytes(column: pa.Array) -> pa.Array:
    """View the buffers as types that allow any value: invalid UTF-8 is not damage."""
    type_ = _bare(column.type)
    return column if type_.equals(column.type) else column.view(type_)


def _bare(type_: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_string(type_):
        return pa.binary()
    if types.is_large_string(type_):
        return pa.large_binary()
    if types.is_temporal(type_) and not types.is_interval(type_):
        return pa.int32() if type_.bit_width == 32 else pa.int64()
    if types.is_list(type_):
        return pa.list_(type_.value_field.with_type(_bare(type_.value_type)))
    if types.is_large_list(type_):
        return pa.large_list(type_.value_field.with_type(_bare(type_.value_type)))
    if types.is_struct(type_):
        return pa.struct([f.with_type(_bare(f.type)) for f in type_])
    return type_


def batch_rows(
    batch: pa.RecordBatch | pa.Table, projection: Projection, name: str, first: int, count: int
) -> Iterator[Row | BadRow]:
    """The rows of a batch.

    name: of the file; first: number of rows before the batch; count: rows of the batch, which may
    have no columns.
    """
    names = [n for n in batch.schema.names if projection.includes(n)]
    columns = [_values(batch.column(n)) for n in names]
    if not columns:
        yield from ({} for _ in range(count))
        return
    bad = _bad_places(names, columns, projection)
    for place, values in enumerate(zip(*columns, strict=True)):
        if place in bad:
            yield BadRow(bad[place], f"{name}: row {first + place + 1}")
        else:
            yield dict(zip(names, values, strict=True))


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    if isinstance(column, pa.ChunkedArray):
        return [v for chunk in column.chunks for v in column_values(chunk)]
    return column_values(column)


def _bad_places(
    names: list[str], columns: list[list[Any]], projection: Projection
) -> dict[int, str]:
    """Rows with an unreadable value in a column that is read: place -> reason."""
    found: dict[int, str] = {}
    for name, values in zip(names, columns, strict=True):
        if not projection.is_read(name):
            continue
        for place, value in enumerate(values):
            if type(value) is Unreadable:
                found.setdefault(place, f"column {name}: {value.reason}")
    return found
