"""`schema`: files, one schema and the pages of reference."""

import json
from pathlib import Path

from commands import call


def test_schema(home: Path, tmp_path: Path) -> None:
    call("schema", "--out", "s", cwd=tmp_path)
    assert len(list((tmp_path / "s").iterdir())) == 6
    assert json.loads(call("schema", "recipe", cwd=tmp_path))["title"] == "Recipe"


def test_pages_of_reference_and_names(tmp_path: Path) -> None:
    for option, page in (("--keys", "keys"), ("--expressions", "expressions"), ("--api", "api")):
        want = Path(__file__).parents[2] / "docs" / f"{page}.md"
        assert call("schema", option, cwd=tmp_path) == want.read_text(encoding="utf-8")
    assert "did you mean 'recipe'" in call("schema", "recipes", cwd=tmp_path, ok=2)
    assert "one of: dataset" in call("schema", cwd=tmp_path)
