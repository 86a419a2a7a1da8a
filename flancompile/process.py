"""Pool of worker processes that leaves Ctrl-C to the parent process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import current_process, get_context

from flancompile.errors import FlancompileError, fail

__all__ = ["worker_pool"]


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Pool of spawned worker processes. Raises FC515 if one dies.

    On Ctrl-C the parent waits for the running jobs and cancels the others.
    """
    if getattr(current_process(), "_inheriting", False):  # a script without a main guard,
        raise SystemExit(1)  # spawned as a worker: the parent reports it
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    first: list[Future[int]] = []
    try:
        with _interrupts_ignored():  # workers inherit this from their first line on
            first += [pool.submit(os.getpid) for _ in range(workers)]
        yield pool
    except BrokenExecutor:
        raise _dead(any(f.done() and f.exception() is None for f in first)) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _dead(has_started: bool) -> FlancompileError:
    if has_started:
        hint = "it may have run out of memory: use fewer --workers or less --memory"
        return fail("FC515", "a worker process has died", hint=hint)
    hint = 'in a script, call it under `if __name__ == "__main__":`: each worker imports the script'
    return fail("FC515", "the worker processes died when they started", hint=hint)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
