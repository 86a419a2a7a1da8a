"""JSON Schemas of library files, generated from the models, for editors.

Short forms that validators accept (a signature as text, one join as a mapping) are added here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flancompile.dsl.models.mixture import Mixture, Recipe
from flancompile.dsl.models.source import Overlay
from flancompile.dsl.models.style import StyleFile
from flancompile.dsl.models.task import DatasetFile

__all__ = ["schemas", "write_schemas"]

Models = Mapping[str, type[BaseModel]]
_NONE: Models = {}
_MODELS: dict[str, type[BaseModel]] = {
    "dataset": DatasetFile,
    "mixture": Mixture,
    "recipe": Recipe,
    "styles": StyleFile,
    "overlay": Overlay,
}
_FOR_EACH_SHORT: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {
        "anyOf": [
            {"type": "array"},
            {
                "type": "object",
                "properties": {"files": {"type": "string"}},
                "required": ["files"],
                "additionalProperties": False,
            },
        ]
    },
}


def schemas(more: Models = _NONE) -> dict[str, dict[str, Any]]:
    """File name -> schema, for every file kind. more: kinds defined outside the language."""
    models = {**_MODELS, **more}
    return {f"{name}.schema.json": _schema(name, model) for name, model in models.items()}


def write_schemas(folder: Path, more: Models = _NONE) -> list[Path]:
    """Write all schemas to a folder; their bytes depend on the models only."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, schema in schemas(more).items():
        path = folder / name
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    parts = schema.get("$defs", {})
    if "Task" in parts:
        signature = parts["Task"]["properties"]["signature"]
        notes = {k: signature.pop(k) for k in ("description",) if k in signature}
        pattern = r"^\s*(\w+\s*(,\s*\w+\s*)*)?->\s*\w+\s*(,\s*\w+\s*)*$"
        text = {"type": "string", "pattern": pattern}
        parts["Task"]["properties"]["signature"] = {"anyOf": [text, dict(signature)], **notes}
        parts["ForEach"] = {"anyOf": [_FOR_EACH_SHORT, parts["ForEach"]]}
    for owner, key in (("Source", "join"), ("Place", "join"), ("PlaceChoice", "join")):
        if owner in parts:
            _or_one(parts[owner]["properties"], key)
    if name == "mixture":
        _or_one(schema["properties"], "hold_out")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _or_one(properties: dict[str, Any], key: str) -> None:
    many = properties[key]
    notes = {k: many.pop(k) for k in ("description", "title", "default") if k in many}
    properties[key] = {"anyOf": [many, many["items"]], **notes}
