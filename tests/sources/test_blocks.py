import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.models.source import PlaceChoice, Source
from flancompile.errors import FlancompileError
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split, sample
from flancompile.sources.columns import is_json, restored
from flancompile.sources.fields import column_rows
from flancompile.sources.place import resolve_place


def spec(
    folder: Path, source: Mapping[str, Any], fields: Mapping[str, str], **more: Any
) -> SplitSpec:
    where = more.pop("where", None)
    place = resolve_place(
        Source.model_validate(source), None, "train", folder, None, more.get("variable")
    )
    return SplitSpec("s", place, fields, where, 1, **more)


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


def values(blocks: SplitBlocks, name: str) -> list[Any]:
    batches = [blocks.block(i) for i in range(len(blocks.block_rows))]
    return [v for b in batches for v in restored(b.column(name), b.schema.field(name))]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"a": st.text(max_size=8) | st.integers(0, 5)},
        optional={"b": st.lists(st.text(max_size=3), max_size=3)},
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_every_row_is_kept_or_dropped_for_a_reason(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write(folder / "a.jsonl", rows)
    made = spec(folder, {"files": "a.jsonl"}, {"a": "a", "b": "b"}, block_rows=7)
    blocks = read_split(made, folder / "cache")
    dropped = blocks.dropped()
    assert blocks.rows == len(rows) == blocks.kept + len(dropped)
    ordinals = values(blocks, "_ordinal") + dropped["ordinal"].to_pylist()
    assert sorted(ordinals) == list(range(len(rows)))
    assert len(set(values(blocks, "_row"))) == blocks.kept
    for ordinal, a in zip(values(blocks, "_ordinal"), values(blocks, "a"), strict=True):
        assert rows[ordinal]["a"] == a
    if blocks.block_rows:
        assert max(blocks.block_rows) - min(blocks.block_rows) <= 1


def test_a_column_s_digest_is_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"id": i, "a": str(i), "b": str(-i)} for i in range(20)])
    source = {"files": "a.jsonl", "id": "id"}
    one = read_split(spec(tmp_path, source, {"a": "a", "b": "b"}), tmp_path / "cache")
    two = read_split(spec(tmp_path, source, {"a": "a", "b": "b ~ '!'"}), tmp_path / "cache")
    assert one.digests(0)["a"] == two.digests(0)["a"]
    assert one.digests(0)["b"] != two.digests(0)["b"]


def test_a_prefix_is_a_random_sample(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": i} for i in range(2000)])
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    head = values(blocks, "a")[:500]
    assert abs(np.mean(head) - 1000) < 100


def test_duplicates_get_digests_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": "same"}] * 5 + [{"a": "other"}])
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert len(set(values(blocks, "_row"))) == 6
    assert [
        o
        for o, a in zip(values(blocks, "_ordinal"), values(blocks, "a"), strict=True)
        if a == "same"
    ] == list(range(5))


def test_rows_of_another_kind_are_kept_and_numbers_beyond_64_bits_are_not(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl",
        [{"a": 1}, {"a": "one"}, {"a": 1.5}, {"a": None}, {"a": [1]}, {"a": 2**70}],
    )
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert str(sorted(values(blocks, "a"), key=str)) == "[1, 1.5, None, [1], 'one']"
    assert blocks.dropped()["reason"].to_pylist() == ["field a: a number beyond 64 bits"]


def test_a_lone_surrogate_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "\\ud800"}\n{"a": "fine"}\n')
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert values(blocks, "a") == ["fine"]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y", "z.é"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=30), st.sampled_from([1 << 12, 1 << 20]))
def test_every_value_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given_: list[Any], memory: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = [{"v": v, "pad": "x" * 300} for v in given_]
    write(folder / "a.jsonl", rows)
    made = spec(folder, {"files": "a.jsonl"}, {"v": "v", "pad": "pad"}, block_rows=7)
    blocks = read_split(made, folder / "cache", memory_bytes=memory)
    for ordinal, value in zip(values(blocks, "_ordinal"), values(blocks, "v"), strict=True):
        assert repr(value) == repr(given_[ordinal])
    assert blocks.kept == len(given_)
    kept, dropped = sample(made, 1 << 20)
    found = dict(zip(values(blocks, "_ordinal"), values(blocks, "v"), strict=True))
    assert {r["_ordinal"]: repr(r["v"]) for r in kept} == {k: repr(v) for k, v in found.items()}
    assert [d.reason for d in dropped] == blocks.dropped()["reason"].to_pylist()


@pytest.mark.parametrize("first", [0, 390])
@pytest.mark.parametrize("odd", [2.5, {"x": 1}])
def test_one_odd_value_changes_no_other(tmp_path: Path, first: int, odd: Any) -> None:
    same: Any = 5 if odd == 2.5 else {"x": 1, "y": None}
    rows = [{"m": odd if i == first else same, "n": i} for i in range(400)]
    write(tmp_path / "a.jsonl", rows)
    made = spec(tmp_path, {"files": "a.jsonl"}, {"m": "m", "n": "n"})
    small = read_split(made, tmp_path / "small", memory_bytes=1 << 12)
    assert sorted(map(repr, values(small, "m"))) == sorted(repr(r["m"]) for r in rows)
    large = read_split(made, tmp_path / "large")
    assert small.column_digests == large.column_digests
    schema = small.block(0).schema
    assert [is_json(schema.field(n)) for n in ("m", "n")] == [True, False]


def test_where_and_field_errors(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": ["x"]}, {"a": []}, {}, {"a": ["z"]}])
    made = spec(tmp_path, {"files": "a.jsonl"}, {"first": "a[0]"}, where="first != 'z'")
    blocks = read_split(made, tmp_path / "cache")
    assert blocks.dropped()["reason"].to_pylist() == [
        "field first: no item 0",
        "field first: no 'a'",
        "where",
    ]


def test_a_second_read_opens_the_first(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": 1}])
    made = spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"})
    first = read_split(made, tmp_path / "cache")
    stamp = (first.folder / "blocks.arrow").stat().st_mtime_ns
    assert (
        read_split(made, tmp_path / "cache").folder / "blocks.arrow"
    ).stat().st_mtime_ns == stamp
    write(tmp_path / "a.jsonl", [{"a": 2}])
    assert values(read_split(made, tmp_path / "cache"), "a") == [2]


def test_no_rows_at_all(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [])
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert (blocks.rows, blocks.kept, blocks.block_rows) == (0, 0, ())


def test_joins(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"k": 1, "a": "x"}, {"k": 2, "a": "y"}, {"k": 9, "a": "z"}])
    (tmp_path / "labels.lst").write_text("0\n1\n1\n")
    by_line = {"files": "a.jsonl", "join": {"files": "labels.lst"}}
    blocks = read_split(
        spec(tmp_path, by_line, {"a": "a", "label": "text | int"}), tmp_path / "cache"
    )
    assert sorted(zip(values(blocks, "a"), values(blocks, "label"), strict=True)) == [
        ("x", 0),
        ("y", 1),
        ("z", 1),
    ]
    (tmp_path / "labels.lst").write_text("0\n1\n")
    with pytest.raises(
        FlancompileError, match="the joined file ends at row 2, the other continues"
    ):
        read_split(spec(tmp_path, by_line, {"a": "a", "label": "text | int"}), tmp_path / "cache")
    write(tmp_path / "b.jsonl", [{"id": 1, "v": "one"}, {"id": 2, "v": "two"}])
    by_key = {
        "files": "a.jsonl",
        "join": {"files": "b.jsonl", "by": "key", "key": "k", "other": "id", "prefix": "b_"},
    }
    blocks = read_split(spec(tmp_path, by_key, {"a": "a", "v": "b_v"}), tmp_path / "cache")
    assert sorted(values(blocks, "v")) == ["one", "two"]
    assert blocks.dropped()["reason"].to_pylist() == ["join: no row with id = 9 in the second file"]


def test_nulls_join_nothing(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl", [{"k": None, "a": "x"}, {"k": "None", "a": "y"}, {"k": 1, "a": "z"}]
    )
    write(tmp_path / "b.jsonl", [{"k": None, "v": "null"}, {"k": 1, "v": "one"}])
    join = {"files": "b.jsonl", "by": "key", "key": "k"}
    source = {"files": "a.jsonl", "join": join}
    blocks = read_split(spec(tmp_path, source, {"a": "a", "v": "v"}), tmp_path / "cache")
    assert values(blocks, "v") == ["one"]
    assert blocks.dropped()["reason"].to_pylist() == [
        "join: 'k' is null",
        "join: no row with k = 'None' in the second file",
    ]


def test_a_place_may_leave_rows_out(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"n": i} for i in range(6)])
    source = {"files": "a.jsonl", "columns": {"m": "n * 2"}, "where": "m > 4"}
    made = spec(tmp_path, source, {"m": "m"})
    blocks = read_split(made, tmp_path / "cache")
    assert sorted(values(blocks, "m")) == [6, 8, 10]
    assert blocks.dropped()["reason"].to_pylist() == ["where"] * 3
    assert [r["n"] for r in column_rows(made, 10)] == [3, 4, 5]
    other = spec(tmp_path, {**source, "where": "m > 6"}, {"m": "m"})
    assert read_split(other, tmp_path / "cache").kept == 2


def test_explode_sees_the_variable_of_for_each(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"x": {"en": ["a", "b"], "de": ["c"]}}])
    source = {"files": "a.jsonl", "explode": {"item": "x[lang.name]"}}
    made = spec(tmp_path, source, {"item": "item"}, variable=("lang", {"name": "en"}))
    assert sorted(values(read_split(made, tmp_path / "cache"), "item")) == ["a", "b"]


def test_lines_of_a_text_are_columns_by_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("q1\na1\n\nq2\na2\n")
    source = {"files": "a.txt", "read": {"blank": True}, "columns": {"q": "lines[0]"}}
    blocks = read_split(spec(tmp_path, source, {"q": "q", "a": "lines[1]"}), tmp_path / "cache")
    assert sorted(zip(values(blocks, "q"), values(blocks, "a"), strict=True)) == [
        ("q1", "a1"),
        ("q2", "a2"),
    ]


def test_places_and_their_mistakes(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [{"a": 1}])
    source = Source.model_validate(
        {"hub": "x/y", "places": {"disk": {"files": {"train": "train.jsonl"}}}}
    )
    chosen = resolve_place(source, PlaceChoice(place="disk"), "train", tmp_path, None)
    assert [Path(f).name for f in chosen.files] == ["train.jsonl"]
    for choice, split, message in (
        (PlaceChoice(place="dsik"), "train", "did you mean 'disk'"),
        (PlaceChoice(place="disk"), "trian", "did you mean 'train'"),
        (PlaceChoice(files="tarin.jsonl"), "train", "did you mean 'train.jsonl'"),
        (PlaceChoice(files="*.tsv"), "train", "there is no file"),
    ):
        with pytest.raises(FlancompileError, match=message):
            resolve_place(source, choice, split, tmp_path, tmp_path)


def test_a_hub_dataset_from_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    folder = tmp_path / "repo"
    folder.mkdir()
    write(folder / "train.jsonl", [{"a": i} for i in range(30)])
    made = spec(tmp_path, {"hub": str(folder)}, {"a": "a"})
    assert sorted(values(read_split(made, tmp_path / "cache"), "a")) == list(range(30))


def test_a_hub_dataset_that_is_not_here_says_so_offline(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(FlancompileError, match="offline mode") as caught:
        read_split(spec(tmp_path, {"hub": "nobody/nothing"}, {"a": "a"}), tmp_path / "cache")
    assert caught.value.code == "FC306"


def test_a_sample_reads_the_head(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": i} for i in range(100)])
    rows, dropped = sample(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}, where="a > 1"), 5)
    assert [r["a"] for r in rows] == [2, 3, 4, 5, 6]
    assert len(dropped) == 2


def test_for_each_reaches_paths_and_fields(tmp_path: Path) -> None:
    write(tmp_path / "de.jsonl", [{"a": 1}])
    made = spec(
        tmp_path,
        {"files": "{{ lang.name }}.jsonl"},
        {"l": "lang.title"},
        variable=("lang", {"name": "de", "title": "German"}),
    )
    assert values(read_split(made, tmp_path / "cache"), "l") == ["German"]


def test_rows_that_cannot_be_stored_are_dropped(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(80):
        deep = [deep]
    lines = [
        {"id": "1", "a": "x"},
        {"id": "\ud800", "a": "x"},
        {"id": "3", "a": "x", "b": deep},
        {"id": "4", "a": "x", "b": [1]},
    ]
    write(tmp_path / "a.jsonl", lines)
    made = spec(
        tmp_path, {"files": "a.jsonl", "id": "id"}, {"a": "a", "b": "row.b | default(none)"}
    )
    read = read_split(made, tmp_path / "cache")
    assert sorted(values(read, "_id")) == ["1", "3", "4"]
    assert read.dropped()["reason"].to_pylist() == ["id: a lone surrogate in the text"]
    at = values(read, "_id").index("3")
    assert values(read, "_gap:b")[at] == "field b: nested too deep"
    assert read.gaps == ((("b",), 1),) and read.rows_with(["a"]) == 3 and read.rows_with(["b"]) == 2


def test_a_reason_may_quote_half_a_character(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": 1}, {"a": [1], "\ud800": 2}])
    made = spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}, where="[1].x == a")
    read = read_split(made, tmp_path / "cache")
    assert read.kept == 0 and len(read.dropped()) == 2


def test_a_glob_takes_files_alone(tmp_path: Path) -> None:
    write(tmp_path / "a1.jsonl", [{"a": 1}])
    (tmp_path / "a0").mkdir()
    (tmp_path / "a2.jsonl").mkdir()
    found = resolve_place(Source(files="a*"), None, "train", tmp_path, None)
    assert [Path(f).name for f in found.files] == ["a1.jsonl"]
    with pytest.raises(FlancompileError, match="is a folder"):
        resolve_place(Source(files="a0"), None, "train", tmp_path, None)


def test_names_of_let_are_worked_out_in_order_and_kept_nowhere(tmp_path: Path) -> None:
    rows = [{"id": 1, "t": " A b "}, {"id": 2, "t": 3}, {"id": 3, "t": "no"}, {"id": 4, "t": " c "}]
    write(tmp_path / "a.jsonl", rows)
    made = spec(
        tmp_path,
        {"files": "a.jsonl", "id": "id"},
        {"first": "parts[0]", "t": "t", "many": "parts | length"},
        let={"t": "t.strip()", "parts": "t | lower | words"},
        where="first != 'no' and parts",
    )
    blocks = read_split(made, tmp_path / "cache")
    assert blocks.columns == ("first", "t", "many")
    assert sorted(zip(*(values(blocks, n) for n in blocks.columns), strict=True)) == [
        ("a", "A b", 2), ("c", "c", 1),
    ]  # fmt: skip
    dropped = blocks.dropped().to_pylist()
    assert [(d["id"], d["reason"].split(":")[0]) for d in dropped] == [
        ("2", "let t"),
        ("3", "where"),
    ]


def test_an_id_may_be_made_of_let(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"a": "x y"}, {"a": "z"}])
    source = {"files": "a.jsonl", "id": "head"}
    rows, _ = sample(spec(tmp_path, source, {"a": "a"}, let={"head": "a | words | first"}), 9)
    assert [r["_id"] for r in rows] == ["x", "z"]
