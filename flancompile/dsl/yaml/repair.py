"""Remove invalid parts of a document, so that one mistake does not hide others in its file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flancompile.dsl.yaml.document import Document, Index, Key

__all__ = ["Edit", "edits_for", "real_key", "without"]


@dataclass(frozen=True)
class Edit:
    """An edit of a part: drop it, rename it, or replace its text.

    hurts: whether the enclosing part is incomplete afterwards.
    """

    name: str | None = None
    text: str | None = None
    hurts: bool = True


def real_key(place: Key, document: Document) -> Key:
    """A model error's location without components that are not keys, such as types' names."""
    data, found = document.data, ()
    for part in place:
        inside = isinstance(data, dict) and part in data
        if inside or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            data, found = data[part], (*found, part)  # type: ignore[assignment]
    return found


def edits_for(
    errors: Iterable[Any], document: Document, meant: Callable[[Key], str | None]
) -> dict[Key, Edit]:
    """Edits that remove a model's errors. meant: gives the hint for an unknown key."""
    found: dict[Key, Edit] = {}
    missing: list[Key] = []
    for error in errors:
        place: Key = tuple(error["loc"])
        key = real_key(place, document)
        if error["type"] == "extra_forbidden" and key == place:
            found[key] = Edit(_meant(key, document, meant(key)), hurts=False)
        elif error["type"] == "missing":
            missing.append((*key, place[-1]))
        elif error["type"] in ("string_type", "string_pattern_mismatch") and key == place:
            given = error.get("input")
            plain = isinstance(given, bool | int | float)
            found.setdefault(key, Edit(text=str(given) if plain else "none", hurts=not plain))
        elif error["type"] == "too_short":  # only as its items are wrong, where it has some
            if not document.value(key):
                found.setdefault(key[:-1], Edit())
        else:
            found.setdefault(key, Edit())
    named = {(*key[:-1], edit.name) for key, edit in found.items() if edit.name}
    for key in missing:
        if key not in named:
            found[key[:-1]] = Edit()
    return found


def _meant(key: Key, document: Document, hint: str | None) -> str | None:
    """The correct name of a misspelt key, if it is not taken."""
    named = re.search(r"did you mean '(.*)'", hint) if hint else None
    free = named is not None and named[1] not in (document.value(key[:-1]) or ())
    return named[1] if named is not None and free else None


def without(
    document: Document, edits: Mapping[Key, Edit], hurt: set[Key]
) -> tuple[Document, set[Key]] | None:
    """Apply edits to a document; return it with its spans, and the keys of incomplete parts.

    None if too little would remain to be checked.
    """
    if not edits or () in edits or any(key[0] == "for_each" for key in edits):
        return None
    moved: dict[Key, Key] = {(): ()}
    data = _rebuilt(document.data, (), edits, moved)
    old = document.index
    index = Index(old.lines)
    index.values = {moved[k]: span for k, span in old.values.items() if k in moved}
    index.keys = {moved[k]: span for k, span in old.keys.items() if k in moved}
    lost = {key[:-1] for key, edit in edits.items() if edit.hurts}
    less = replace(document, data=data, partial=document.partial or bool(lost))
    less.index = index
    lost |= {key[:-1] for key, edit in edits.items() if edit.name is None and edit.text is None}
    lost |= hurt | {key for key, edit in edits.items() if edit.text is not None}
    return less, {moved[key] for key in lost if key in moved}


def _rebuilt(data: Any, key: Key, edits: Mapping[Key, Edit], moved: dict[Key, Key]) -> Any:
    if not isinstance(data, dict | list):
        return data
    rebuilt: Any = {} if isinstance(data, dict) else []
    for name, item in list(data.items() if isinstance(data, dict) else enumerate(data)):
        spot = (*key, name)
        edit = edits.get(spot)
        if edit is not None and edit.name is None and edit.text is None:
            continue
        fresh = edit.name if edit is not None and edit.name is not None else name
        moved[spot] = (*moved[key], fresh if isinstance(data, dict) else len(rebuilt))
        value = _rebuilt(item, spot, edits, moved)
        value = edit.text if edit is not None and edit.text is not None else value
        if isinstance(data, dict):
            rebuilt[fresh] = value
        else:
            rebuilt.append(value)
    return rebuilt
