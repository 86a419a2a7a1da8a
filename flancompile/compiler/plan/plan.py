"""The plan pass: resolve a mixture into tasks with their members and arms; no row is read.

Shares within a mixture depend on the number of rows of its tasks, so the plan keeps the tree of
members, and `shares` computes them once the sources have been read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from flancompile.compiler.plan.feasibility import double_names, impossible_arms
from flancompile.compiler.plan.members import Node, PlannedTask
from flancompile.compiler.render.arms import arm_shares
from flancompile.dsl.library.library import Library, Loaded, TaskDef
from flancompile.dsl.library.select import Selector, meant_term, nearest_term, parse_selector
from flancompile.dsl.models.mixture import Arms, HoldOut, Member, Mixture, Recipe
from flancompile.errors import Diagnostic, FlancompileError, Span, fail, nearest

__all__ = [
    "clusters_of", "held_out_clusters", "held_out_tasks", "mixture_tree", "resolve", "shares",
]  # fmt: skip

T = TypeVar("T", int, float)
_LISTED = "`flancompile ls` lists the tasks with their labels"


@dataclass
class _Scope:
    """Settings that a member inherits from the mixtures above it.

    cap_rows, max_epochs: limits of the members above; default_cap: the cap of the member's own
    mixture.
    """

    arms: tuple[Arms, ...] = ()
    cap_rows: int | None = None
    default_cap: int | None = None
    max_epochs: float | None = None
    path: tuple[str, ...] = ()


class _Resolver:
    def __init__(self, library: Library, tasks: Mapping[str, TaskDef]) -> None:
        self.library = library
        self.tasks = tasks
        self.held_out: dict[str, str] = {}
        self.taken: dict[str, tuple[str, Span, PlannedTask]] = {}
        self.found: list[Diagnostic] = []

    def clusters(self, requested: Mapping[str, Span | None], mixture: str) -> None:
        """Hold out clusters, and those that the mixture lists for them under `hold_out_with`."""
        known = sorted({t.task.cluster for t in self.tasks.values() if t.task.cluster})
        for name, span in requested.items():
            if name not in known:
                message = f"there is no cluster {name!r} to hold out"
                hint = nearest(name, known) or f"clusters here: {', '.join(known[:12]) or 'none'}"
                self.found.append(Diagnostic("FC406", message, span, hint))
            for cluster, ids in held_out_clusters(self.library, self.tasks, mixture, name).items():
                for id_ in ids:
                    self.held_out.setdefault(id_, f"cluster:{cluster}")

    def mixture(self, id_: str, scope: _Scope, span: Span | None) -> Node:
        if id_ in scope.path:
            circle = " → ".join((*scope.path[scope.path.index(id_) :], id_))
            self.found.append(Diagnostic("FC405", f"a cycle of mixtures: {circle}", span))
            return Node(id_)
        try:
            loaded = self.library.mixture(id_, span)
        except FlancompileError as error:
            self.found += error.diagnostics
            return Node(id_)
        mixture = loaded.model
        node = Node(id_)
        below = _Scope(
            (mixture, *scope.arms), scope.cap_rows, mixture.cap_rows, scope.max_epochs,
            (*scope.path, id_),
        )  # fmt: skip
        for index, member in enumerate(mixture.members):
            key = "mixture" if member.select is None else "select"
            place = loaded.document.span(("members", index, key))
            node.children.append(self.member(member, below, place))
        self.check_rates(node, loaded)
        self.found += double_names(loaded)
        return node

    def check_rates(self, node: Node, loaded: Loaded[Mixture]) -> None:
        given = [c.rate is not None for c in node.children]
        if any(given) and not all(given):
            without = ("members", given.index(False))
            message = "some members have a rate, but this one has none"
            hint = "give every member a rate, or none (sizes then decide)"
            self.found.append(Diagnostic("FC403", message, loaded.document.span(without), hint))

    def member(self, member: Member, scope: _Scope, span: Span) -> Node:
        below = _Scope(
            (member, *scope.arms),
            _least(scope.cap_rows, member.cap_rows or scope.default_cap),
            None,
            _least(scope.max_epochs, member.max_passes),
            scope.path,
        )
        if member.mixture is not None:
            node = self.mixture(member.mixture, below, span)
            node.name = member.name or member.mixture
        else:
            node = Node(member.name or str(member.select))
            node.tasks = self.selected(member, below, span, node.name)
        node.rate, node.within, node.temperature = member.rate, member.within, member.temperature
        return node

    def selector(self, text: str, span: Span) -> Selector | None:
        """A parsed selector; None, with a diagnostic, for one that does not parse."""
        try:
            return parse_selector(text, span)
        except FlancompileError as error:
            meant = meant_term(text, self.tasks.values())
            self.found += [replace(d, hint=meant or d.hint) for d in error.diagnostics]
            return None

    def selected(self, member: Member, scope: _Scope, span: Span, name: str) -> list[PlannedTask]:
        selector = self.selector(str(member.select), span)
        if selector is None:
            return []
        ids = selector.pick(self.tasks.values())
        if not ids:
            hint = nearest_term(selector, self.tasks.values()) or _LISTED
            message = f"the selector {selector.text!r} selects no task"
            self.found.append(Diagnostic("FC406", message, span, hint))
        self.found += impossible_arms(member, [self.tasks[i].task for i in ids], name, span)
        picked = []
        for id_ in ids:
            if id_ in self.held_out:
                continue
            task = self.tasks[id_]
            arms = arm_shares(task.task, scope.arms)
            path = "/".join((*scope.path, name))
            planned = PlannedTask(task, path, arms, scope.cap_rows, scope.max_epochs)
            if id_ not in self.taken or self.takes_again(member, planned, name, span):
                self.taken.setdefault(id_, (name, span, planned))
                picked.append(planned)
        return picked

    def takes_again(self, member: Member, planned: PlannedTask, name: str, span: Span) -> bool:
        """Whether to take a task that an earlier member has once more; else add a diagnostic."""
        if member.overlap is None:
            self.overlap(planned.task.id, name, span)
        if member.overlap != "keep":
            return False
        first = self.taken[planned.task.id][2]
        if replace(first, member=planned.member) != planned:
            message = f"{planned.task.id!r} is kept twice, with different arms, caps or epochs"
            hint = "give both the same arms, caps and max_passes, or set `overlap: exclude`"
            self.found.append(Diagnostic("FC404", message, span, hint))
        return True

    def overlap(self, id_: str, name: str, span: Span) -> None:
        first, place, _ = self.taken[id_]
        message = f"members {first!r} ({place}) and {name!r} both select {id_!r}"
        hint = "set `overlap: exclude` or `overlap: keep` on the later one, or narrow its selector"
        self.found.append(Diagnostic("FC404", message, span, hint))

    def hold_outs(self, id_: str) -> None:
        """Apply the hold-outs of every mixture of the tree, in any order of members."""
        for loaded in reversed([*mixture_tree(self.library, id_)]):
            for index, hold_out in enumerate(loaded.model.hold_out):
                self.hold_out(hold_out, loaded.document.span(("hold_out", index, "select")))

    def hold_out(self, hold_out: HoldOut, span: Span) -> None:
        selector = self.selector(hold_out.select, span)
        if selector is None:
            return
        ids = selector.pick(self.tasks.values())
        if not ids:
            message = f"the hold-out {hold_out.select!r} selects no task"
            hint = nearest_term(selector, self.tasks.values()) or _LISTED
            self.found.append(Diagnostic("FC406", message, span, hint))
        for id_ in ids:
            if _scope_mark(self.tasks[id_], hold_out.scope) is None:
                self.found.append(_without_cluster(id_, span))
        for id_ in held_out_tasks(self.tasks, ids, hold_out.scope):
            self.held_out.setdefault(id_, hold_out.select)


def _without_cluster(id_: str, span: Span) -> Diagnostic:
    message = f"{id_!r} has no cluster to hold out with it"
    return Diagnostic("FC425", message, span, "give the task a `cluster:`, or set `scope: task`")


def mixture_tree(
    library: Library, id_: str, seen: set[str] | None = None
) -> Iterator[Loaded[Mixture]]:
    """A mixture after those below it, each once. seen: ids that have been visited."""
    seen = set() if seen is None else seen
    if id_ in seen or id_ not in library.mixtures:
        return
    seen.add(id_)
    loaded = library.mixtures[id_]
    for member in loaded.model.members:
        if member.mixture is not None:
            yield from mixture_tree(library, member.mixture, seen)
    yield loaded


def held_out_tasks(tasks: Mapping[str, TaskDef], ids: Collection[str], scope: str) -> list[str]:
    """The tasks that a hold-out of tasks `ids` leaves out, depending on its scope."""
    marks = {_scope_mark(tasks[i], scope) for i in ids} - {None}
    return [i for i, t in tasks.items() if i in ids or _scope_mark(t, scope) in marks]


def held_out_clusters(
    library: Library, tasks: Mapping[str, TaskDef], mixture: str, name: str
) -> dict[str, list[str]]:
    """The tasks that a recipe's hold-out of a cluster leaves out of a mixture, by cluster or tag.

    The clusters are `name` and those that the mixture lists for it under `hold_out_with`.
    """
    together: dict[str, tuple[str, ...]] = {}
    for loaded in mixture_tree(library, mixture):
        together |= loaded.model.hold_out_with
    return {
        cluster: [i for i, t in tasks.items() if cluster in (t.task.cluster, *t.task.tags)]
        for cluster in (name, *together.get(name, ()))
    }


def clusters_of(recipe: Loaded[Recipe]) -> dict[str, Span | None]:
    """The clusters that a recipe holds out, with their locations."""
    names = enumerate(recipe.model.hold_out_clusters)
    return {n: recipe.document.span(("hold_out_clusters", i)) for i, n in names}


def _least(*given: T | None) -> T | None:
    """The least of the limits, or None if there is none."""
    return min((g for g in given if g is not None), default=None)


def _scope_mark(task: TaskDef, scope: str) -> str | None:
    if scope == "task":
        return task.id
    return task.dataset.id if scope == "source" else task.task.cluster


def resolve(
    library: Library,
    tasks: Mapping[str, TaskDef],
    mixture: str,
    span: Span | None = None,
    clusters: Mapping[str, Span | None] = MappingProxyType({}),
) -> tuple[Node, dict[str, str]]:
    """Resolve a mixture into its tree, and the tasks that it holds out (id -> selector).

    span: the location of the mixture's name; clusters: those that a recipe holds out, with their
    locations. Raises FC402 to FC407, all that apply at once.
    """
    resolver = _Resolver(library, tasks)
    resolver.clusters(clusters, mixture)
    resolver.hold_outs(mixture)
    node = resolver.mixture(mixture, _Scope(), span)
    if resolver.found:
        raise FlancompileError(resolver.found)
    if not node.all_tasks():
        raise fail("FC407", f"the mixture {mixture!r} has no tasks left", span=span)
    return node, resolver.held_out


def shares(node: Node, rows: Mapping[str, int]) -> dict[str, float]:
    """Each task's share of the mixture, summing to 1. rows: usable rows by task id.

    A member's share is its rate over its siblings' (its capped rows if there are no rates). Within
    a member, a task's share is proportional to min(cap, rows), flattened by the temperature. Under
    `within: rungs` the tasks of a rung divide the weight of their largest task by their rows. A
    task without rows has share 0, which its siblings divide.
    """
    found: dict[str, float] = {}
    _spread(node, 1.0, rows, found)
    return found


def _spread(node: Node, share: float, rows: Mapping[str, int], found: dict[str, float]) -> None:
    if node.tasks:
        for task, part in zip(node.tasks, _normalised(_weights(node, rows)), strict=True):
            found[task.task.id] = found.get(task.task.id, 0.0) + share * part
        return
    child_sizes = [_size(c, rows) for c in node.children]
    weights = [
        (size ** (1 / node.temperature) if child.rate is None else child.rate) if size else 0.0
        for child, size in zip(node.children, child_sizes, strict=True)
    ]
    for child, part in zip(node.children, _normalised(weights), strict=True):
        _spread(child, share * part, rows, found)


def _weights(node: Node, rows: Mapping[str, int]) -> list[float]:
    """The weight of each task of a member."""
    sizes = [float(t.capped(rows[t.task.id])) for t in node.tasks]
    if node.within == "equal":
        return [1.0 if s else 0.0 for s in sizes]
    if node.within == "rows":
        return [s ** (1 / node.temperature) if s else 0.0 for s in sizes]
    groups: dict[tuple[str, ...], list[float]] = {}
    names = [t.task.rungs or (t.task.id,) for t in node.tasks]
    for name, size in zip(names, sizes, strict=True):
        groups.setdefault(name, []).append(size)
    whole = {n: max(s) ** (1 / node.temperature) if max(s) else 0.0 for n, s in groups.items()}
    return [
        whole[name] * size / sum(groups[name]) if size else 0.0
        for name, size in zip(names, sizes, strict=True)
    ]


def _size(node: Node, rows: Mapping[str, int]) -> float:
    return float(sum(t.capped(rows[t.task.id]) for t in node.all_tasks()))


def _normalised(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [w / total if total else 0.0 for w in weights]
