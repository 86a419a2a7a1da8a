"""Assign objects to workers: those over one block go to the same worker, in order.

Later epochs of a block reuse the texts that earlier ones encoded, so a worker that keeps a block
does a fraction of the work. In this process the workers are threads: most of the time is spent in
code that releases the GIL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar

from flancompile.compiler.objects.build import ObjectJob, build_object

__all__ = ["built", "threads", "threads_within", "within"]

_alone: ContextVar[bool] = ContextVar("alone", default=False)
_pool: ContextVar[ThreadPoolExecutor | None] = ContextVar("pool", default=None)
LITTLE = 64 << 20  # with less memory than this, one thread only
THREADS = 2  # more threads wait for the GIL
FEWEST = 8  # objects that a worker is given at once, unless there are no more of a block


def built(jobs: Sequence[ObjectJob], executor: Executor | None) -> Iterator[str]:
    """Build objects. Yields their paths, in the jobs' order.

    executor: worker processes; None for threads of this one.
    """
    if executor is not None:
        yield from _in_order(jobs, executor, getattr(executor, "_max_workers", 1), None)
        return
    if _alone.get():
        yield from map(build_object, jobs)
        return
    with threads() as pool:
        yield from _in_order(jobs, pool, THREADS, threading.Event())


def threads_within(memory_bytes: int) -> int:
    """Number of threads within a memory limit: each holds a block, and a stack of its own."""
    return 1 if memory_bytes < LITTLE else min(THREADS, os.cpu_count() or 1)


@contextmanager
def within(memory_bytes: int) -> Iterator[None]:
    """Build objects in threads that stay, or in this one if memory is short."""
    if threads_within(memory_bytes) > 1:
        with threads():
            yield
        return
    before = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(before)


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that build objects; those of an outer `with` stay, with their cached blocks."""
    pool = _pool.get()
    if pool is not None:
        yield pool
        return
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "objects") as pool:
        outer = _pool.set(pool)
        try:
            yield pool
        finally:
            _pool.reset(outer)


def _in_order(
    jobs: Sequence[ObjectJob], executor: Executor, workers: int, stop: threading.Event | None
) -> Iterator[str]:
    futures: list[Future[list[str]]] = []
    found: dict[int, tuple[Future[list[str]], int]] = {}
    try:
        for places in _shared_out(jobs, workers):
            some = [jobs[i] for i in places]
            futures.append(executor.submit(_build, some, *(() if stop is None else (stop,))))
            found |= {place: (futures[-1], n) for n, place in enumerate(places)}
        for place in range(len(jobs)):
            future, n = found.pop(place)
            yield future.result()[n]
    finally:
        if stop is not None:
            stop.set()
        for future in futures:
            future.cancel()
        if stop is not None:
            wait(futures)


def _shared_out(jobs: Sequence[ObjectJob], workers: int) -> list[list[int]]:
    """Indexes of the jobs that belong together, the longest lists first."""
    blocks: dict[tuple[str, int], list[int]] = {}
    for place, job in enumerate(jobs):
        blocks.setdefault((job.folder, job.block), []).append(place)
    most = max(FEWEST, len(jobs) // (2 * workers))
    parts = [all_[i : i + most] for all_ in blocks.values() for i in range(0, len(all_), most)]
    return sorted(parts, key=len, reverse=True)


def _build(jobs: Sequence[ObjectJob], stop: threading.Event | None = None) -> list[str]:
    paths = []
    for job in jobs:
        if stop is not None and stop.is_set():
            break
        paths.append(build_object(job))
    return paths
