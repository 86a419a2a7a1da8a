"""Reference page of the keys of every file kind, from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["key_reference", "undescribed_keys"]

Schema = Mapping[str, Any]
_REF = "#/$defs/"
_TITLES = {
    "dataset": "Dataset files (`datasets/*.yaml`)",
    "mixture": "Mixtures (`mixtures/*.yaml`)",
    "recipe": "Recipes (`recipes/*.yaml`)",
    "styles": "Styles (`styles/*.yaml`)",
    "overlay": "Overlays (`overlays/*.yaml`)",
    "run": "Runs (`runs/*.yaml`)",
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}
_HEAD = """# Keys

All keys of the files that you write, with their types, defaults and meanings. The page is
generated from the models by `flancompile schema --keys`. Editors read the same text from
`schemas/` (see [editors.md](editors.md)); [language.md](language.md) explains the language with
examples, [expressions.md](expressions.md) the expressions.

A key whose default is `null` may be left out.
"""


def key_reference(schemas: Mapping[str, Schema]) -> str:
    """Markdown page with a table for each model of each file kind.

    schemas: file name -> JSON Schema, as `dsl.schema.schemas` gives them. A model that several
    kinds share is described once, below the first of them.
    """
    parts, seen = [_HEAD], set[str]()
    for file, schema in schemas.items():
        kind = file.removesuffix(".schema.json")
        parts.append(f"## {_TITLES.get(kind, kind)}\n\n{_table(schema)}")
        for name in _nested(schema):
            if name not in seen:
                seen.add(name)
                definition = schema["$defs"][name]
                text = _cell(_description(definition))
                parts.append("\n\n".join(p for p in (f"### {name}", text, _table(definition)) if p))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def undescribed_keys(schemas: Mapping[str, Schema]) -> list[str]:
    """Keys without a description, as `Model.key`."""
    found = dict[str, None]()
    for schema in schemas.values():
        for owner, model in ((schema["title"], schema), *schema.get("$defs", {}).items()):
            for key, property_ in model.get("properties", {}).items():
                if not property_.get("description"):
                    found[f"{owner}.{key}"] = None
    return list(found)


def _table(model: Schema) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    needed = model.get("required", [])
    for key, property_ in model.get("properties", {}).items():
        default = "required" if key in needed else f"`{_json(property_.get('default'))}`"
        description = _cell(property_.get("description", ""))
        rows.append(f"| `{key}` | {_type(property_)} | {default} | {description} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def _nested(schema: Schema) -> Iterator[str]:
    """Names of the models with keys that a schema reaches, in the order of first mention."""
    waiting, seen = [schema], set[str]()
    while waiting:
        for name in _references(waiting.pop(0)):
            if name not in seen and name in schema["$defs"]:
                seen.add(name)
                waiting.append(schema["$defs"][name])
                if schema["$defs"][name].get("properties") or _description(schema["$defs"][name]):
                    yield name


def _description(model: Schema) -> str:
    """A model's description; that of its long form where an author writes a short form."""
    forms = (model, *model.get("anyOf", ()))
    return next((str(form["description"]) for form in forms if form.get("description")), "")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "$ref":
                yield str(item).removeprefix(_REF)
            elif key != "$defs":
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{v}`" for v in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            options = [o for o in schema[union] if o.get("type") != "null"]
            return " or ".join(dict.fromkeys(_type(o) for o in options))
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    if kind == "object":
        patterns = list(schema.get("patternProperties", {}).values())
        values = patterns[0] if patterns else schema.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, Mapping) and values else "map"
    return {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
    }.get(str(kind), "any value")


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "…" if len(text) > 60 else text.replace("|", "\\|")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
