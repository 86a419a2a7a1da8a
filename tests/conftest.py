"""Offline switches, a cache of the tests' own, and the folder of shared datasets."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("flancompile", deadline=None)  # times belong to benchmarks/
settings.load_profile("flancompile")

for _switch in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
    os.environ[_switch] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
os.environ["JAX_PLATFORMS"] = "cpu"

from tokenizer_fixtures import (  # noqa: E402, F401
    bpe,
    changed,
    crossing_pieces,
    family,
    normalising_pieces,
    odd_texts,
    pieces,
    real,
    real_fields,
    unigram,
    zoo,
)

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Make our warnings errors: here, since pyproject.toml would import before coverage starts."""
    config.addinivalue_line("filterwarnings", "error::flancompile.errors.FlancompileWarning")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    os.environ["FLANCOMPILE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["FLANCOMPILE_CACHE"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real datasets beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared datasets are not on this machine")
    return folder
