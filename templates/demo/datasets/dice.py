"""What the demo's programs draw with: every choice is a keyed draw, so a row never moves another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from flancompile import draw

T = TypeVar("T")
SEED = 2021


class Dice:
    """The draws of one row, one after another."""

    def __init__(self, purpose: str, row: int) -> None:
        self._purpose, self._row, self._thrown = purpose, draw.digest64("demo", row), 0

    def below(self, high: int) -> int:
        """A number from 0 to high - 1."""
        self._thrown += 1
        drawn = draw.integers(high, SEED, self._purpose, "demo", [self._row], n=self._thrown)
        return int(drawn[0])

    def between(self, low: int, high: int) -> int:
        """A number from low to high."""
        return low + self.below(high - low + 1)

    def pick(self, of: Sequence[T]) -> T:
        """One of some things."""
        return of[self.below(len(of))]

    def some(self, of: Sequence[T], count: int) -> list[T]:
        """Different ones of some things."""
        left = list(of)
        return [left.pop(self.below(len(left))) for _ in range(count)]


Make = Callable[[Dice, int], dict[str, Any]]


def write(path: Path, name: str, counts: dict[str, int], make: Make, key: tuple[str, ...]) -> None:
    """Write `name.SPLIT.jsonl` into a folder; no two rows are equal in all of `key`."""
    rows = _rows(name, make, key)
    for split, count in counts.items():
        lines = []
        for place in range(count):
            row = {"id": f"{split}-{place + 1:04d}", **next(rows)}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        (path / f"{name}.{split}.jsonl").write_text("".join(lines), encoding="utf-8")


def _rows(name: str, make: Make, key: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[Any, ...]] = set()
    number = 0
    while True:
        row = make(Dice(name, number), len(seen))
        number += 1
        held = tuple(row[k] for k in key)
        if held not in seen:
            seen.add(held)
            yield row
