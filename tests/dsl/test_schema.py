from pathlib import Path

from flancompile.dsl.schema import write_schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[2]


def test_schemas_are_current(tmp_path: Path) -> None:
    """`make schemas` writes them anew."""
    for path in write_schemas(tmp_path, MODELS):
        kept = ROOT / "schemas" / path.name
        assert kept.read_text() == path.read_text(), f"{kept.name}: run `make schemas`"
