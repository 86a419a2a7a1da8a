"""The page of keys: the models' own, and schemas of each form."""

import re
from pathlib import Path
from typing import Any

import pytest

from flancompile.dsl.library.key_reference import key_reference, undescribed_keys
from flancompile.dsl.library.schema import schemas
from flancompile.runfile import MODELS

ROOT = Path(__file__).parents[3]


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


def page(properties: dict[str, Any], **more: Any) -> list[str]:
    """Lines of the tables of a schema with these keys."""
    schema = {"title": "File", "properties": properties, "$defs": {}, **more}
    found = key_reference({"dataset.schema.json": schema}).splitlines()
    return [line for line in found[found.index("## Dataset files (`datasets/*.yaml`)") :] if line]


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        ({"type": "string"}, "text"),
        ({"type": "array", "items": {"type": "integer"}}, "list of whole number"),
        ({"type": "array"}, "list"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "map to number"),
        (
            {"type": "object", "patternProperties": {"^a": {"type": "boolean"}}},
            "map to true or false",
        ),
        ({"type": "object"}, "map"),
        ({"enum": ["a", 1]}, "`a`, `1`"),
        ({"const": True}, "`True`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        (
            {"anyOf": [{"type": "string"}, {"type": "string"}, {"type": "integer"}]},
            "text or whole number",
        ),
        ({}, "any value"),
    ],
)
def test_types_are_in_plain_words(about: dict[str, Any], shown: str) -> None:
    (line,) = (line for line in page({"k": about}) if line.startswith("| `k`"))
    assert line == f"| `k` | {shown} | `null` |  |"


def test_defaults_and_bars_are_written_for_a_table() -> None:
    about = {"type": "string", "default": "a|b", "description": "one |\n  two"}
    lines = page({"k": about, "m": {"type": "string", "default": "x" * 80}}, required=["n"])
    assert '| `k` | text | `"a\\|b"` | one \\| two |' in lines
    assert "| `m` | text | `…` |  |" in lines
    (line,) = (x for x in page({"n": {"type": "string"}}, required=["n"]) if x.startswith("| `n`"))
    assert line.split(" | ")[2] == "required"


def test_a_model_of_several_places_is_described_once_where_it_is_first_met() -> None:
    inner = {"title": "Inner", "properties": {"x": {"$ref": "#/$defs/Deep"}}, "description": "in"}
    deep = {"title": "Deep", "properties": {"y": {"type": "string", "description": "d"}}}
    schema = {
        "title": "File", "properties": {"a": {"$ref": "#/$defs/Inner"}, "b": {"$ref": "#/$defs/Inner"}},
        "$defs": {"Deep": deep, "Inner": inner, "Unused": deep},
    }  # fmt: skip
    found = key_reference({"mixture.schema.json": schema, "other.schema.json": schema})
    headings = re.findall(r"^#+ .+$", found, re.MULTILINE)
    assert headings == [
        "# Keys",
        "## Mixtures (`mixtures/*.yaml`)",
        "### Inner",
        "### Deep",
        "## other",
    ]
    assert "| `a` | [Inner](#inner) |" in found
    assert undescribed_keys({"m": schema}) == ["File.a", "File.b", "Inner.x"]
