"""One type for each field over a whole split: the first kind of value in file order wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["ColumnTypes"]

_KINDS = {
    str: "text", bool: "a truth value", int: "a number", float: "a number", list: "a list",
    tuple: "a list", dict: "a mapping",
}  # fmt: skip


class ColumnTypes:
    """Kinds of the fields seen so far, nested ones included. A null fits every kind."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._kinds: dict[str, str] = {}

    def misfit(self, values: Sequence[Any]) -> str | None:
        """Why a row cannot stand in the split's columns; None when it can."""
        learnt: dict[str, str] = {}
        for name, value in zip(self._names, values, strict=True):
            if type(value) is str and self._kinds.get(name) == "text" and value.isascii():
                continue  # as nearly all are
            if reason := self._misfit(name, value, learnt):
                return reason
        self._kinds.update(learnt)
        return None

    def _misfit(self, spot: str, value: Any, learnt: dict[str, str]) -> str | None:
        if value is None:
            return None
        kind = _KINDS.get(type(value))
        if kind is None:
            return f"field {spot}: a {type(value).__name__} cannot be stored"
        known = self._kinds.get(spot) or learnt.setdefault(spot, kind)
        if kind != known:
            return f"field {spot}: {kind} here, {known} in rows before"
        if kind == "text":
            return None if _is_text(value) else f"field {spot}: a lone surrogate in the text"
        if kind == "a number":
            fits = not isinstance(value, int) or -(2**63) <= value < 2**63
            return None if fits else f"field {spot}: a number beyond 64 bits"
        if kind == "a list":
            return next((r for v in value if (r := self._misfit(f"{spot}[]", v, learnt))), None)
        if kind == "a mapping":
            items = value.items()
            return next(
                (r for k, v in items if (r := self._misfit(f"{spot}.{k}", v, learnt))), None
            )
        return None


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
