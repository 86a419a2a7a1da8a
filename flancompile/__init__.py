"""flancompile: the compiler for instruction-tuning data.

Datasets, tasks and prompt templates in YAML are checked like source code and compiled into packed
Arrow files, and a model is trained on them. `check`, `plan`, `compile`, `open` and `train` are the
command line's work as functions; they are imported when they are first used, so that
`import flancompile` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flancompile._version import __version__

if TYPE_CHECKING:
    from flancompile.api import check, compile, open, plan, train

__all__ = ["__version__", "check", "compile", "open", "plan", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from flancompile import api

        return getattr(api, name)
    raise AttributeError(f"module 'flancompile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
