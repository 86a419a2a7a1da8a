"""Generated tables through every format, against the values that they were made of."""

import csv
import datetime as dt
import decimal
import io
import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flancompile.dsl.models.source import ReadOptions, Source
from flancompile.errors import FlancompileError
from flancompile.sources import json_rows
from flancompile.sources.arrow_values import column_values
from flancompile.sources.blocks import SplitSpec, read_split
from flancompile.sources.columns import restored
from flancompile.sources.files import format_of, read_rows
from flancompile.sources.place import resolve_place
from flancompile.sources.rows import BadRow, Projection
from flancompile.sources.scalars import Unreadable, plain

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))
MICROSECOND = dt.timedelta(microseconds=1)


def seconds(value: dt.timedelta) -> str:
    return format(decimal.Decimal(value // MICROSECOND).scaleb(-6).normalize(), "f")


def same(value: Any) -> Any:
    return value


Case = tuple[pa.DataType, st.SearchStrategy[Any], Callable[[Any], Any]]
CASES: dict[str, Case] = {
    "bool": (pa.bool_(), st.booleans(), same),
    "int8": (pa.int8(), st.integers(-128, 127), same),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1), same),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1), same),
    "float64": (pa.float64(), st.floats(), same),
    "float32": (pa.float32(), st.floats(width=32), lambda v: float(str(np.float32(v)))),
    "float16": (pa.float16(), st.floats(width=16), lambda v: float(str(np.float16(v)))),
    "text": (pa.string(), TEXT, same),
    "large text": (pa.large_string(), TEXT, same),
    "bytes": (pa.binary(), TEXT.map(str.encode), bytes.decode),
    "large bytes": (pa.large_binary(), TEXT.map(str.encode), bytes.decode),
    "decimal": (pa.decimal128(9, 3), st.decimals(-999, 999, places=3), str),
    "wide decimal": (pa.decimal256(50, 2), st.decimals(-(10**9), 10**9, places=2), str),
    "date": (pa.date32(), st.dates(), dt.date.isoformat),
    "date64": (pa.date64(), st.dates(), dt.date.isoformat),
    "time": (pa.time64("us"), st.times(), dt.time.isoformat),
    "short time": (pa.time32("s"), st.times().map(lambda t: t.replace(microsecond=0)), str),
    "moment": (pa.timestamp("us"), MOMENTS, dt.datetime.isoformat),
    "moment in seconds": (
        pa.timestamp("s"), MOMENTS.map(lambda m: m.replace(microsecond=0)), dt.datetime.isoformat,
    ),
    "moment of a zone": (
        pa.timestamp("us", "UTC"), MOMENTS, lambda m: m.replace(tzinfo=dt.UTC).isoformat(),
    ),
    "moment of an offset": (
        pa.timestamp("us", "-03:30"), MOMENTS,
        lambda m: m.replace(tzinfo=dt.UTC).astimezone(
            dt.timezone(-dt.timedelta(hours=3, minutes=30))).isoformat(),
    ),
    "duration": (
        pa.duration("us"), st.timedeltas(dt.timedelta(-999), dt.timedelta(999)), seconds,
    ),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "bc", ""]), same),
    "list": (pa.list_(pa.string()), st.lists(TEXT, max_size=3), same),
    "large list": (pa.large_list(pa.int8()), st.lists(st.integers(0, 9), max_size=3), same),
    "pair": (pa.list_(pa.int8(), 2), st.lists(st.integers(0, 9), min_size=2, max_size=2), same),
    "list of dates": (
        pa.list_(pa.date32()), st.lists(st.dates(), max_size=3),
        lambda v: [d.isoformat() for d in v],
    ),
    "struct": (
        pa.struct([("a", pa.string()), ("b", pa.list_(pa.float32()))]),
        st.fixed_dictionaries({"a": TEXT | st.none(), "b": st.lists(st.just(0.1), max_size=2)}),
        lambda v: {"a": v["a"], "b": v["b"]},
    ),
    "list of structs": (
        pa.list_(pa.struct([("d", pa.decimal128(5, 1))])),
        st.lists(st.fixed_dictionaries({"d": st.decimals(-9, 9, places=1)}), max_size=3),
        lambda v: [{"d": str(i["d"])} for i in v],
    ),
    "map": (
        pa.map_(pa.string(), pa.int8()),
        st.dictionaries(TEXT, st.integers(0, 9), max_size=3).map(lambda d: list(d.items())), dict,
    ),
    "map by number": (
        pa.map_(pa.int8(), pa.int8()),
        st.dictionaries(st.integers(0, 9), st.integers(0, 9), max_size=3)
        .map(lambda d: list(d.items())),
        lambda v: [list(p) for p in v],
    ),
    "null": (pa.null(), st.none(), same),
}  # fmt: skip


def alike(found: Any, wanted: Any) -> bool:
    return repr(found) == repr(wanted)  # nan, -0.0, 1 and True are told apart


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_values_of_every_type_come_through_files(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    type_, values, text = CASES[name]
    given_ = data.draw(st.lists(values | st.none(), min_size=1, max_size=9))
    wanted = [None if v is None else text(v) for v in given_]
    column = pa.array(given_, type_)
    assert alike(column_values(column), wanted)
    first = data.draw(st.integers(0, len(given_)))
    assert alike(column_values(column[first:]), wanted[first:])
    folder = tmp_path_factory.mktemp("table")
    table = pa.table({"v": column, "n": pa.array(range(len(given_)))})
    paths = [folder / "a.arrow", folder / "stream.arrow"]
    with pa.ipc.new_file(paths[0], table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    with pa.ipc.new_stream(paths[1], table.schema) as writer:
        writer.write_table(table)
    if not any(t in name for t in ("duration", "pair", "wide")):  # Parquet knows no such type
        paths.append(folder / "a.parquet")
        parquet.write_table(table, paths[-1], row_group_size=3)
    for path in paths:
        rows = list(read_rows(path, format_of(path, None), ReadOptions()))
        assert alike(rows, [{"v": v, "n": n} for n, v in enumerate(wanted)]), path
        alone = list(
            read_rows(path, format_of(path, None), ReadOptions(), Projection(frozenset("n")))
        )
        assert alone == [{"n": n} for n in range(len(wanted))]
        none = list(read_rows(path, format_of(path, None), ReadOptions(), Projection(frozenset())))
        assert none == [{}] * len(wanted)


ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | TEXT,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXT, ANY, max_size=4), max_size=8)


@settings(max_examples=100, deadline=None)
@given(OBJECTS, st.sampled_from([None, 1, 2]), st.booleans())
def test_objects_come_through_json(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], indent: int | None, ascii_: bool
) -> None:
    folder = tmp_path_factory.mktemp("json")
    lines, whole = folder / "a.jsonl", folder / "a.json"
    lines.write_text("".join(json.dumps(r, ensure_ascii=ascii_) + "\n" for r in rows))
    whole.write_text(json.dumps(rows, ensure_ascii=ascii_, indent=indent))
    for path in (lines, whole):
        assert alike(list(read_rows(path, format_of(path, None), ReadOptions())), rows)


CELLS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('",;\t '), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8), st.sampled_from(",;|"))
def test_texts_come_through_csv_and_tsv(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], delimiter: str
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    held = io.StringIO()
    csv.writer(held, delimiter=delimiter).writerows([["a", "b"], *cells])
    (folder / "a.csv").write_text(held.getvalue(), newline="")
    found = list(read_rows(folder / "a.csv", "csv", ReadOptions(delimiter=delimiter)))
    assert found == [{"a": a, "b": b} for a, b in cells]
    bare = [[c.replace("\t", " ") for c in row] for row in cells]
    (folder / "a.tsv").write_text("".join("\t".join(r) + "\n" for r in [["a", "b"], *bare]))
    assert list(read_rows(folder / "a.tsv", "tsv", ReadOptions())) == [
        {"a": a, "b": b} for a, b in bare
    ]


def strict(text: str) -> list[Any] | None:
    """Every document of a text by Python's own decoder; None where something else is there."""
    decoder, place, found = json.JSONDecoder(), 0, []
    text = text.lstrip(" \t\r\n")
    while text[place:]:
        try:
            value, place = decoder.raw_decode(text, place)
        except ValueError:
            return None
        found += value if isinstance(value, list) else [value]
        place += len(text[place:]) - len(text[place:].lstrip(" \t\r\n"))
    return found


SPACES = st.text(" \t\r\n", max_size=3)
NUMBERS = st.sampled_from([0, -1, 1.5, 1e300, 1e-7, 123456789, -0.25, 5e22])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_documents_of_a_json_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Several documents, each perhaps an array, with one character perhaps changed."""
    item = st.dictionaries(TEXT, NUMBERS | TEXT, max_size=2) | NUMBERS | TEXT
    documents = data.draw(st.lists(st.lists(item, max_size=5) | item, min_size=1, max_size=4))
    text = data.draw(SPACES)
    for document in documents:
        text += json.dumps(document, indent=data.draw(st.sampled_from([None, 1])))
        text += data.draw(SPACES) if isinstance(document, list | dict) else " "
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.sampled_from('[]{},:"0x- ')) + text[place + 1 :]
    if not text.strip():
        return
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(text, newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "WINDOW", data.draw(st.integers(1, 40)))
        try:
            found: Any = list(read_rows(path, "json", ReadOptions()))
        except FlancompileError as error:
            assert error.code == "FC304" and str(path) in str(error)
            found = None
    wanted = strict(text)
    if wanted is not None:
        wanted = [v if isinstance(v, dict) else {"item": v} for v in wanted]
        assert found is not None
        found = ["bad" if isinstance(f, BadRow) else f for f in found]
        twice = [f == "bad" for f in found]  # two equal keys, or null
        wanted = ["bad" if b else w for w, b in zip(wanted, twice, strict=True)]
    assert alike(found, wanted)


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ('[{"a": 1}]\n\nnoise', "3:1", "not JSON"),
        ('[{"a": 1}, {"a": 2}', "1:20", "the array ends too soon"),
        ('[{"a": 1} {"a": 2}]', "1:11", "a `,` or `]` is expected here"),
        ('[{"a": 1},]', "1:11", "not JSON"),
        ('{"a": 1}\n]', "2:1", "not JSON"),
        ("  \n ", "2:2", "there is no JSON in the file"),
    ],
)
@pytest.mark.parametrize("window", [1, 3, 1 << 20])
def test_what_is_no_json_is_named_by_line_and_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str, why: str, window: int
) -> None:
    monkeypatch.setattr(json_rows, "WINDOW", window)
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FlancompileError) as caught:
        list(read_rows(path, "json", ReadOptions()))
    assert caught.value.code == "FC304"
    assert f"{path}:{place}: {why}" in str(caught.value)


@pytest.mark.parametrize("rows", ["data", "data.items"])
def test_each_document_is_led_to_its_rows(tmp_path: Path, rows: str) -> None:
    inner: Any = [{"a": 1}, {"a": 2}]
    document = {"data": inner if rows == "data" else {"items": inner}}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document) * 2)
    assert list(read_rows(path, "json", ReadOptions(rows=rows))) == inner * 2
    path.write_text(json.dumps(document) + " x")
    with pytest.raises(FlancompileError, match="not JSON"):
        list(read_rows(path, "json", ReadOptions(rows=rows)))


ENCODINGS = [
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    "gb18030", "utf-7", "cp1252", "latin-1", "shift_jis",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "txt", "whole"])
def test_a_mark_is_taken_off_in_every_encoding(tmp_path: Path, encoding: str, suffix: str) -> None:
    text = {
        "jsonl": '{"text": "ab"}\n{"text": "c"}\n', "json": '[{"text": "ab"}, {"text": "c"}]',
        "csv": "text\nab\nc\n", "tsv": "text\nab\nc\n", "txt": "ab\nc\n", "whole": "ab\nc",
    }[suffix]  # fmt: skip
    more: Any = {"whole": True} if suffix == "whole" else {}
    path = tmp_path / ("a.txt" if suffix == "whole" else f"a.{suffix}")
    wanted = [{"text": "ab\nc"}] if more else [{"text": "ab"}, {"text": "c"}]
    marks = ["", "\ufeff"] if encoding.startswith(("utf-8", "utf-16-", "utf-32-", "gb")) else [""]
    for mark in marks:
        codec = "utf-8" if encoding == "utf-8-sig" else encoding
        path.write_bytes((mark + text).encode(codec))
        options = ReadOptions(encoding=encoding, **more)
        assert list(read_rows(path, format_of(path, None), options)) == wanted
    path.write_bytes("\ufeff".encode("utf-16-le"))
    assert list(read_rows(path, "text", ReadOptions(encoding="utf-16-le"))) == []


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "arrow", "stream.arrow"])
def test_equal_names_of_columns_are_an_error_that_names_both(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    table = pa.table([["1"], ["2"], ["3"]], names=["a", "b", "a"])
    if suffix == "parquet":
        parquet.write_table(table, path)
    elif suffix.endswith("arrow"):
        make = pa.ipc.new_stream if suffix.startswith("stream") else pa.ipc.new_file
        with make(path, table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_text("a,b,a\n1,2,3\n".replace(",", "," if suffix == "csv" else "\t"))
    for wanted in (Projection(), Projection(frozenset("b"))):
        with pytest.raises(FlancompileError, match="columns 1 and 3 are both named 'a'") as caught:
            list(read_rows(path, format_of(path, None), ReadOptions(), wanted))
        assert caught.value.code == "FC304"
    if suffix == "csv":
        found = list(read_rows(path, "csv", ReadOptions(columns=("a", "b", "c"))))
        assert found == [{"a": "1", "b": "2", "c": "3"}]
        with pytest.raises(ValueError, match="both named 'x'"):
            ReadOptions(columns=("x", "y", "x"))


def test_columns_without_a_name_are_called_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",a,\n1,2,3\n")
    found = list(read_rows(tmp_path / "a.csv", "csv", ReadOptions()))
    assert found == [{"column1": "1", "a": "2", "column3": "3"}]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_equal_keys_of_an_object_drop_its_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    rows = ['{"a": 1, "b": {"c": 1, "c": 2}}', '{"a": 1}', '{"a": 1, "a": 1}', '{"a": 2}']
    path.write_text("\n".join(rows) if suffix == "jsonl" else f"[{', '.join(rows)}]")
    found = list(read_rows(path, format_of(path, None), ReadOptions()))
    assert [f.reason if isinstance(f, BadRow) else f for f in found] == [
        "two keys are 'c'", {"a": 1}, "two keys are 'a'", {"a": 2},
    ]  # fmt: skip


def split_of(folder: Path, name: str, fields: dict[str, str], id_: str | None) -> Any:
    source = Source.model_validate({"files": name, **({"id": id_} if id_ else {})})
    place = resolve_place(source, None, "train", folder, None)
    return read_split(SplitSpec("s", place, fields, None, 1), folder / "cache")


def odd_columns(rows: int, seed: int) -> dict[str, pa.Array]:
    """Columns of which about half the values are out of Python's range."""
    rng = np.random.default_rng(seed)
    odd = rng.integers(0, 2, rows) == 1
    numbers = np.where(odd, rng.integers(2**50, 2**62, rows), rng.integers(0, 2**30, rows))
    days = pa.array(np.where(odd, 2**30, 5).astype(np.int32))
    texts = pa.array([b"a\xff" if o else b"fine" for o in odd])
    held = pa.array([[b"ok", b"a\xff" if o else b"fine"] for o in odd])
    both = pa.StructArray.from_arrays([pa.array(odd), pa.array(odd)], names=["m", "m"])
    return {
        "seconds": pa.array(numbers).view(pa.timestamp("s")),
        "milliseconds": pa.array(numbers).view(pa.timestamp("ms", "UTC")),
        "zone": pa.array(numbers).view(pa.timestamp("us", "Nowhere/At_All")),
        "days": days.view(pa.date32()), "text": texts.view(pa.string()), "bytes": texts,
        "list": held.view(pa.list_(pa.string())), "struct": both,
    }  # fmt: skip


def is_odd(column: pa.Array, place: int) -> bool:
    """Whether Arrow itself has no Python value for a value."""
    try:
        value = column[place].as_py()
    except Exception:
        return True
    return isinstance(plain(value), Unreadable)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("id_", [None, "n"])
@pytest.mark.parametrize("name", sorted(odd_columns(1, 0)))
def test_values_out_of_range_drop_rows_only_where_they_are_read(
    tmp_path: Path, suffix: str, id_: str | None, name: str
) -> None:
    count = 40
    column = odd_columns(count, 3)[name]
    table = pa.table({"n": pa.array(range(count)), name: column})
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        try:
            parquet.write_table(table, path)
        except pa.ArrowException:
            pytest.skip("Parquet cannot hold it")
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    unread = split_of(tmp_path, path.name, {"n": "n"}, id_)
    assert (unread.rows, unread.kept) == (count, count)
    digests = unread.block(0).column("_row").to_pylist()
    assert len(set(digests)) == count
    read = split_of(tmp_path, path.name, {"v": name}, id_)
    odd = [i for i in range(count) if is_odd(column, i)]
    assert len(odd) > 0 and read.rows == count
    assert read.dropped()["ordinal"].to_pylist() == odd
    for row, reason in zip(odd, read.dropped()["reason"].to_pylist(), strict=True):
        assert reason.startswith(f"column {name}: ")
        assert reason.endswith(f"({path.name}: row {row + 1})")


def test_a_column_of_any_order_keeps_every_value(tmp_path: Path) -> None:
    rows: list[Any] = [{"a": 1}] + [{"a": f"text {i}"} for i in range(999)] + [{"a": ["x"]}]
    for number in range(3):
        random.Random(number).shuffle(rows)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        blocks = split_of(folder, "a.jsonl", {"a": "a"}, None)
        assert (blocks.kept, len(blocks.dropped())) == (1001, 0)
        batch = blocks.block(0)
        found = restored(batch.column("a"), batch.schema.field("a"))
        assert sorted(map(repr, found)) == sorted(repr(r["a"]) for r in rows)


def test_uuids_intervals_and_nanoseconds() -> None:
    one = uuid.UUID("12345678-1234-5678-1234-567812345678")
    storage = pa.array([one.bytes, None], pa.binary(16))
    assert column_values(pa.ExtensionArray.from_storage(pa.uuid(), storage)) == [str(one), None]
    interval = pa.array([(1, 2, 500_000_000)], pa.month_day_nano_interval())
    assert column_values(interval) == ["P1M2DT0.5S"]
    moments = pa.array([1, -1, 10**9]).view(pa.timestamp("ns"))
    assert column_values(moments) == [
        "1970-01-01T00:00:00.000000001", "1969-12-31T23:59:59.999999999", "1970-01-01T00:00:01",
    ]  # fmt: skip
    assert plain({"a": [dt.date(2001, 2, 3), b"x", one, decimal.Decimal("1.50")]}) == {
        "a": ["2001-02-03", "x", str(one), "1.50"]
    }
