"""The link pass: the examples of all streams in one shuffled order, against a naive list."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import BARE, Row, ensured, object_table, stream_of

from flancompile import draw
from flancompile.compiler.link.link import Linked, link
from flancompile.compiler.link.quota import Quotas
from flancompile.compiler.objects.build import write_object
from flancompile.compiler.objects.streams import Stream, Streams
from flancompile.compiler.special_tokens import NONE, FrameIds

FRAME = FrameIds("decoder", 1, 2, 2)
Named = tuple[str, int, int]  # task, epoch, row digest

ROWS = st.lists(
    st.sampled_from(["where", (4, 1), (3, 2), (9, 9), (5, 1, 2, 1), (1, 1, 1, 1, 1, 1)]),
    min_size=1,
    max_size=5,
)
BLOCKS = st.lists(ROWS, min_size=1, max_size=3)


def linked(streams: Streams, counts: dict[str, int], frame: FrameIds = BARE) -> Linked:
    return link(streams, Quotas(counts, counts), frame, seed=5)


def naive_examples(stream: Stream, count: int) -> list[tuple[Named, tuple[int, ...]]]:
    """The first examples of a stream and their loss spans, row by row."""
    found = []
    for piece in stream.pieces:
        spans = dict(zip(piece.usable.tolist(), piece.loss_spans.tolist(), strict=True))
        digests = dict(zip(piece.usable.tolist(), piece.digests.tolist(), strict=True))
        found += [
            ((stream.id, piece.epoch, digests[row]), tuple(spans[row])) for row in sorted(spans)
        ]
    return found[:count]


def names(found: Linked) -> list[Named]:
    """Each example's task, epoch and row, by id."""
    return [
        (t.stream.id, t.piece.epoch, digest)
        for t in found.taken
        for digest in t.piece.digests[: t.count].tolist()
    ]


@settings(max_examples=15)
@given(
    st.lists(BLOCKS, min_size=1, max_size=3),
    st.lists(st.integers(0, 12), min_size=3, max_size=3),
)
def test_examples_are_those_of_a_naive_list(
    tmp_path_factory: pytest.TempPathFactory, tasks: list[Any], counts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("objects")
    streams = ensured(
        [stream_of(folder, f"{n}/qa", t) for n, t in zip("cab", tasks, strict=False)], 12
    )
    wanted = {
        i: min(n, s.usable) for (i, s), n in zip(streams.streams.items(), counts, strict=False)
    }
    found = linked(streams, wanted, FRAME)
    naive = [e for i in sorted(wanted) for e in naive_examples(streams.streams[i], wanted[i])]
    assert names(found) == [name for name, _ in naive]
    framed = []
    for _, spans in naive:  # bos before the first span, join after a prompt, eos after a target
        framed.append([s + 1 for s in spans])
        framed[-1][0] += 1
    assert found.loss_spans.tolist() == framed
    assert found.lengths.tolist() == [[sum(s[::2]), sum(s[1::2])] for s in framed]
    keys = [int(draw.bits(5, "shuffle", i, [digest], epoch)[0]) for (i, epoch, digest), _ in naive]
    assert found.order.tolist() == sorted(range(len(naive)), key=lambda k: keys[k])
    assert len(found) == len(naive) == sum(wanted.values())
    ends = [t.first + t.count for t in found.taken]
    assert [t.first for t in found.taken] == [0, *ends][: len(ends)]
    assert all(t.count > 0 and len(t.rows) == t.count for t in found.taken)


def test_a_further_task_leaves_the_order_of_the_others(tmp_path: Path) -> None:
    streams = ensured([stream_of(tmp_path, f"{n}/qa", [[(3, 1)] * 40]) for n in "abc"], 80)
    few = linked(streams, {"a/qa": 60, "c/qa": 50})
    many = linked(streams, {"a/qa": 60, "b/qa": 70, "c/qa": 50})
    orders = [[names(found)[i] for i in found.order] for found in (few, many)]
    assert orders[0] == [name for name in orders[1] if name[0] != "b/qa"]
    assert len(orders[1]) == 180


def test_tasks_and_epochs_are_mixed(tmp_path: Path) -> None:
    streams = ensured([stream_of(tmp_path, f"{n}/qa", [[(3, 1)] * 200]) for n in "ab"], 400)
    found = linked(streams, {"a/qa": 400, "b/qa": 400})
    order = [names(found)[i] for i in found.order]
    for part in np.split(np.arange(800), 4):
        from_a = sum(order[i][0] == "a/qa" for i in part)
        first = sum(order[i][1] == 0 for i in part)
        assert 70 < from_a < 130 and 70 < first < 130


def test_inexact_targets_are_counted_among_the_taken(tmp_path: Path) -> None:
    rows: list[Row] = [(3, 1), "where", (3, 1), (3, 1)]
    stream = stream_of(tmp_path, "a/qa", [rows])
    write_object(Path(stream.job(0, 0).path), object_table(rows, inexact=(0, 1, 3)))
    streams = ensured([stream], 1)
    assert linked(streams, {"a/qa": 2}).inexact == 1
    assert linked(streams, {"a/qa": 3}).inexact == 2


def test_no_example_is_an_empty_order(tmp_path: Path) -> None:
    streams = ensured([stream_of(tmp_path, "a/qa", [["where"]])], 1)
    found = linked(streams, {"a/qa": 0}, FrameIds("decoder", NONE, NONE, 2))
    assert (len(found), found.taken, found.inexact) == (0, (), 0)
    assert found.order.tolist() == []
    assert found.lengths.shape == (0, 2)
