"""Hold-outs without effect: they leave out no task of any mixture that they apply to.

Most often a member's selector or the hold-out's own is wrong, and the tasks meant for evaluation
are trained on under another name. A hold-out that selects no task of the library at all is an error
of `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flancompile.compiler.plan.plan import held_out_clusters, held_out_tasks, mixture_tree
from flancompile.dsl.library.library import Library, Loaded, TaskDef
from flancompile.dsl.library.select import nearest_term, parse_selector
from flancompile.dsl.models.mixture import Mixture, Recipe
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic, FlancompileError, nearest

__all__ = ["idle_clusters", "idle_hold_outs"]

_REMEDY = "remove it, or correct the selectors of the members"


def idle_hold_outs(library: Library, tasks: Mapping[str, TaskDef]) -> Iterator[Diagnostic]:
    """FC406 for hold-outs without effect, and for names of `hold_out_with` that no task has.

    A hold-out also applies to each mixture that includes its own one, so one effect is enough.
    """
    reach: dict[str, set[str]] = {}  # mixture -> the tasks of all mixtures that have it below them
    for root in library.mixtures:
        below = [m.id for m in mixture_tree(library, root)]
        chosen = _chosen(library, tasks, root)
        for id_ in below:
            reach.setdefault(id_, set()).update(chosen)
    for loaded in library.mixtures.values():
        of_mixture = {i: t for i, t in tasks.items() if i in reach[loaded.id]}
        yield from _idle(loaded, tasks, of_mixture)
        yield from _unknown_company(loaded, tasks)


def idle_clusters(
    library: Library, tasks: Mapping[str, TaskDef], recipe: Loaded[Recipe]
) -> Iterator[Diagnostic]:
    """FC406 for clusters that a recipe holds out and that no task of its mixture has."""
    id_ = recipe.model.mixture
    chosen = _chosen(library, tasks, id_)
    clusters = {t.task.cluster for i, t in tasks.items() if i in chosen and t.task.cluster}
    for index, name in enumerate(recipe.model.hold_out_clusters):
        held_out = held_out_clusters(library, tasks, id_, name).values()
        if any(held_out) and not any(i in chosen for ids in held_out for i in ids):
            message = f"the mixture {id_!r} has no task of the cluster {name!r} to hold out"
            span = recipe.document.span(("hold_out_clusters", index))
            hint = nearest(name, clusters) or f"it has {', '.join(sorted(clusters))}"
            yield Diagnostic("FC406", message, span, _or(hint, "remove it"), "warning")


def _chosen(library: Library, tasks: Mapping[str, TaskDef], id_: str) -> set[str]:
    """The tasks that the members of a mixture's tree select, held-out ones included."""
    found: set[str] = set()
    for loaded in mixture_tree(library, id_):
        for member in loaded.model.members:
            if member.select is not None:
                found.update(_picked(member.select, tasks))
    return found


def _picked(select: str, tasks: Mapping[str, TaskDef]) -> list[str]:
    """Ids of the tasks that a selector selects; none for a selector that `plan` reports."""
    try:
        return parse_selector(select).pick(tasks.values())
    except FlancompileError:
        return []


def _idle(
    loaded: Loaded[Mixture], tasks: Mapping[str, TaskDef], of_mixture: Mapping[str, TaskDef]
) -> Iterator[Diagnostic]:
    for index, hold_out in enumerate(loaded.model.hold_out):
        ids = _picked(hold_out.select, tasks)
        held_out = held_out_tasks(tasks, ids, hold_out.scope)
        if ids and of_mixture and not any(i in of_mixture for i in held_out):
            message = f"the hold-out {hold_out.select!r} selects no task of {loaded.id!r}"
            span = loaded.document.span(("hold_out", index, "select"))
            near = nearest_term(parse_selector(hold_out.select), of_mixture.values())
            hint = _or(near, _REMEDY) if near else _REMEDY
            yield Diagnostic("FC406", message, span, hint, "warning")


def _or(hint: str, remedy: str) -> str:
    """A hint, followed by the remedy in case the suggestion is wrong."""
    return f"{hint}{' ' if hint.endswith('?') else '; '}otherwise {remedy}"


def _unknown_company(loaded: Loaded[Mixture], tasks: Mapping[str, TaskDef]) -> Iterator[Diagnostic]:
    """Clusters of `hold_out_with` that are neither a cluster nor a tag of any task."""
    known = {n for t in tasks.values() for n in (t.task.cluster, *t.task.tags) if n}
    for name, others in loaded.model.hold_out_with.items():
        places: list[tuple[str, Key, bool]] = [(name, ("hold_out_with", name), True)]
        places += [(o, ("hold_out_with", name, i), False) for i, o in enumerate(others)]
        for cluster, key, of_key in places:
            if cluster not in known:
                span = loaded.document.span(key, of_key=of_key)
                message = f"hold_out_with: no task has the cluster {cluster!r}"
                hint = nearest(cluster, known) or "remove it, or give the tasks that `cluster:`"
                yield Diagnostic("FC406", message, span, hint, "warning")
