from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from toys import Library

import flancompile.feed
from flancompile.errors import FlancompileError
from flancompile.feed import Feed


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("feed")
    library = Library(root / "library")
    library.dataset()
    library.mixture(shots={0: 1, 2: 1})
    library.recipe(size={"examples": 400})
    library.recipe("e", layout="encoder_decoder", lengths={"input": 256, "target": 32})
    library.recipe("s", seed=9, size={"examples": 400})
    return {r: library.compile(root / r, root / "cache", r).path for r in ("r", "e", "s")}


@pytest.fixture(params=["r", "e"])
def feed(request: pytest.FixtureRequest, builds: dict[str, Path]) -> Feed:
    return flancompile.feed.open(builds[request.param], batch_packs=6, seed=3)


def test_an_epoch_sees_every_pack_once(feed: Feed) -> None:
    packs = len(feed.build.packs)
    steps = 2 * packs // np.gcd(packs, 6)
    seen = np.concatenate([feed.indexes(s) for s in range(steps)])
    for epoch in range(2):
        assert sorted(seen[epoch * packs : (epoch + 1) * packs]) == list(range(packs))
    assert seen[:packs].tolist() != seen[packs : 2 * packs].tolist()


@pytest.mark.parametrize("hosts", [1, 2, 3, 6])
def test_hosts_share_one_global_batch(feed: Feed, hosts: int) -> None:
    whole = feed.batch(5)
    parts = [feed.batch(5, host, hosts) for host in range(hosts)]
    for name, array in whole.items():
        assert np.array_equal(np.concatenate([p[name] for p in parts]), array)
    assert feed.stream_hash(4, hosts) == feed.stream_hash(4)


def test_a_batch_depends_on_its_step_alone(feed: Feed) -> None:
    ahead = feed.batch(40)
    for step in range(3):
        feed.batch(step)
    again = flancompile.feed.open(feed.build.path, batch_packs=6, seed=3).batch(40)
    assert all(np.array_equal(ahead[n], again[n]) for n in ahead)


def test_shapes_and_masks(builds: dict[str, Path]) -> None:
    batch = flancompile.feed.open(builds["r"], 4).batch(0)
    assert {n: (a.dtype.name, a.shape) for n, a in batch.items()} == {
        "tokens": ("int32", (4, 512)), "segment_ids": ("int32", (4, 512)),
        "positions": ("int32", (4, 512)), "loss_weights": ("float32", (4, 512)),
    }  # fmt: skip
    assert ((batch["loss_weights"] > 0) <= (batch["segment_ids"] > 0)).all()
    ends = batch["loss_weights"][:, :-1] > batch["loss_weights"][:, 1:]
    assert (batch["tokens"][:, :-1][ends] == 2).all()
    batch = flancompile.feed.open(builds["e"], 4).batch(0)
    assert batch["inputs"].shape == (4, 256)
    assert batch["targets_segment_ids"].max() == batch["inputs_segment_ids"].max()


def test_build_order_without_a_seed(builds: dict[str, Path]) -> None:
    assert flancompile.feed.open(builds["r"], 4, None).indexes(1).tolist() == [4, 5, 6, 7]


def test_resume_goes_on_with_the_next_step(feed: Feed) -> None:
    state = feed.state(17)
    assert feed.resume(type(state)(**state.as_dict())) == 17


def test_another_build_s_state_is_refused(builds: dict[str, Path]) -> None:
    state = flancompile.feed.open(builds["r"], 4).state(3)
    other = flancompile.feed.open(builds["s"], 4)
    with pytest.raises(FlancompileError, match="root_digest") as caught:
        other.resume(state)
    assert caught.value.code == "FC511"
    with pytest.raises(FlancompileError, match="batch_packs 4, here 8"):
        flancompile.feed.open(builds["r"], 8).resume(state)


@pytest.mark.parametrize(
    ("host", "hosts", "step"), [(0, 4, 0), (2, 2, 0), (0, 1, -1), (0, 0, 0), (-1, 2, 0)]
)
def test_impossible_batches(builds: dict[str, Path], host: int, hosts: int, step: int) -> None:
    feed = flancompile.feed.open(builds["r"], 6)
    with pytest.raises(FlancompileError) as caught:
        feed.batch(step, host, hosts)
    assert caught.value.code == "FC510"


def test_iteration_ahead_is_the_same(feed: Feed) -> None:
    found = list(feed.iterate(3, stop=7))
    assert [s for s, _ in found] == [3, 4, 5, 6]
    assert all(np.array_equal(b[n], feed.batch(s)[n]) for s, b in found for n in b)


def test_iteration_ends_with_its_consumer(feed: Feed) -> None:
    import threading

    stream = feed.iterate()
    next(stream)
    assert isinstance(stream, Generator)
    stream.close()
    assert not any(t.name == "feed" and t.is_alive() for t in threading.enumerate())


def test_an_error_ahead_reaches_the_consumer(feed: Feed) -> None:
    with pytest.raises(FlancompileError):
        list(feed.iterate(0, host=0, hosts=5, stop=2))


def test_views_are_the_batch_without_a_copy(feed: Feed) -> None:
    batch, views = feed.batch(4, 1, 2), feed.views(4, 1, 2)
    assert set(views) == set(feed.build.packs.columns)
    for name, packs in views.items():
        assert np.array_equal(np.stack(packs), batch[name])
        assert not any(p.flags.owndata or p.flags.writeable for p in packs)
    with pytest.raises(IndexError, match="packs 0 to"):
        feed.build.packs.views(np.array([0, len(feed.build.packs)]))
