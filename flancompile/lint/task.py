"""Data lints of a task: texts that are constant, empty, leaking, over-long or malformed.

Every template is rendered on the same rows, in each of its arms. A diagnostic is reported once per
template, with the share of affected rows and the id of one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flancompile.authoring.preview import PreviewSettings, pools_found, row_set, spec_of
from flancompile.compiler.objects.jobs import task_fields
from flancompile.compiler.read import split_spec
from flancompile.compiler.render.arms import option_arms
from flancompile.compiler.render.renderer import Draft, Renderer
from flancompile.compiler.render.row_set import RowSet
from flancompile.compiler.request import CompileRequest
from flancompile.drop_reasons import Dropped
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.models.task import Template
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic
from flancompile.lint.labels import lint_labels
from flancompile.lint.leaks import Leaks, lacks_rationale, repeats_prompt, texts_of
from flancompile.lint.punctuation import doubles_a_mark
from flancompile.lint.read import lost_characters
from flancompile.lint.reading import Reading
from flancompile.lint.rows import lint_rows
from flancompile.lint.sample import Sample, share
from flancompile.sources.blocks import read_to_the_end, sample

__all__ = ["lint_task"]

SAME = 10  # minimum rows for reporting constant inputs
LOSSY_ROWS, LOST_SHOWN = 50, 8  # rows whose lost characters are looked for; those that are shown


@dataclass
class _Facts:
    """Counts for one template in one arm."""

    over: RowSet
    leaks: Leaks
    rows: int = 0
    prompts: set[int] = field(default_factory=set)
    inputs: set[int] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)

    def note(self, check: str, row: str) -> None:
        self.faults[check] += 1
        self.first.setdefault(check, row)


def lint_task(
    request: CompileRequest, task: TaskDef, split: str, reading: Reading, *, evaluated: bool = False
) -> list[Diagnostic]:
    """Lint a task on the rows of a split.

    evaluated: the rows are evaluation queries, which need no rationale. Raises FC3xx if the rows
    cannot be read.
    """
    spec, limit = split_spec(request, task, split), reading.rows or 1 << 62
    rows, dropped = sample(spec, limit, task_fields(task, evaluated=evaluated))
    whole = read_to_the_end(rows, dropped, limit)
    linted = Sample(request, task, split, rows, reading, evaluated, whole)
    lint_rows(linted, [str(r.reason) for r in dropped])
    templates = _Templates(linted)
    for index, template in enumerate(task.task.templates):
        templates.template(index, template)
    lint_labels(linted)
    return linted.found


class _Templates:
    """Lints of a task's templates."""

    def __init__(self, sample: Sample) -> None:
        self.sample, self.task, self.rows = sample, sample.task, sample.rows
        self.evaluated = sample.evaluated
        self.report = sample.report

    def template(self, index: int, template: Template) -> None:
        """One template in each of its arms."""
        key = ("templates", index)
        for options in sorted(option_arms([template])):
            settings = PreviewSettings(template=template.name, options=options, cot=template.cot)
            spec = spec_of(self.sample.request, self.task, settings)
            rows = row_set(spec, self.rows, 0, self.sample.split)
            pools, unread = pools_found(
                self.sample.request, self.task, spec, rows, self.sample.split
            )
            self.sample.found += unread
            renderer = Renderer(spec, rows, pools, {}, evaluated=self.evaluated)
            facts = _Facts(rows, Leaks.of(self.task, template))
            for draft in renderer:
                self.look(facts, draft, template)
            self.template_diagnostics(facts, template, key, options)
            self.lost(facts, renderer, template, key)

    def lost(self, facts: _Facts, renderer: Renderer, template: Template, key: Key) -> None:
        """Diagnostics of rows that the template cannot render."""
        reasons = Counter(r for r in renderer.reasons.values() if not Dropped.of(r).is_intended)
        named = f"the template {template.name!r}"
        if facts.rows == 0 and self.rows:
            why = reasons.most_common(1)
            never = "its `when` is false for all rows"
            hint = f"most frequent reason: {why[0][0]}" if why else never
            self.report("FC321", f"{named} renders none of the rows", key, hint)
        elif reasons:
            most = reasons.most_common(1)[0][0]
            count = sum(reasons.values())
            affected = share(count, facts.rows + count)
            message = f"{named} drops {affected}; most frequent reason: {most}"
            self.report("FC323", message, key, "leave them out with `where`")

    def look(self, facts: _Facts, draft: Draft, template: Template) -> None:
        """Count one example."""
        row = self.rows[draft.row]
        id_, prompt, target = str(row["_id"]), draft.input, draft.target
        facts.rows += 1
        facts.prompts.add(hash((prompt, draft.turns)))
        names = self.task.task.signature.inputs
        context = [turn.text for turn in draft.turns if not turn.learnt]
        facts.inputs.add(hash((*(str(row.get(n)) for n in names), *context)))
        if draft.turns:
            self.dialogue(facts, id_, draft)
            return
        checks: dict[str, Callable[[], bool]] = {
            "leak": lambda: self._leaks(facts.leaks, draft, template, facts.over),
            "end": lambda: prompt != prompt.rstrip(),
            "doubled": lambda: self._doubled(draft, template, facts.over),
            "rationale": lambda: template.cot and not self.evaluated and self._is_bare(target, row),
        }
        for name, holds in checks.items():
            if holds():
                facts.note(name, id_)
        self.measure(facts, id_, prompt, target)

    def _leaks(self, leaks: Leaks, draft: Draft, template: Template, rows: RowSet) -> bool:
        row, outputs = self.rows[draft.row], self.task.task.signature.outputs
        if draft.options is not None:
            return draft.input.strip() == draft.target.strip()
        fields = {n: texts_of(v) for n, v in row.items() if n[0] != "_" and n not in outputs}
        others = self._others(draft, template, rows)
        return leaks.look(str(row["_id"]), draft.input, draft.target, fields, others)

    def _others(self, draft: Draft, template: Template, rows: RowSet) -> list[str]:
        """The row's wrong options, where it has choices."""
        choices = template.choices or self.task.task.choices
        if choices is None or choices.distractors is not None:
            return []
        try:
            options = rows.options(draft.row, choices)
        except RowError:
            return []
        return [text for n, text in enumerate(options.texts) if n != options.gold]

    def _doubled(self, draft: Draft, template: Template, rows: RowSet) -> bool:
        def names() -> dict[str, object] | None:
            choices = template.choices or self.task.task.choices
            try:
                found = rows.context(draft.row, template)
                gold = {"gold": rows.gold(draft.row, choices)} if choices is not None else {}
                return {**found, **gold}
            except RowError:
                return None

        sides = ((template.input, draft.input), (template.target, draft.target))
        return any(doubles_a_mark(text, rendered, names) for text, rendered in sides)

    def measure(self, facts: _Facts, row: str, prompt: str, target: str) -> None:
        tokenizer, length = self.sample.reading.tokenizer, self.sample.reading.length
        if tokenizer is None:
            return
        encoded = tokenizer.encode([prompt, target])
        if length is not None and int(encoded.lengths.sum()) > length:
            facts.note("long", row)
        if not tokenizer.exact([prompt, target], encoded).all():
            facts.note("lossy", row)
            if facts.faults["lossy"] <= LOSSY_ROWS:
                facts.lost += lost_characters(tokenizer, (prompt, target))

    def dialogue(self, facts: _Facts, row: str, draft: Draft) -> None:
        """Count a chat: its answers, and its length in a layout."""
        answers = [turn.text for turn in draft.turns if turn.learnt]
        context = [turn.text for turn in draft.turns if not turn.learnt]
        if repeats_prompt(draft.turns):
            facts.note("leak", row)
        self.measure(facts, row, "".join(context), "".join(answers))

    def _is_bare(self, target: str, row: dict[str, Any]) -> bool:
        return not self.evaluated and lacks_rationale(target, self._outputs(row))

    def _outputs(self, row: dict[str, Any]) -> list[str]:
        names = self.task.task.signature.outputs
        return [str(row[n]) for n in names if row.get(n) is not None]

    def template_diagnostics(
        self, facts: _Facts, template: Template, key: Key, options: bool
    ) -> None:
        """Diagnostics of one template, from its counts."""
        arm = " with options" if options and template.options == "optional" else ""
        where = f"the template {template.name!r}{arm}"
        if facts.rows > 1 and len(facts.prompts) == 1 and len(facts.inputs) > 1:
            message = f"{where} gives one prompt for {facts.rows:,} rows that differ"
            self.report("FC322", message, (*key, "input"), "show the fields that differ")
        has_inputs = bool(self.task.task.signature.inputs) or template.turns is not None
        same = has_inputs and not self.task.task.inverted and len(facts.inputs) == 1
        if facts.rows >= SAME and same:
            message = f"all {facts.rows:,} rows have the same inputs"
            self.report(
                "FC322", message, ("signature",), "check whether a variable hides the column"
            )
        texts = {
            "leak": ("FC324", "input", "its target in the input", "remove the answer"),
            "end": (
                "FC325",
                "input",
                "white space before its target",
                "trim the last field: `| trim`",
            ),
            "doubled": ("FC326", "input", "doubled punctuation", "remove one of the marks"),
            "rationale": ("FC327", "target", "no rationale before its answer", None),
            "long": (
                "FC328",
                "input",
                f"more than {self.sample.reading.length} tokens",
                "shorten fields with `truncate:`",
            ),
            "lossy": ("FC329", "input", "characters that the tokenizer loses", None),
        }
        for finding, advice, count, row in facts.leaks.findings(facts.rows):
            affected = share(count, facts.rows, row)
            self.report("FC324", f"{where} has {finding} in {affected}", (*key, "input"), advice)
        for check, (code, side, finding, hint) in texts.items():
            side = "turns" if template.turns is not None else side
            if count := facts.faults[check]:
                affected = share(count, facts.rows, facts.first[check])
                if check == "lossy" and facts.lost:
                    lost = ", ".join(f"{c!r}" for c, _ in facts.lost.most_common(LOST_SHOWN))
                    finding = f"{finding} ({lost})"
                self.report(code, f"{where} has {finding} in {affected}", (*key, side), hint)
