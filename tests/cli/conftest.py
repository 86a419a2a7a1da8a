"""A small library with a build, which the tests of the commands share."""

from pathlib import Path

import pytest
from toys import Library


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library's folder with a build of its recipe `r` in `build`; not to be changed."""
    library = Library(tmp_path_factory.mktemp("home"))
    library.dataset()
    library.mixture(shots={0: 1, 2: 1})
    library.recipe(evaluate=[{"select": "all", "split": "validation", "max_rows": 5}])
    library.compile(library.root / "build", library.root.with_name("home_cache"))
    return library.root
