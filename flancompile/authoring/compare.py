"""Compare two libraries or two builds, by task and by file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flancompile.dsl.library.library import Library, TaskDef
from flancompile.dsl.models.task import Template
from flancompile.store.manifest import Manifest, TaskCount

__all__ = ["Difference", "compare_builds", "compare_libraries"]


@dataclass(frozen=True)
class Difference:
    """A difference of one task, mixture, recipe, style or overlay, with details."""

    task: str
    kind: str
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"task": self.task, "kind": self.kind, "details": list(self.details)}


def compare_libraries(first: Library, second: Library) -> list[Difference]:
    """Compare two libraries: tasks first, then mixtures, recipes, styles and overlays."""
    found = _compare(first.tasks(), second.tasks(), _task_details)
    here, there = _others(first), _others(second)
    return [*found, *_compare(here, there, lambda a, b: list(_changes(a, b)))]


def _others(library: Library) -> dict[str, dict[str, Any]]:
    """Mixtures, recipes, styles and overlays as plain data, by kind and id."""
    kinds: dict[str, Mapping[str, Any]] = {
        "mixture": {i: x.model for i, x in library.mixtures.items()},
        "recipe": {i: x.model for i, x in library.recipes.items()},
        "overlay": {i: x.model for i, x in library.overlays.items()},
        **{f"{kind} style": table for kind, table in library.styles.items()},
    }
    return {
        f"{kind} {id_}": _named(model.model_dump(mode="json"))
        for kind, table in kinds.items()
        for id_, model in table.items()
    }


def _named(data: dict[str, Any]) -> dict[str, Any]:
    """Replace list indexes by members' names, so that reordered members compare equal."""
    members: dict[str, Any] = {}
    for member in data.pop("members", ()):
        name = base = repr(member["name"] or member["mixture"] or member["select"])
        number = 1
        while name in members:
            number += 1
            name = f"{base} ({number})"
        members[name] = member
    return {**data, **{f"member {name}": member for name, member in members.items()}}


def _changes(
    first: Mapping[str, Any], second: Mapping[str, Any], within: str = ""
) -> Iterator[str]:
    """One line for each key, at any depth, whose value differs between two mappings."""
    for key in dict.fromkeys([*first, *second]):
        a, b, name = first.get(key), second.get(key), f"{within}{key}"
        if key not in second:
            yield f"{name} removed"
        elif key not in first:
            yield f"{name} added"
        elif isinstance(a, dict) and isinstance(b, dict):
            yield from _changes(a, b, f"{name}: " if key.startswith("member ") else f"{name}.")
        elif a != b:
            yield f"{name}: {a!r} → {b!r}"
    if not within and set(first) == set(second) and list(first) != list(second):
        yield "its members are in another order"


def compare_builds(first: Manifest, second: Manifest) -> list[Difference]:
    """Compare each task's counts, shares, lengths, arms and templates."""
    here, there = ({t.task: t for t in m.tasks} for m in (first, second))
    found = _compare(here, there, _count_details)
    details = [
        f"{name} {a!r} → {b!r}"
        for name, a, b in (
            ("tokenizer", first.tokenizer.name, second.tokenizer.name),
            ("layout", first.layout, second.layout),
            ("lengths", first.lengths, second.lengths),
            ("examples", first.counts["examples"], second.counts["examples"]),
            ("packs", first.counts["packs"], second.counts["packs"]),
            ("tokens", first.counts["tokens"], second.counts["tokens"]),
            ("root digest", first.root_digest[:16], second.root_digest[:16]),
        )
        if a != b
    ]
    return [Difference("(the build)", "changed", tuple(details)), *found] if details else found


def _compare(first: Mapping[str, Any], second: Mapping[str, Any], details: Any) -> list[Difference]:
    found = []
    for id_ in sorted({*first, *second}):
        if id_ not in second:
            found.append(Difference(id_, "removed"))
        elif id_ not in first:
            found.append(Difference(id_, "added"))
        elif changes := details(first[id_], second[id_]):
            found.append(Difference(id_, "changed", tuple(changes)))
    return found


def _task_details(first: TaskDef, second: TaskDef) -> list[str]:
    here, there = (t.task.model_dump(mode="json", exclude={"templates"}) for t in (first, second))
    found = [f"{key}: {here[key]!r} → {there[key]!r}" for key in here if here[key] != there[key]]
    for key in ("source", "let", "fields", "where"):
        a, b = (getattr(t.dataset.model, key) for t in (first, second))
        if a != b:
            found.append(f"the dataset's {key} differ")
    old, new = ({x.name: x for x in t.task.templates} for t in (first, second))
    found += [f"template {n!r} removed" for n in old if n not in new]
    found += [f"template {n!r} added" for n in new if n not in old]
    for name in old:
        if name in new and old[name] != new[name]:
            a, b = old[name].model_dump(mode="json"), new[name].model_dump(mode="json")
            keys = ", ".join(k for k in a if a[k] != b[k])
            found.append(f"template {name!r}: {keys}")
    if old != new:
        a, b = (_mean_chars(x.values()) for x in (old, new))
        found.append(f"mean length of a template's texts: {a:.0f} → {b:.0f} characters")
    return found


def _mean_chars(templates: Collection[Template]) -> float:
    """Mean characters of a template's input and target, or of its turns."""
    texts = (str(t.turns) if t.turns is not None else t.input + t.target for t in templates)
    return sum(map(len, texts)) / len(templates)


@dataclass
class _Seen:
    """Compared statistics of a task."""

    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, count: TaskCount) -> _Seen:
        n = max(1, count.examples)
        return cls(
            {
                "examples": f"{count.examples:,}",
                "share": f"{count.share_realised:.3%}",
                "prompt tokens an example": f"{count.prompt_tokens / n:.1f}",
                "target tokens an example": f"{count.target_tokens / n:.1f}",
                "shots": ", ".join(f"{k}: {v:,}" for k, v in sorted(count.shots.items())),
                "with options": f"{count.with_options / n:.1%}",
                "chain of thought": f"{count.cot / n:.1%}",
                "templates": ", ".join(f"{k} {v:,}" for k, v in sorted(count.templates.items())),
            }
        )


def _count_details(first: TaskCount, second: TaskCount) -> list[str]:
    a, b = _Seen.of(first).values, _Seen.of(second).values
    return [f"{name}: {a[name]} → {b[name]}" for name in a if a[name] != b[name]]
