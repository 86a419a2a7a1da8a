"""The version of the package is the version of the project."""

import tomllib
from pathlib import Path

import flancompile
from flancompile._version import __version__

ROOT = Path(__file__).parents[1]


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__ == flancompile.__version__
