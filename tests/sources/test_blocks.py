import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.source import PlaceChoice, Source
from flancompile.errors import FlancompileError
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_split, sample
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
    return [
        v for i in range(len(blocks.block_rows)) for v in blocks.block(i).column(name).to_pylist()
    ]


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


@pytest.mark.parametrize("memory", [1 << 12, 1 << 18, 1 << 28])
def test_memory_changes_no_byte(tmp_path: Path, memory: int) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"a": "x" * int(rng.integers(0, 400)), "n": i % 7 or None, "l": ["y"] * (i % 3)}
        for i in range(3000)
    ]
    write(tmp_path / "a.jsonl", rows)
    made = spec(tmp_path, {"files": "a.jsonl"}, {"a": "a", "n": "n", "l": "l"}, block_rows=500)
    one = read_split(made, tmp_path / "one")
    other = read_split(made, tmp_path / "other", memory_bytes=memory)
    assert one.column_digests == other.column_digests
    assert (one.folder / "blocks.arrow").read_bytes() == (
        other.folder / "blocks.arrow"
    ).read_bytes()
    assert one.folder.name == other.folder.name


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


def test_rows_of_another_kind_are_dropped_with_the_reason(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl",
        [{"a": 1}, {"a": "one"}, {"a": 1.5}, {"a": None}, {"a": [1]}, {"a": 2**70}],
    )
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert sorted(values(blocks, "a"), key=str) == [1.0, 1.5, None]
    assert blocks.dropped()["reason"].to_pylist() == [
        "field a: text here, a number in rows before",
        "field a: a list here, a number in rows before",
        "field a: a number beyond 64 bits",
    ]


def test_a_lone_surrogate_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "\\ud800"}\n{"a": "fine"}\n')
    blocks = read_split(spec(tmp_path, {"files": "a.jsonl"}, {"a": "a"}), tmp_path / "cache")
    assert values(blocks, "a") == ["fine"]


def test_mappings_of_other_shapes_are_unified(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl", [{"m": {"x": i}} if i % 2 else {"m": {"y": "t"}} for i in range(400)]
    )
    blocks = read_split(
        spec(tmp_path, {"files": "a.jsonl"}, {"m": "m"}), tmp_path / "cache", memory_bytes=1 << 12
    )
    assert {frozenset(v) for v in values(blocks, "m")} == {frozenset({"x", "y"})}


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
    with pytest.raises(FlancompileError, match="the joined file ends at row 2, the other goes on"):
        read_split(spec(tmp_path, by_line, {"a": "a", "label": "text | int"}), tmp_path / "cache")
    write(tmp_path / "b.jsonl", [{"id": 1, "v": "one"}, {"id": 2, "v": "two"}])
    by_key = {
        "files": "a.jsonl",
        "join": {"files": "b.jsonl", "by": "key", "key": "k", "other": "id", "prefix": "b_"},
    }
    blocks = read_split(spec(tmp_path, by_key, {"a": "a", "v": "b_v"}), tmp_path / "cache")
    assert sorted(values(blocks, "v")) == ["one", "two"]
    assert blocks.dropped()["reason"].to_pylist() == ["join: no row with id = 9 in the second file"]


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
    with pytest.raises(FlancompileError, match="offline switch") as caught:
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
