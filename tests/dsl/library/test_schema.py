from pathlib import Path

from flancompile.dsl.library.key_reference import key_reference, undescribed_keys
from flancompile.dsl.library.schema import schemas, write_schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[3]


def test_schemas_are_current(tmp_path: Path) -> None:
    """`make schemas` writes them anew."""
    for path in write_schemas(tmp_path, MODELS):
        kept = ROOT / "schemas" / path.name
        assert kept.read_text() == path.read_text(), f"{kept.name}: run `make schemas`"


def test_every_key_has_a_description() -> None:
    assert undescribed_keys(schemas(MODELS)) == []


def test_the_page_of_keys_is_current() -> None:
    page = (ROOT / "docs" / "keys.md").read_text()
    assert page == key_reference(schemas(MODELS)), "run `make schemas`"
    assert page.count("| `") > 200
