"""flancompile: the compiler for instruction-tuning data.

Datasets, tasks and prompt templates in YAML are checked like source code and compiled into packed
Arrow files, on which a model is trained. The names below are those of `flancompile.api`; each is
imported at its first use, so that `import flancompile` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flancompile._version import __version__

if TYPE_CHECKING:
    from flancompile.api import check, compile, evaluate_run, ladder, open, plan, train

__all__ = [
    "__version__", "check", "compile", "evaluate_run", "ladder", "open", "plan", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        from flancompile import api

        return getattr(api, name)
    raise AttributeError(f"module 'flancompile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
