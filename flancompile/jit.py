"""Compile functions with numba at their first call, so that importing a module loads no compiler.

Importing numba takes longer than many commands need in all.
"""

from __future__ import annotations

from functools import update_wrapper
from threading import RLock
from typing import Any

__all__ = ["njit"]

_compiling = RLock()


def njit(function: Any) -> Any:
    """Decorate a function of arrays and numbers, as `numba.njit(cache=True, nogil=True)`.

    The function may call other decorated functions, of its module or imported by name.
    """
    return _Compiled(function)


class _Compiled:
    """A function that numba compiles, or takes from its cache on disk, at the first call."""

    def __init__(self, function: Any) -> None:
        update_wrapper(self, function)
        self.py_func = function
        self._made: Any = None
        self._ready: Any = None  # the same, when the functions that it calls are replaced too

    def __call__(self, *args: Any) -> Any:
        return (self._ready or self.compiled())(*args)

    def compiled(self) -> Any:
        """The dispatcher of numba; decorated functions that it calls are replaced by theirs."""
        with _compiling:
            if self._made is None:
                import numba

                self._made = numba.njit(cache=True, nogil=True)(self.py_func)
                names = self.py_func.__globals__
                for name in self.py_func.__code__.co_names:
                    if isinstance(called := names.get(name), _Compiled):
                        names[name] = called.compiled()
                self._ready = self._made
            return self._made
