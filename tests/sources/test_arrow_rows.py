"""Parquet and Arrow rows: projections, batches, damaged columns and repeated names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from flancompile.errors import FlancompileError
from flancompile.sources.arrow_rows import arrow_rows, batch_rows, parquet_rows
from flancompile.sources.rows import EVERY_COLUMN, BadRow, Projection

ROWS = [{"a": i, "b": f"text {i}"} for i in range(2500)]
A = Projection(frozenset({"a"}))


def write_file(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def write_stream(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


FORMS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda path, table: parquet.write_table(table, path, row_group_size=900), parquet_rows),
    (write_file, arrow_rows),
    (write_stream, arrow_rows),
]


@pytest.mark.parametrize(("write", "read"), FORMS)
def test_rows_of_several_batches_by_projection(
    tmp_path: Path, write: Callable[..., Any], read: Callable[..., Any]
) -> None:
    write(tmp_path / "t", pa.Table.from_pylist(ROWS))
    assert list(read(tmp_path / "t", EVERY_COLUMN)) == ROWS
    assert list(read(tmp_path / "t", A)) == [{"a": r["a"]} for r in ROWS]
    assert list(read(tmp_path / "t", Projection(frozenset({"a"}), identity=True))) == ROWS
    assert list(read(tmp_path / "t", Projection(frozenset()))) == [{}] * len(ROWS)


@pytest.mark.parametrize("read", [parquet_rows, arrow_rows])
def test_another_file_is_refused(tmp_path: Path, read: Callable[..., Any]) -> None:
    (tmp_path / "t").write_bytes(b"not a table")
    with pytest.raises(FlancompileError, match="or damaged") as caught:
        list(read(tmp_path / "t", EVERY_COLUMN))
    assert caught.value.code == "FC304"


def test_a_column_with_damaged_buffers_matters_only_if_it_is_read(tmp_path: Path) -> None:
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 9, 2)))
    damaged = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"xy")])
    write_file(tmp_path / "t", pa.table({"a": [1, 2], "b": damaged}))
    assert list(arrow_rows(tmp_path / "t", A)) == [{"a": 1}, {"a": 2}]
    with pytest.raises(FlancompileError, match="column 'b' is damaged") as caught:
        list(arrow_rows(tmp_path / "t", EVERY_COLUMN))
    assert caught.value.code == "FC304"


def test_bad_rows_have_their_number_in_the_file() -> None:
    texts = pa.array([b"ok", b"\xff"]).view(pa.string())
    batch = pa.record_batch({"a": pa.array([1, 2]), "b": texts})
    first, second = batch_rows(batch, EVERY_COLUMN, "t.arrow", 100, 2)
    assert first == {"a": 1, "b": "ok"}
    assert second == BadRow("column b: bytes that are not UTF-8", "t.arrow: row 102")
    assert list(batch_rows(batch, A, "t.arrow", 100, 2)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("write", "read"), FORMS[:2])
def test_repeated_names_are_refused(
    tmp_path: Path, write: Callable[..., Any], read: Callable[..., Any]
) -> None:
    write(tmp_path / "t", pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(FlancompileError, match="columns 1 and 2 are both named 'a'"):
        list(read(tmp_path / "t", EVERY_COLUMN))
