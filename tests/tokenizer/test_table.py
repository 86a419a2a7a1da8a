"""Hash tables of texts: growth and lookup."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.tokenizer.table import grown, intern, rehash

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=60)


def find(slots: np.ndarray, hashes: np.ndarray, value: int) -> list[int]:
    """Entries with this hash, probed as the encoders do."""
    mask = len(slots) - 1
    slot = (value ^ (value >> 29)) & mask
    found = []
    while slots[slot] >= 0:
        if int(hashes[slots[slot]]) == value:
            found.append(int(slots[slot]))
        slot = (slot + 1) & mask
    return found


@settings(deadline=None)  # the first call compiles
@given(HASHES, st.booleans())
def test_every_entry_is_found_by_its_hash(values: list[int], collide: bool) -> None:
    values = [v & ~0x3FFFFFFFF if collide else v for v in values]  # the same slot for all
    hashes = np.array(values, np.uint64)
    slots = np.full(128, -1, np.int32)
    rehash(slots, hashes, len(values))
    assert sorted(slots[slots >= 0].tolist()) == list(range(len(values)))
    found = [find(slots, hashes, value) for value in values]
    assert found == [[i for i, v in enumerate(values) if v == value] for value in values]


def test_entries_beyond_the_count_are_not_inserted() -> None:
    slots = np.full(8, -1, np.int32)
    rehash(slots, np.arange(5, dtype=np.uint64), 2)
    assert sorted(slots[slots >= 0].tolist()) == [0, 1]


def test_a_grown_array_is_zero_beyond_its_old_length() -> None:
    out = grown(np.array([1, 2, 3], np.uint32), 5)
    assert out.tolist() == [1, 2, 3, 0, 0] and out.dtype == np.uint32


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=3), max_size=12), min_size=1, max_size=4))
def test_texts_are_numbered_in_the_order_of_their_first_appearance(
    batches: list[list[bytes]],
) -> None:
    """Against a dictionary, in a table so full that probes meet other texts."""
    most = sum(map(len, batches)) + 1
    slots = np.full(1 << most.bit_length(), -1, np.int32)
    hashes, starts = np.zeros(most, np.uint64), np.zeros(most + 1, np.int64)
    letters, count = np.zeros(3 * most, np.uint8), np.zeros(1, np.int64)
    numbers: dict[bytes, int] = {}
    for texts in batches:
        data = np.frombuffer(b"".join(texts), np.uint8)
        ends = np.cumsum([len(t) for t in texts], dtype=np.int64)
        begins = ends - np.array([len(t) for t in texts], np.int64)
        found = np.empty(len(texts), np.int64)
        intern(data, begins, ends, slots, hashes, starts, letters, count, found)
        assert found.tolist() == [numbers.setdefault(t, len(numbers)) for t in texts]
    assert count.tolist() == [len(numbers)]
    stored = [letters[a:b].tobytes() for a, b in pairwise(starts)]
    assert stored[: len(numbers)] == list(numbers)
