"""Worker processes, which leave Ctrl-C to their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

__all__ = ["worker_pool"]


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, begun anew and not forked. Ctrl-C is for the parent: it waits for what
    they are at, and nothing that has not begun is begun."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        with (
            _interrupts_ignored()
        ):  # a process that is started now ignores them from its first line
            for _ in range(workers):
                pool.submit(os.getpid)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
