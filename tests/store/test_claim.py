"""Two runs never meet on one build, and a killed one leaves nothing that looks whole."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flancompile import unfinished
from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.claim import Claim, check_out
from flancompile.store.verify import verify

Planned = Callable[..., Any]
CONFTEST = Path(__file__).with_name("conftest.py")

# where a run is ended: the call after, or before, which it kills itself
MOMENTS = {
    "mid scatter": ("flancompile.store.writer.BuildWriter.scatter", "after"),
    "examples are written": ("flancompile.store.writer.BuildWriter.write_ledger", "before"),
    "before the manifest": ("flancompile.store.manifest.Manifest.write", "before"),
    "after the manifest": ("flancompile.store.manifest.Manifest.write", "after"),
    "before the renames": ("flancompile.store.claim.Claim.replace", "before"),
    "between the renames": ("pathlib.Path.rename", "after"),
    "after the renames": ("flancompile.store.claim._sync_folder", "before"),
    "before the lock is given back": ("flancompile.store.claim.Claim.release", "before"),
}


def killed(out: Path, moment: str, seed: int) -> None:
    """A process writes a build, and ends itself by SIGKILL at the given moment."""
    target, when = MOMENTS[moment]
    code = f"""
import importlib, importlib.util, os, signal, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("plans", {str(CONFTEST)!r})
plans = sys.modules["plans"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plans)
parts = {target!r}.split(".")
split = next(i for i in range(len(parts), 0, -1) if ".".join(parts[:i]) in sys.modules)
owner = importlib.import_module(".".join(parts[:split]))
for part in parts[split:-1]:
    owner = getattr(owner, part)
real = getattr(owner, parts[-1])
def wrapped(*given, **named):
    if {when!r} == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, parts[-1], wrapped)
plans.make_plan(40, {seed}).write(Path({str(out)!r}), overwrite=True)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL, run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_a_whole_build_or_none(
    planned: Planned, tmp_path: Path, moment: str
) -> None:
    old = planned(40, 0).write(tmp_path / "b")
    expected = planned(40, 1).write(tmp_path / "expected")
    killed(tmp_path / "b", moment, 1)
    is_done = moment in ("after the renames", "before the lock is given back")
    if moment == "between the renames":
        assert not (tmp_path / "b").exists()
    else:
        build = Build.open(tmp_path / "b")
        assert build.manifest == (expected if is_done else old)
        assert verify(build) == []
    with pytest.raises(FlancompileError, match="the recipe 'r'"):
        planned(40, 2, recipe="other").write(tmp_path / "b")
    assert Build.open(tmp_path / "b").manifest == (expected if is_done else old)
    assert planned(40, 1).write(tmp_path / "b") == expected
    assert verify(Build.open(tmp_path / "b")) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "expected"]


@pytest.mark.slow
def test_a_first_run_killed_leaves_no_build(planned: Planned, tmp_path: Path) -> None:
    killed(tmp_path / "b", "after the manifest", 1)
    with pytest.raises(FlancompileError, match="is not a build"):
        Build.open(tmp_path / "b")
    planned(40, 1).write(tmp_path / "b")
    assert verify(Build.open(tmp_path / "b")) == []
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "b"), Claim(tmp_path / "b")
    first.acquire()
    first.start()
    (first.folder / "mine").write_text("dear")
    with pytest.raises(FlancompileError, match="is writing") as caught:
        second.acquire()
    assert caught.value.code == "FC503"
    second.release()
    assert (first.folder / "mine").read_text() == "dear"
    first.release()
    second.acquire()
    second.start()
    first.release()  # once more: it takes nothing from the second
    assert second.folder.is_dir()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_removed_in_between_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(tmp_path / "b")
    real, calls = unfinished._is_current, []

    def once_stale(handle: int, lock: Path) -> bool:
        calls.append(handle)
        if len(calls) == 1:
            lock.unlink()  # as its last owner does, between our open and our lock
        return real(handle, lock)

    monkeypatch.setattr(unfinished, "_is_current", once_stale)
    claim.acquire()
    assert len(calls) == 2
    with pytest.raises(FlancompileError, match="is writing"):
        Claim(tmp_path / "b").acquire()
    claim.release()


@pytest.mark.parametrize(
    "text", ['{"name": "an extension of a browser"}', '{"recipe": "r"}', "[1]", '{"recip', ""]
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_only_our_builds_are_ever_replaced(
    planned: Planned, tmp_path: Path, text: str, overwrite: bool
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.json").write_text(text)
    (folder / "thesis.txt").write_text("dear")
    with pytest.raises(FlancompileError, match="is not a build") as caught:
        planned(3).write(folder, overwrite=overwrite)
    assert caught.value.code == "FC501"
    assert (folder / "thesis.txt").read_text() == "dear"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("dear")
    with pytest.raises(FlancompileError, match="is not a build"):
        check_out(tmp_path / "b", "r", True)


def test_an_output_that_appeared_meanwhile_stays(planned: Planned, tmp_path: Path) -> None:
    out, plan = tmp_path / "b", planned(3)
    real = type(plan).manifest

    def slow(self: Any) -> Any:
        out.mkdir()
        (out / "thesis.txt").write_text("dear")
        return real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(plan), "manifest", slow)
        with pytest.raises(FlancompileError, match="is not a build"):
            plan.write(out, overwrite=True)
    assert (out / "thesis.txt").read_text() == "dear"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_another_recipe_s_build_asks_for_overwrite(planned: Planned, tmp_path: Path) -> None:
    planned(3).write(tmp_path / "b")
    planned(4).write(tmp_path / "b")  # the same recipe may
    with pytest.raises(FlancompileError, match="build of the recipe 'r'") as caught:
        planned(5, recipe="s").write(tmp_path / "b")
    assert caught.value.code == "FC502"
    assert Build.open(tmp_path / "b").manifest.counts["examples"] == 4
    planned(5, recipe="s").write(tmp_path / "b", overwrite=True)
    assert Build.open(tmp_path / "b").manifest.counts["examples"] == 5
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_an_empty_folder_and_a_link_are_written_to(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "disk" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "b")
    for examples in (3, 4):
        planned(examples).write(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert Build.open(tmp_path / "disk" / "b").manifest.counts["examples"] == examples
    assert [p.name for p in (tmp_path / "disk").iterdir()] == ["b"]


def test_the_current_folder_has_a_name(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    planned(3).write(Path())
    assert json.loads((tmp_path / "b" / "manifest.json").read_text())["counts"]["examples"] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
