"""Codes of warnings that a dataset file may allow."""

from __future__ import annotations

__all__ = ["WARNINGS"]

_STATIC = (211, 213, 215, 216, 217, 218, 219, 220, 221, 222, 224)
_OF_ROWS = range(319, 339)

WARNINGS = frozenset(f"FC{number}" for number in (*_STATIC, *_OF_ROWS))
