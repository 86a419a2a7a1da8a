"""Training: devices, micro-batches, resuming, refusing."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from runs import run_of
from toys import Library

from flancompile import feed
from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.trainer.log import read_metrics, read_run
from flancompile.trainer.train import Interrupted, train


def weights(state: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in jax.tree.leaves(state)]


def losses(folder: Path) -> list[float]:
    return [m["loss"] for m in read_metrics(folder)]


@pytest.mark.slow
def test_it_learns(build: Build, folder: Path, one_device: list[Any]) -> None:
    train(run_of(steps=25), build, folder, devices=one_device)
    found = losses(folder)
    assert len(found) == 25
    assert found[-1] < 0.7 * found[0]
    line = read_metrics(folder)[-1]
    assert line["targets"] > 0 and 0 < line["accuracy"] < 1 and line["mfu"] is None
    about = read_run(folder)
    assert about["root_digest"] == build.manifest.root_digest
    assert about["attention"] == "xla" and about["device"] == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize(
    "mesh", [{"data": 8}, {"data": 2, "fsdp": 4}, {"data": 2, "fsdp": 2, "tensor": 2}]
)
def test_eight_devices_agree_with_one(
    build: Build, tmp_path: Path, one_device: list[Any], mesh: dict[str, int]
) -> None:
    one = train(run_of(), build, tmp_path / "one", devices=one_device)
    many = train(run_of(mesh=mesh), build, tmp_path / "many")
    np.testing.assert_allclose(losses(tmp_path / "one"), losses(tmp_path / "many"), rtol=1e-5)
    for a, b in zip(weights(one["params"]), weights(many["params"]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    if mesh.get("fsdp"):
        matrix = many["params"]["layers"]["mlp"]["gate_proj"]
        shard = matrix.addressable_shards[0].data
        parts = mesh["fsdp"] * mesh.get("tensor", 1)
        assert shard.size * parts == matrix.size


@pytest.mark.slow
def test_micro_batches_of_very_unequal_weight_give_the_batch_s_loss(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    counts = feed.open(build, 8, 0).batch(0)["loss_weights"].reshape(4, -1).sum(1)
    assert counts.max() > 1.2 * counts.min()
    whole = train(run_of(), build, tmp_path / "1", devices=one_device)
    parts = train(run_of(micro_batches=4), build, tmp_path / "4", devices=one_device)
    np.testing.assert_allclose(losses(tmp_path / "1"), losses(tmp_path / "4"), rtol=1e-5)
    for a, b in zip(weights(whole["params"]), weights(parts["params"]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mesh", [{"data": 1}, {"data": 2, "fsdp": 2, "tensor": 2}])
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(
    build: Build, tmp_path: Path, mesh: dict[str, int]
) -> None:
    devices = None if mesh.get("fsdp") else jax.devices()[:1]
    unbroken = train(run_of(mesh=mesh), build, tmp_path / "a", devices=devices)
    stop_requests = iter([False, False, False, True])
    with pytest.raises(Interrupted):
        train(
            run_of(mesh=mesh),
            build,
            tmp_path / "b",
            devices=devices,
            stop=lambda: next(stop_requests, True),
        )
    assert len(losses(tmp_path / "b")) == 4
    started: list[Any] = []
    resumed = train(
        run_of(mesh=mesh), build, tmp_path / "b", devices=devices, progress=started.append
    )
    assert started[0].step == 4
    for a, b in zip(weights(unbroken), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


@pytest.mark.slow
def test_it_goes_on_on_another_mesh(build: Build, tmp_path: Path, one_device: list[Any]) -> None:
    stop_requests = iter([False, False, True])
    with pytest.raises(Interrupted):
        train(
            run_of(),
            build,
            tmp_path / "b",
            devices=one_device,
            stop=lambda: next(stop_requests, True),
        )
    train(run_of(mesh={"data": 2, "fsdp": 4}), build, tmp_path / "b")
    train(run_of(), build, tmp_path / "a", devices=one_device)
    np.testing.assert_allclose(losses(tmp_path / "a"), losses(tmp_path / "b"), rtol=1e-5)


@pytest.mark.slow
def test_steps_after_the_last_checkpoint_are_logged_once(
    build: Build, folder: Path, one_device: list[Any]
) -> None:
    class GoneError(Exception):
        pass

    def progress(event: Any) -> None:
        if isinstance(event, dict) and event["step"] == 5:
            raise GoneError

    every = {"steps": 2, "keep": 1}
    with pytest.raises(GoneError):
        train(run_of(checkpoints=every), build, folder, devices=one_device, progress=progress)
    train(run_of(checkpoints=every), build, folder, devices=one_device)
    assert [m["step"] for m in read_metrics(folder)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(
    build: Build, folder: Path, one_device: list[Any]
) -> None:
    first = train(run_of(), build, folder, devices=one_device)
    again = train(run_of(), build, folder, devices=one_device)
    for a, b in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    train(run_of(steps=8), build, folder, devices=one_device)
    assert len(losses(folder)) == 8


@pytest.mark.slow
def test_a_build_whose_digest_differs_is_refused(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    train(run_of(), build, tmp_path / "run", devices=one_device)
    library = Library(tmp_path / "lib")
    library.dataset(rows=150)
    library.mixture()
    library.recipe(lengths={"pack": 256})
    other = library.compile(tmp_path / "other", tmp_path / "cache")
    with pytest.raises(FlancompileError, match=r"FC511.*another feed"):
        train(run_of(), other, tmp_path / "run", devices=one_device)


@pytest.mark.slow
def test_another_run_is_refused_and_overwrite_starts_anew(
    build: Build, folder: Path, one_device: list[Any]
) -> None:
    train(run_of(), build, folder, devices=one_device)
    other = run_of(optimizer={"learning_rate": 0.01}, z_loss=1e-4)
    with pytest.raises(FlancompileError, match=r"FC606.*optimizer, z_loss differ"):
        train(other, build, folder, devices=one_device)
    started: list[Any] = []
    train(other, build, folder, devices=one_device, overwrite=True, progress=started.append)
    assert started[0].step == 0 and len(losses(folder)) == 6


def test_a_folder_that_is_no_run_is_left_alone(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(FlancompileError, match=r"FC608"):
            train(run_of(), build, tmp_path, devices=one_device, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_is_begun_again(
    build: Build, folder: Path, one_device: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class GoneError(Exception):
        pass

    def gone(place: Path, _: Any) -> None:
        place.mkdir(parents=True)
        raise GoneError

    with monkeypatch.context() as patched, pytest.raises(GoneError):
        patched.setattr("flancompile.trainer.train.CheckpointStore", gone)
        train(run_of(steps=1), build, folder, devices=one_device)
    assert read_run(folder)["root_digest"] == build.manifest.root_digest
    train(run_of(steps=1), build, folder, devices=one_device)
    assert len(losses(folder)) == 1


@pytest.mark.parametrize("text", ['{"run": {"ru', "{}", "[]"])
def test_a_run_that_is_damaged_says_what_to_do(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "run.json").write_text(text)
    with pytest.raises(FlancompileError, match=r"FC605.*is damaged[\s\S]*help: run `train` again"):
        read_run(folder)


@pytest.mark.slow
def test_a_line_of_metrics_counts_the_work_of_its_own_steps(
    build: Build, folder: Path, one_device: list[Any]
) -> None:
    train(run_of(steps=4, log_steps=2), build, folder, devices=one_device)
    source = feed.open(build, 8, 0)
    real = [np.count_nonzero(source.batch(step)["segment_ids"]) for step in range(4)]
    lines = read_metrics(folder)
    tokens = [line["tokens_per_second"] * line["step_seconds"] * 2 for line in lines]
    assert tokens == pytest.approx([real[0] + real[1], real[2] + real[3]])


@pytest.mark.slow
def test_metrics_of_a_resumed_run_are_the_unbroken_one_s(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    about = run_of(log_steps=4)
    stop_requests = iter([False, False, True])
    with pytest.raises(Interrupted):
        train(
            about, build, tmp_path / "b", devices=one_device, stop=lambda: next(stop_requests, True)
        )
    assert losses(tmp_path / "b") == []
    train(about, build, tmp_path / "b", devices=one_device)
    train(about, build, tmp_path / "a", devices=one_device)

    def lines(name: str) -> list[dict[str, Any]]:
        timed = ("step_seconds", "tokens_per_second", "targets_per_second", "wait_share")
        return [
            {k: v for k, v in m.items() if k not in timed} for m in read_metrics(tmp_path / name)
        ]

    assert [m["step"] for m in lines("a")] == [4, 6]
    assert lines("a") == lines("b")


@pytest.mark.slow
def test_steps_are_fixed_where_the_rate_depends_on_them(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    for decay in ("cosine", "rsqrt"):
        how, out = {"learning_rate": 0.02, "decay": decay}, tmp_path / decay
        train(run_of(steps=1, optimizer=how), build, out, devices=one_device)
        longer = run_of(steps=2, optimizer=how)
        if decay == "rsqrt":
            train(longer, build, out, devices=one_device)
            continue
        with pytest.raises(FlancompileError, match=r"FC606.*steps differ[\s\S]*set `steps: 1`"):
            train(longer, build, out, devices=one_device)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run(
    build: Build, folder: Path, one_device: list[Any]
) -> None:
    wild = {"learning_rate": 1e30, "name": "adamw", "clip_norm": None}
    with pytest.raises(FlancompileError, match=r"FC607.*step [23][\s\S]*--overwrite"):
        train(run_of(optimizer=wild), build, folder, devices=one_device)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"mesh": {"data": 3}}, "do not make 8 devices"),
        ({"mesh": {"tensor": 4, "data": 2}}, "kv_heads 2 is not a multiple of tensor 4"),
        ({"mesh": {"data": 8}, "batch_packs": 4}, "packs of a micro-batch 4"),
    ],
)
def test_sizes_that_do_not_fit_the_mesh_are_told(
    build: Build, folder: Path, more: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(FlancompileError, match=rf"FC604.*{wrong}[\s\S]*help: "):
        train(run_of(**more), build, folder)
    assert not folder.exists()


@pytest.mark.slow
def test_z_loss_is_over_the_same_targets(
    build: Build, tmp_path: Path, one_device: list[Any]
) -> None:
    plain = train(run_of(steps=1), build, tmp_path / "a", devices=one_device)
    with_z = train(run_of(steps=1, z_loss=0.1), build, tmp_path / "b", devices=one_device)
    a, b = (read_metrics(tmp_path / x)[0] for x in "ab")
    assert a["loss"] == b["loss"] and a["z_loss"] == b["z_loss"] > 0
    assert a["gradient_norm"] != b["gradient_norm"]
    assert any((x != y).any() for x, y in zip(weights(plain), weights(with_z), strict=True))


@pytest.mark.slow
def test_bfloat16_keeps_float32_weights(build: Build, folder: Path, one_device: list[Any]) -> None:
    state = train(run_of(compute="bfloat16", steps=3), build, folder, devices=one_device)
    assert {str(x.dtype) for x in jax.tree.leaves(state["params"])} == {"float32"}
    assert losses(folder)[-1] < losses(folder)[0]
