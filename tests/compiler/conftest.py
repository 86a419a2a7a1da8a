"""A small library of two tasks, and a cache, for tests that compile."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    made.dataset("toy")
    made.dataset("other", rows=150)
    made.mixture(
        {"select": "source:toy", "rate": 2},
        {"select": "source:other", "rate": 1},
        shots={0: 1, 3: 1},
    )
    made.recipe()
    yield made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
