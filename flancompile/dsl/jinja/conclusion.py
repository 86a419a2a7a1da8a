"""The answer in a target template: the literals around it and the names in it."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import nodes

from flancompile.dsl.jinja.expression import compile_template, parsed_template
from flancompile.dsl.models.task import Task

__all__ = ["answer_names", "literals_around_answer", "rationale_fields"]


@lru_cache(maxsize=4096)
def literals_around_answer(target: str) -> tuple[str, str, int]:
    """Literal text before and after a target's last slot, and its number of slots.

    The literals are stripped of white space and may be empty.

    >>> literals_around_answer("{{ rationale }} So the answer is {{ gold }}.")
    ('So the answer is', '.', 2)
    >>> literals_around_answer("{{ rationale }}\\n{{ answer | capitalize }}")
    ('', '', 2)
    """
    parts: list[str | None] = []  # literals; None for a slot
    for node in parsed_template(target).find_all(nodes.Output):
        parts += [p.data if isinstance(p, nodes.TemplateData) else None for p in node.nodes]
    if None not in parts:
        return "", "", 0
    at = len(parts) - 1 - parts[::-1].index(None)
    before, after = (parts[i] if 0 <= i < len(parts) else "" for i in (at - 1, at + 1))
    return (before or "").strip(), (after or "").strip(), parts.count(None)


@lru_cache(maxsize=4096)
def answer_names(target: str) -> frozenset[str]:
    """Names in the last slot of a target.

    >>> sorted(answer_names("{{ rationale }} So the answer is {{ gold }}."))
    ['gold']
    """
    last: nodes.Node | None = None
    for node in parsed_template(target).find_all(nodes.Output):
        printed = [p for p in node.nodes if not isinstance(p, nodes.TemplateData)]
        last = printed[-1] if printed else last
    if last is None:
        return frozenset()
    names = [last] if isinstance(last, nodes.Name) else last.find_all(nodes.Name)
    return frozenset(n.name for n in names if isinstance(n, nodes.Name))


def rationale_fields(task: Task) -> frozenset[str]:
    """Names that targets show only in a rationale, before the answer."""
    reasons: set[str] = set()
    answers: set[str] = set()
    for template in task.templates:
        if template.turns is not None:
            continue
        names = compile_template(template.target).names
        last = answer_names(template.target) if template.cot else names
        answers |= last
        reasons |= names - last
    return frozenset(reasons - answers)
