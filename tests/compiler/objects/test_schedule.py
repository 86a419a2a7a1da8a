"""Objects over one block are built by one thread, in order; an error ends the rest."""

import threading
import time
from dataclasses import dataclass

import pytest

from flancompile.compiler.objects import schedule
from flancompile.compiler.objects.schedule import built, threads, within


@dataclass(frozen=True)
class Job:
    """As much of a job as the schedule looks at."""

    folder: str
    block: int
    epoch: int


def paths(jobs: list[Job]) -> list[str]:
    return list(built(jobs, None))  # type: ignore[arg-type]


def test_paths_come_in_order_and_blocks_stay_with_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Job, str]] = []

    def build(job: Job) -> str:
        time.sleep(0.001)
        seen.append((job, threading.current_thread().name))
        return f"{job.folder}/{job.block}/{job.epoch}"

    monkeypatch.setattr(schedule, "build_object", build)
    jobs = [Job(f, b, p) for f in "ab" for p in range(6) for b in range(3)]
    assert paths(jobs) == [f"{j.folder}/{j.block}/{j.epoch}" for j in jobs]
    for folder, block in {(j.folder, j.block) for j in jobs}:
        own = [(j.epoch, t) for j, t in seen if (j.folder, j.block) == (folder, block)]
        assert [p for p, _ in own] == list(range(6))
        assert len({t for _, t in own}) == 1


def test_many_passes_over_one_block_are_shared_out() -> None:
    jobs = [Job("a", 0, p) for p in range(100)]
    parts = schedule._shared_out(jobs, 2)  # type: ignore[arg-type]
    assert [len(p) for p in parts] == [25, 25, 25, 25]
    assert sorted(i for p in parts for i in p) == list(range(100))


def test_an_error_is_told_and_ends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def build(job: Job) -> str:
        begun.append(job.block)
        if job.block == 0:
            raise ValueError("broken")
        time.sleep(0.01)
        return ""

    monkeypatch.setattr(schedule, "build_object", build)
    jobs = [Job("a", b, p) for b in range(40) for p in range(2)]
    with pytest.raises(ValueError, match="broken"):
        paths(jobs)
    assert len(begun) < 20
    before = len(begun)
    time.sleep(0.05)
    assert len(begun) == before


def test_threads_of_an_outer_with_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[int] = []

    def build(_: Job) -> str:
        names.append(threading.get_ident())
        return ""

    monkeypatch.setattr(schedule, "build_object", build)
    with threads() as pool:
        for _ in range(3):
            paths([Job("a", 0, 0)])
            with threads() as other:
                assert other is pool
    assert len(set(names)) <= schedule.THREADS
    with pytest.raises(RuntimeError):
        pool.submit(print)


def test_with_little_memory_there_are_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def build(_: Job) -> str:
        names.append(threading.current_thread().name)
        return ""

    monkeypatch.setattr(schedule, "build_object", build)
    own = threading.current_thread().name
    with within(16 << 20):
        assert paths([Job("a", 0, p) for p in range(3)]) == [""] * 3
    assert names == [own] * 3
    with within(256 << 20):
        paths([Job("a", 0, 0)])
    assert schedule.threads_within(256 << 20) == 1 or names[-1] != own
