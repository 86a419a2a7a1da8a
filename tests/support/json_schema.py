"""A small JSON Schema validator: the keywords that the language's schemas use."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["violations"]

Schema = Mapping[str, Any]
TYPES: dict[str, Any] = {
    "string": str, "array": list, "object": dict, "null": type(None), "boolean": bool,
}  # fmt: skip
KNOWN = {
    "$defs", "$id", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "default",
    "description", "enum", "exclusiveMaximum", "exclusiveMinimum", "items", "maximum", "maxItems",
    "maxLength", "minimum", "minItems", "minLength", "minProperties", "maxProperties", "oneOf", "pattern",
    "patternProperties", "properties", "propertyNames", "required", "title", "type",
}  # fmt: skip


def violations(schema: Schema, value: Any, root: Schema | None = None) -> Iterator[str]:
    """Violations of a schema by a value of plain data. Asserts that all keywords are known."""
    root = schema if root is None else root
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        yield from violations(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root)
    if "type" in schema and not _has_type(value, schema["type"]):
        yield f"{value!r} is no {schema['type']}"
        return
    for union in ("anyOf", "oneOf"):
        if union in schema:
            fitting = sum(not any(violations(one, value, root)) for one in schema[union])
            if fitting == 0 or (union == "oneOf" and fitting > 1):
                yield f"{value!r} fits {fitting} of {union}"
    for one in schema.get("allOf", ()):
        yield from violations(one, value, root)
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{value!r} is not {schema['const']}"
    yield from _limits(schema, value)
    if isinstance(value, list):
        for item in value:
            yield from violations(schema.get("items", {}), item, root)
    if isinstance(value, dict):
        yield from _keys(schema, value, root)


def _has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, int | float) if name == "number" else isinstance(value, TYPES[name])


def _limits(schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{value} is out of range"
        if value <= schema.get("exclusiveMinimum", value - 1):
            yield f"{value} is out of range"
        if value >= schema.get("exclusiveMaximum", value + 1):
            yield f"{value} is out of range"
    if not isinstance(value, str | list | dict):
        return
    unit = (
        "Length" if isinstance(value, str) else "Items" if isinstance(value, list) else "Properties"
    )
    size, least, most = len(value), f"min{unit}", f"max{unit}"
    if not schema.get(least, size) <= size <= schema.get(most, size):
        yield f"{value!r} has the size {size}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{value!r} is not of the form {schema['pattern']}"


def _keys(schema: Schema, value: dict[str, Any], root: Schema) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"the key {name} is missing"
    for name, item in value.items():
        yield from violations(schema.get("propertyNames", {}), name, root)
        known = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        patterns = schema.get("patternProperties", {}).items()
        known += [one for pattern, one in patterns if re.search(pattern, name)]
        other = schema.get("additionalProperties", True)
        if not known and other is False:
            yield f"the key {name} is unknown"
        for one in known or ([other] if isinstance(other, dict) else []):
            yield from violations(one, item, root)
