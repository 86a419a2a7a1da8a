"""Worker processes, which leave Ctrl-C to their parent."""

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
    """Worker processes, begun anew and not forked. Ctrl-C is for the parent: it waits for what
    they are at, and nothing that has not begun is begun. Raises FC515 where one dies."""
    if getattr(current_process(), "_inheriting", False):  # a script that does not guard its calls,
        raise SystemExit(1)  # begun anew as a worker: the parent tells of it
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    first: list[Future[int]] = []
    try:
        with (
            _interrupts_ignored()
        ):  # a process that is started now ignores them from its first line
            first += [pool.submit(os.getpid) for _ in range(workers)]
        yield pool
    except BrokenExecutor:
        raise _dead(any(f.done() and f.exception() is None for f in first)) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _dead(had_begun: bool) -> FlancompileError:
    if had_begun:
        hint = "it was killed, as for want of memory: ask for fewer --workers, or for less --memory"
        return fail("FC515", "a worker process has died", hint=hint)
    hint = 'in a script, call it under `if __name__ == "__main__":`, for each worker reads it anew'
    return fail("FC515", "the worker processes died as they began", hint=hint)


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
