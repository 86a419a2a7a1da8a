import re
from pathlib import Path

from flancompile.dsl.library.key_reference import key_reference, undescribed_keys
from flancompile.dsl.library.schema import schemas, write_schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[3]


def test_schemas_are_current(tmp_path: Path) -> None:
    """`make generated` writes them anew."""
    for path in write_schemas(tmp_path, MODELS):
        kept = ROOT / "schemas" / path.name
        assert kept.read_text() == path.read_text(), f"{kept.name}: run `make generated`"


def test_every_key_has_a_description() -> None:
    assert undescribed_keys(schemas(MODELS)) == []


def test_the_page_of_keys_is_current() -> None:
    page = (ROOT / "docs" / "keys.md").read_text()
    assert page == key_reference(schemas(MODELS)), "run `make generated`"
    assert page.count("| `") > 200


def test_every_link_of_the_page_of_keys_has_its_heading() -> None:
    page = key_reference(schemas(MODELS))
    headings = {h.lower() for h in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    links = set(re.findall(r"\]\(#(\w+)\)", page))
    assert len(links) > 20
    assert links - headings == set()
