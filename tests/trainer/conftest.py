"""A small build, and where a run of a small model on it goes."""

from pathlib import Path
from typing import Any

import jax
import pytest
from toys import Library

from flancompile.store.build import Build

jax.config.update("jax_num_cpu_devices", 8)  # of this process alone, before JAX looks for any


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Arithmetic over bytes in packs of 256; its evaluation has options and open answers."""
    root = tmp_path_factory.mktemp("trainer")
    library = Library(root / "lib")
    library.dataset()
    library.mixture({"select": "all", "shots": {0: 1, 2: 1}})
    library.recipe(
        lengths={"pack": 256},
        evaluate=[{"select": "all", "split": "validation", "max_rows": 12}],
    )
    return library.compile(root / "build", root / "cache")


@pytest.fixture
def one_device() -> list[Any]:
    """The first of the simulated devices."""
    return jax.devices()[:1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run goes."""
    return tmp_path / "run"
