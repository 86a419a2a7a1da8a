"""Detect targets that leak into prompts, and the field that leaks them.

An extracted answer occurs in its passage by design. A field is therefore reported only if most rows
show the leak, and if the field is computed from the answer's column or the target has several words
and the task is not extractive. A task is extractive by the tag `extractive`, by the names of its
category and cluster, or by a template that asks for a copy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flancompile.compiler.render.chat import Turn
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.jinja.paths import Path, paths_read
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.models.task import Template

__all__ = ["Leaks", "fields_from_answers", "lacks_rationale", "repeats_prompt", "texts_of"]

SHARE = 0.5  # of a template's rows
SEVERAL = 3  # words of a target
LEAST = 3  # characters: shorter ones are found anywhere
PASSAGE = 4  # a field so many times as long as the answer that is taken out of it
_EXTRACTIVE = re.compile(r"extract|comprehension|coreference|cloze|copy|span|_qa$")
_ASKS_FOR_A_COPY = re.compile(
    r"\b(?:copy|extract|highlight|quote|repeat|underline|verbatim|word for word)\b", re.IGNORECASE
)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


@dataclass
class Leaks:
    """Counts of leaked targets by field, for one template.

    tagged: the author tags the task as extractive; extractive: its names suggest so.
    """

    derived: frozenset[str]
    copied: frozenset[str]
    tagged: bool
    extractive: bool
    own_words: str
    rows: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    words: int = 0

    @classmethod
    def of(cls, task: TaskDef, template: Template) -> Leaks:
        """Settings from the texts of a task and of its template."""
        own_words = _JINJA.sub("", template.input)
        names = (*task.task.tags, task.category, task.task.cluster or "")
        extractive = any(_EXTRACTIVE.search(name) for name in names)
        return cls(
            derived=fields_from_answers(task),
            copied=compile_template(template.target).names & {*task.task.signature.inputs},
            tagged="extractive" in task.task.tags,
            extractive=extractive or _ASKS_FOR_A_COPY.search(own_words) is not None,
            own_words=own_words,
        )

    def look(
        self,
        row: str,
        prompt: str,
        target: str,
        fields: Mapping[str, Sequence[str]],
        others: Sequence[str],
    ) -> bool:
        """Count a row. Return whether the prompt contains the target although no single field does.

        fields: texts of each field that is no output; others: the row's other options, since a
        prompt may list all options.
        """
        text = target.strip()
        if prompt.strip() == text:
            return True
        if len(text) < LEAST or text not in prompt:
            return False
        if text in self.own_words or any(other in prompt for other in others):
            return False
        holding = {n: v for n, values in fields.items() for v in values if text in v}
        if not holding:
            return True
        leaking = (n for n, value in holding.items() if self._is_leak(n, value, text))
        if (name := next(leaking, None)) is not None:
            self.rows[name] += 1
            self.first.setdefault(name, row)
            self.words += len(text.split())
        return False

    def _is_leak(self, name: str, value: str, text: str) -> bool:
        """Whether a field that contains the target is a leak."""
        if self.tagged or name in self.copied:
            return False
        if name in self.derived and len(value) < PASSAGE * len(text):
            return True
        return not self.extractive and len(text.split()) >= SEVERAL

    def findings(self, rows: int) -> Iterator[tuple[str, str, int, str]]:
        """(message, remedy, row count, example row) for the field that leaks most targets."""
        for name, count in self.rows.most_common(1):
            if count >= SHARE * rows:
                words = self.words / sum(self.rows.values())
                size = "one word" if words < 1.5 else f"{words:.0f} words"
                finding = f"its whole target ({size} on average) in the field {name!r}"
                advice = "remove the answer from the input, or tag the task `extractive`"
                if name in self.derived:
                    advice = "the field is computed from the answer's column; " + advice
                yield finding, advice, count, self.first[name]


def fields_from_answers(task: TaskDef) -> frozenset[str]:
    """Inputs computed from a column, or a part of one, that an output is computed from too."""
    file, signature = task.dataset.model, task.task.signature
    fields = {name: _columns(text, file.let) for name, text in file.fields.items()}
    answer_paths = {p for n in signature.outputs for p in fields.get(n, ())}
    return frozenset(
        name
        for name in signature.inputs
        if any(_overlap(p, q) for p in fields.get(name, ()) for q in answer_paths)
    )


def _overlap(a: Path, b: Path) -> bool:
    short = min(len(a), len(b))
    return a[:short] == b[:short]


def _columns(text: str, let: Mapping[str, str]) -> list[Path]:
    """Columns that a field reads, each with the keys that it takes."""
    found: list[Path] = []
    for path in paths_read(text):
        if path[0] in let:  # it sees the names before it alone, so this comes to an end
            before = dict(list(let.items())[: list(let).index(path[0])])
            found += _columns(let[path[0]], before)
        else:
            found.append(path[1:] if path[0] == "row" else path)
    return found


def repeats_prompt(turns: Sequence[Turn]) -> bool:
    """Whether an answer of several words repeats an earlier user or system turn.

    Answers that repeat a tool's result, or a short phrase such as a greeting, are legitimate.
    """
    before: set[str] = set()
    for turn in turns:
        text = turn.text.strip()
        if turn.learnt and len(text.split()) >= SEVERAL and text in before:
            return True
        if turn.role in ("user", "system"):
            before.add(text)
    return False


def texts_of(value: Any) -> list[str]:
    """All texts in a value, lists and mappings looked into."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_of(item)]
    return [] if value is None else [str(value)]


def lacks_rationale(target: str, outputs: Sequence[str]) -> bool:
    """Whether a target lacks a chain of thought: it is the shortest output that is not empty, or no
    output is longer."""
    if len(outputs) < 2:
        return False
    answer = min((o.strip() for o in outputs if o.strip()), key=len, default="")
    return max(outputs, key=len).strip() in ("", answer) or target.strip() == answer
