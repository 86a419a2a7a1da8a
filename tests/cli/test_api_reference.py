"""The API page: current, complete, and with the real signatures."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import flancompile
from flancompile import api
from flancompile.cli.api_reference import MODULES, api_reference

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ENTRY = re.compile(r"^### (\S+)\n\n```python\n(.+?)\n```", re.MULTILINE | re.DOTALL)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == api_reference(), "run `make generated`"


def test_the_package_exports_the_api() -> None:
    assert set(flancompile.__all__) == {"__version__", *api.__all__}
    for name in api.__all__:
        assert inspect.isfunction(getattr(flancompile, name)), name


def test_every_public_name_has_an_entry() -> None:
    entries = dict(ENTRY.findall(PAGE.read_text(encoding="utf-8")))
    assert {f"flancompile.{n}" for n in flancompile.__all__} - set(entries) == {
        "flancompile.__version__"
    }
    for title, module in MODULES.items():
        names = importlib.import_module(module).__all__
        assert [n for n in names if f"{title}.{n}" not in entries] == [], module


@pytest.mark.parametrize("title", MODULES)
def test_signatures_are_the_real_ones(title: str) -> None:
    module = importlib.import_module(MODULES[title])
    entries = dict(ENTRY.findall(PAGE.read_text(encoding="utf-8")))
    functions = [n for n in module.__all__ if inspect.isfunction(getattr(module, n))]
    classes = [n for n in module.__all__ if inspect.isclass(getattr(module, n))]
    assert functions or classes
    for name in functions:
        head = entries[f"{title}.{name}"]
        shown = re.findall(r"[(,]\s*\*{0,2}(\w+)(?=[:,)])", head.partition("->")[0])
        assert shown == list(inspect.signature(getattr(module, name)).parameters), name
        assert inspect.getdoc(getattr(module, name)), name
    for name in classes:
        assert entries[f"{title}.{name}"].startswith(f"class {name}"), name
