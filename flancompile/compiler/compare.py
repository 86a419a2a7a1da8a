"""What differs between two libraries or between two builds, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flancompile.dsl.library import Library, TaskDef
from flancompile.store.manifest import Manifest, TaskCount

__all__ = ["Difference", "compare_builds", "compare_libraries"]


@dataclass(frozen=True)
class Difference:
    """One task: how it differs, and what of it."""

    task: str
    kind: str
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"task": self.task, "kind": self.kind, "details": list(self.details)}


def compare_libraries(first: Library, second: Library) -> list[Difference]:
    """Tasks that only one library has, and what differs in those of both."""
    return _compare(first.tasks(), second.tasks(), _task_details)


def compare_builds(first: Manifest, second: Manifest) -> list[Difference]:
    """Counts, shares, lengths, arms and templates of each task."""
    here, there = ({t.task: t for t in m.tasks} for m in (first, second))
    found = _compare(here, there, _count_details)
    about = [
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
    return [Difference("(the build)", "changed", tuple(about)), *found] if about else found


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
    for key in ("source", "fields", "where"):
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
    return found


@dataclass
class _Seen:
    """The figures of a task that are compared."""

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
