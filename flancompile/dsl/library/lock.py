"""schemas.lock: columns of each source and their types, as found in its rows.

`check --data` writes it beside a library's folders; static checks read it to know types without
reading rows. An entry applies to the source as defined then; if the data has changed since, type
errors become warnings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flancompile.dsl.jinja.types import Type, from_json
from flancompile.dsl.models.source import Source
from flancompile.errors import fail

__all__ = ["NAME", "Schema", "Seen", "read_lock", "source_digest", "write_lock"]

NAME = "schemas.lock"


@dataclass(frozen=True)
class Seen:
    """A split that was read: number of rows read, and a digest of its data."""

    rows: int
    data: str


@dataclass(frozen=True)
class Schema:
    """A source's columns.

    source: digest of the source's definition; splits: the splits read; absent: columns that some
    rows lack; stale: whether the data on this machine differs.
    """

    columns: Mapping[str, Type]
    source: str
    splits: Mapping[str, Seen] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    stale: bool = False

    @property
    def row(self) -> Type:
        """The type of a whole row."""
        return Type("map", None, self.columns, self.absent)

    @cached_property
    def digest(self) -> str:
        """Digest of the schema."""
        return hashlib.blake2b(json.dumps(self.as_json()).encode(), digest_size=12).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        columns = {name: type_.as_json() for name, type_ in sorted(self.columns.items())}
        absent = {"absent": sorted(self.absent)} if self.absent else {}
        splits = {n: {"rows": s.rows, "data": s.data} for n, s in sorted(self.splits.items())}
        return {"source": self.source, "splits": splits, **absent, "columns": columns}


def source_digest(source: Source) -> str:
    """Digest of a source's definition; keys that are not set are not included."""
    text = source.model_dump_json(exclude_defaults=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def read_lock(folder: Path) -> dict[str, Schema]:
    """The schemas of a library folder by dataset id; none without a lock. Raises FC101."""
    path = folder / NAME
    try:
        given = json.loads(path.read_text(encoding="utf-8"))["sources"]
        return {
            str(id_): Schema(
                {str(n): from_json(t) for n, t in one["columns"].items()},
                str(one["source"]),
                {
                    str(n): Seen(int(s["rows"]), str(s["data"]))
                    for n, s in one.get("splits", {}).items()
                },
                frozenset(map(str, one.get("absent", ()))),
            )
            for id_, one in given.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise fail("FC101", f"{path} cannot be read: {error.strerror}") from None
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        hint = "run `flancompile check --data` to write it again, or delete it"
        raise fail("FC101", f"{path} is damaged: {error}", hint=hint) from None


def write_lock(folder: Path, schemas: Mapping[str, Schema]) -> None:
    """Write a library folder's lock atomically."""
    path = folder / NAME
    data = {"sources": {id_: schemas[id_].as_json() for id_ in sorted(schemas)}}
    fresh = path.with_name(f"{NAME}.part")
    fresh.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
