"""Fragments of a block that its epochs share under one tokenizer."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
from made_tasks import BYTES, made_rows, pools_of, row_set, spec_of, task_of

from flancompile.compiler.columns.ropes.fragment_cache import FragmentCache
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.tokenizer.tokenizer import Tokenizer

ROWS = made_rows(5, 12, plain=True)
SHARED = BlockCache()
ARMS = ArmShares(options=(1.0, 1.0), cot=(0.0, 1.0))


def made(segments: SegmentCache, epoch: int = 0, **more: Any) -> pa.Table:
    about = {
        "templates": [
            {"input": "{{ q | upper }} {{ kind }}{{ options }}", "target": "{{ gold }}"},
            {"input": "{{ q }}", "target": "{{ a }}"},
        ],
        "choices": {"options": "xs", "gold": "xs[0]"},
    }
    task = task_of({**about, **more})
    assert task is not None
    block = replace(row_set(task, ROWS, 0, epoch), shared=SHARED)
    ids = pa.array([str(i) for i in range(len(ROWS))]), pa.array(range(len(ROWS)))
    spec, pools = spec_of(task, ARMS), pools_of(task, block, [])
    return examples_of(
        spec, (block, *ids), pools, segments.tokenizer, Budget(total=2000), segment_cache=segments
    )


def entries(cache: FragmentCache) -> dict[Any, int]:
    """The identity of each cached value."""
    tables: tuple[dict[Any, Any], ...] = (cache.printed, cache.options, cache.forms)
    return {(n, key): id(value) for n, table in enumerate(tables) for key, value in table.items()}


def test_a_later_epoch_takes_the_fragments_of_the_first() -> None:
    segments = SegmentCache(BYTES)
    for epoch in range(6):  # in which each row has both templates in both arms
        made(segments, epoch)
    before, count = entries(segments.fragment_cache), int(segments.fragments.count[0])
    for epoch in range(6, 10):
        assert made(segments, epoch).equals(made(SegmentCache(BYTES), epoch))
    assert entries(segments.fragment_cache) == before
    assert len(before) > 6 and count > len(ROWS)
    assert int(segments.fragments.count[0]) == count


def test_fragments_of_a_field_are_its_texts_under_the_filters() -> None:
    segments = SegmentCache(BYTES)
    for epoch in range(3):
        made(segments, epoch)
    found = {}
    for (name, filters), (numbers, fallback) in segments.fragment_cache.printed.items():
        assert fallback is None
        found[name, filters is None] = segments.fragments.texts(Ropes.single(numbers)).to_pylist()
    texts = [row["q"] for row in ROWS]
    assert found == {
        ("q", True): texts, ("q", False): [t.upper() for t in texts], ("a", True): [r["a"] for r in ROWS],
        ("kind", True): [r["kind"] for r in ROWS],
    }  # fmt: skip


def test_an_entry_of_options_keeps_its_list_alive() -> None:
    """Entries are found by the identity of the lists, which must not be given to another object."""
    segments = SegmentCache(BYTES)
    made(segments)
    made(segments, choices={"options": ["yes", "no", "maybe"], "gold": "a"})
    cached = segments.fragment_cache.options
    assert len(cached) == 2
    for key, (lists, numbers) in cached.items():
        assert key == id(lists)
        texts = segments.fragments.texts(Ropes.single(numbers)).to_pylist()
        assert texts == lists.flat.to_pylist()  # type: ignore[attr-defined]


def test_a_target_s_exactness_is_that_of_its_text(pieces: Tokenizer) -> None:
    segments = SegmentCache(pieces)
    tables = [made(segments, epoch) for epoch in range(3)]
    known = segments.fragment_cache.exact
    targets = list(known)
    assert list(known.values()) == pieces.exact(targets, pieces.encode(targets)).tolist()
    assert {"yes", "no"} & set(targets)
    assert all(table["exact"].null_count == 0 for table in tables)
