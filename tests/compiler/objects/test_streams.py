"""Streams: objects in the order (epoch, block), as many as a count needs; against a naive list."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import BARE, Row, ensured, object_table, stream_of

from flancompile.compiler.objects.build import WORK, write_object
from flancompile.compiler.objects.streams import EMPTY_EPOCHS, Stream, Streams
from flancompile.compiler.special_tokens import FrameIds

DROPPED = "the input is empty"
ROW = st.sampled_from([DROPPED, (4, 1), (2, 3), (1, 1, 2, 2)])
EPOCH = st.lists(st.lists(ROW, min_size=1, max_size=4), min_size=1, max_size=3)


def naive_lengths(
    epochs: list[list[list[Row]]], cap: int | None, max_epochs: float | None, count: int
) -> list[list[int]]:
    """The framed lengths of the first `count` examples, epoch by epoch and row by row."""
    found: list[list[int]] = []
    number = 0
    while len(found) < count and (max_epochs is None or number < math.ceil(max_epochs)):
        blocks = epochs[min(number, len(epochs) - 1)]
        # Rows within the cap are counted by the first epoch's blocks, which all epochs share.
        rows = [row for block in blocks for row in block][:cap]
        found += [[sum(r[::2]), sum(r[1::2])] for r in rows if not isinstance(r, str)]
        number += 1
        if not found:
            return []  # a task whose first epoch gives nothing is left
    return found[:count]


@settings(max_examples=40)
@given(
    EPOCH,
    st.none() | st.integers(1, 9),
    st.none() | st.sampled_from([0.5, 1, 2, 2.5]),
    st.lists(st.integers(1, 25), min_size=1, max_size=3),
)
def test_examples_are_those_of_a_naive_list(
    tmp_path_factory: pytest.TempPathFactory,
    blocks: Any,
    cap: int | None,
    max_epochs: float | None,
    counts: list[int],
) -> None:
    # Later epochs lose rows, or else, where they may go on for ever, have other lengths.
    later = [
        [DROPPED, *block[1:]] if max_epochs else [r if r == DROPPED else (7, 7) for r in block]
        for block in blocks
    ]
    stream = stream_of(
        tmp_path_factory.mktemp("o"), "a/qa", blocks, later, cap_rows=cap, max_epochs=max_epochs
    )
    for count in counts:  # one after the other, as the search for a size in tokens does
        ensured([stream], count)
        wanted = naive_lengths([blocks, later], cap, max_epochs, count)
        if max_epochs is not None:
            first = naive_lengths([blocks, later], cap, 1, 10**6)
            wanted = wanted[: int(max_epochs * len(first))]
        limit = stream.limit()
        most = count if limit is None else min(count, limit)
        assert stream.lengths(most).tolist() == wanted
    within = len(stream.blocks)
    places = [(p.epoch, p.block) for p in stream.pieces]
    assert places == [(n // within, n % within) for n in range(len(places))]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 40))
def test_no_object_is_built_beyond_the_count(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], count: int
) -> None:
    blocks: list[list[Row]] = [[(3, 1)] * size for size in sizes]
    stream = stream_of(tmp_path_factory.mktemp("o"), "a/qa", blocks)
    ensured([stream], count)
    assert stream.usable >= count > stream.usable - len(stream.pieces[-1].usable)


def test_a_cap_cuts_the_block_that_it_falls_in(tmp_path: Path) -> None:
    blocks: list[list[Row]] = [[(3, 1)] * 4, [DROPPED, (3, 1), (3, 1), (3, 1)], [(3, 1)] * 4]
    stream = stream_of(tmp_path, "a/qa", blocks, cap_rows=6, max_epochs=1)
    assert stream.blocks == [4, 4]  # the third block is beyond the cap
    ensured([stream], 100)
    assert [p.usable.tolist() for p in stream.pieces] == [[0, 1, 2, 3], [1]]
    assert (stream.usable, stream.usable_rows, stream.limit(), stream.ended) == (5, 5, 5, True)


def test_a_task_without_an_example_ends_after_an_epoch(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, "a/qa", [[DROPPED] * 3, [DROPPED]], [[(3, 1)] * 3, [(3, 1)]])
    ensured([stream], 1)  # as quotas ask of each task before they count
    ensured([stream], 10)
    assert (len(stream.pieces), stream.ended, stream.limit()) == (2, True, 0)
    assert stream.lengths(10).shape == (0, 2)


@pytest.mark.parametrize("blocks", [[[(3, 1)] * 3], [[DROPPED], [(3, 1)]]])
def test_a_task_whose_later_epochs_give_nothing_ends(tmp_path: Path, blocks: Any) -> None:
    stream = stream_of(tmp_path, "a/qa", blocks, [[DROPPED] * len(block) for block in blocks])
    first = sum(row != DROPPED for block in blocks for row in block)
    ensured([stream], first + 1)
    assert (stream.ended, stream.limit()) == (True, first)
    assert len(stream.pieces) >= (1 + EMPTY_EPOCHS) * len(blocks)


def test_a_split_without_rows_gives_nothing(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, "a/qa", [])
    ensured([stream], 10)
    assert (stream.pieces, stream.usable) == ([], 0)
    assert stream.lengths(10).shape == (0, 2)


def test_the_limit_of_epochs_is_known_after_the_first(tmp_path: Path) -> None:
    blocks: list[list[Row]] = [[(3, 1), DROPPED], [(3, 1), (3, 1)]]
    stream = stream_of(tmp_path, "a/qa", blocks, max_epochs=1.5)
    ensured([stream], 1)
    assert (stream.limit(), len(stream.pieces)) == (None, 1)
    ensured([stream], 3)
    assert stream.limit() == 4  # 1.5 of 3 examples
    ensured([stream], 9)
    assert (stream.limit(), stream.usable) == (4, 4)


@pytest.mark.parametrize(("count", "granted", "pieces"), [(1, 1, 1), (3, 3, 2), (6, 5, 3)])
def test_a_limit_under_one_epoch_holds_before_the_epoch_is_read(
    tmp_path: Path, count: int, granted: int, pieces: int
) -> None:
    blocks: list[list[Row]] = [[(3, 1)] * 4] * 3
    stream = stream_of(tmp_path, "a/qa", blocks, max_epochs=0.45)
    ensured([stream], count)
    limit = stream.limit()
    assert (count if limit is None else min(count, limit)) == granted  # 0.45 of 12 examples
    assert len(stream.pieces) == pieces  # no more than show that the limit holds


def test_lengths_are_those_with_the_frame(tmp_path: Path) -> None:
    frame = FrameIds("decoder", 1, 2, 2)
    rows: list[Row] = [(3, 1), (1, 1, 2, 2)]
    stream = stream_of(tmp_path, "a/qa", [rows], frame=frame)
    ensured([stream], 2)
    assert stream.lengths(2).tolist() == [[5, 2], [3 + 3, 3 + 2]]
    assert stream.pieces[0].loss_spans.tolist() == [[3, 1], [1, 1, 2, 2]]


def test_a_count_of_several_tasks_builds_each_and_reports_progress(tmp_path: Path) -> None:
    streams = [stream_of(tmp_path, f"{n}/qa", [[(3, 1)] * 5] * 3) for n in "abc"]
    told: list[tuple[int, int]] = []
    whole = Streams({s.id: s for s in streams}, progress=lambda *at: told.append(at))
    whole.ensure({"a/qa": 12, "b/qa": 4, "c/qa": 0})
    assert [len(s.pieces) for s in streams] == [3, 1, 0]
    assert told == [(n, 4) for n in range(1, 5)]
    whole.ensure({"a/qa": 12, "b/qa": 4})
    assert len(told) == 4  # nothing is missing
    assert (whole.found, whole.built) == (4, 0)  # the objects of these tests are there before


def test_work_is_summed_over_objects(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, "a/qa", [[(3, 1)]])
    for epoch, work in enumerate(
        ({"rows": {"by row": 2}}, {"rows": {"by row": 1, "by column": 5}})
    ):
        table = object_table([(3, 1)])
        text = str(work).replace("'", '"')
        write_object(Path(stream.job(0, epoch).path), table.replace_schema_metadata({WORK: text}))
    whole = ensured([stream, stream_of(tmp_path, "b/qa", [[(3, 1)]])], 2)
    assert whole.work() == {"rows": {"by row": 3, "by column": 5}}


def test_a_stream_knows_its_task_and_frame() -> None:
    stream = stream_of(Path("nowhere"), "a/qa", [[(3, 1)]])
    assert isinstance(stream, Stream)
    assert (stream.id, stream.frame, stream.limit()) == ("a/qa", BARE, None)
