"""Data lints of a task: texts that are constant, empty, leaking, over-long or malformed.

Every template is rendered on the same rows, in each of its arms. A diagnostic is reported once per
template, with the share of affected rows and the id of one of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flancompile.authoring.preview import PreviewSettings, pools_found, row_set, spec_of
from flancompile.compiler.objects.jobs import task_fields
from flancompile.compiler.objects.used_fields import used_fields
from flancompile.compiler.read import split_spec
from flancompile.compiler.render.arms import option_arms
from flancompile.compiler.render.renderer import Draft, Renderer
from flancompile.compiler.render.row_set import MAX_OPTIONS, RowSet
from flancompile.compiler.request import CompileRequest
from flancompile.drop_reasons import Dropped
from flancompile.dsl.jinja.dialogues import left_out_of
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.jinja.paths import label_names, paths_read
from flancompile.dsl.library.library import TaskDef
from flancompile.dsl.models.task import Choices, Template
from flancompile.dsl.yaml.document import Key
from flancompile.errors import Diagnostic
from flancompile.lint.leaks import Leaks, lacks_rationale, repeats_prompt, texts_of
from flancompile.lint.punctuation import doubles_a_mark
from flancompile.lint.read import commonest, empty_files, header_hint, lost_characters
from flancompile.sources.blocks import read_to_the_end, sample
from flancompile.tokenizer.special import USUAL, special_tokens_in
from flancompile.tokenizer.tokenizer import Tokenizer

__all__ = ["SAMPLE_ROWS", "Reading", "lint_task"]

SAMPLE_ROWS = 200
SKEW = 0.9  # of one label
SAME = 10  # minimum rows for reporting constant inputs
EACH = 20  # rows per label for reporting an unused label
_MARKED = (
    "values are never read as templates; leave such rows out with `where`, or say why they may "
    'stay: `allow: {FC333: "code samples"}`'
)
_OUTSIDE = re.compile(r"the index -[0-9]+ is negative|no item [0-9]+|is not in the table")
LOSSY_ROWS, LOST_SHOWN = 50, 8  # rows whose lost characters are looked for; those that are shown
_SYNTAX = re.compile(r"\{\{|\{%")


@dataclass(frozen=True)
class Reading:
    """Settings of a data check.

    rows: rows per split, None for all; length: maximum tokens per example; write_lock: write the
    types of columns to the library's schemas.lock; select: a selector of tasks; on_hand: skip tasks
    whose data is not on this machine; split: lint this split only. Default: training and
    evaluation.
    """

    rows: int | None = SAMPLE_ROWS
    tokenizer: Tokenizer | None = None
    length: int | None = None
    write_lock: bool = True
    select: str = "all"
    on_hand: bool = False
    split: str | None = None


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
    lint = _Linter(request, task, split, rows, reading)
    lint.evaluated, lint.whole = evaluated, read_to_the_end(rows, dropped, limit)
    lint.rows_alone([str(r.reason) for r in dropped])
    for index, template in enumerate(task.task.templates):
        lint.template(index, template)
    lint.labels()
    return lint.found


class _Linter:
    def __init__(
        self,
        request: CompileRequest,
        task: TaskDef,
        split: str,
        rows: Sequence[dict[str, Any]],
        reading: Reading,
    ) -> None:
        self.request, self.task, self.split, self.rows = request, task, split, rows
        self.reading = reading
        self.evaluated = False
        self.whole = True  # whether the rows are all of the split
        self.found: list[Diagnostic] = []
        self.gold_counts: Counter[str] = Counter()

    def report(self, code: str, message: str, key: Key, hint: str | None = None) -> None:
        span = self.task.span(*key)
        name = f"{self.task.id} on {self.split!r}" if self.evaluated else self.task.id
        self.found.append(Diagnostic(code, f"{name}: {message}", span, hint, "warning"))

    def share(self, count: int, of: int, row: str | None = None) -> str:
        return f"{count:,} of {of:,} rows" + ("" if row is None else f", such as {row!r}")

    def rows_alone(self, reasons: Sequence[str]) -> None:
        """Diagnostics that need no rendering."""
        faults = [r for r in reasons if not Dropped.of(r).is_intended]
        total = len(self.rows) + len(faults)
        if total == 0:
            left = f"; `where` leaves out all {len(reasons):,}" if reasons else ""
            if not self.whole:
                message = f"`where` leaves out all of the {len(reasons):,} rows that were read of"
                self.report(
                    "FC320", f"{message} the split {self.split!r}", (), "read more: `--rows`"
                )
                return
            for name in empty_files(split_spec(self.request, self.task, self.split).place)[:1]:
                left += f"; the file {name!r} is empty"
            self.report("FC320", f"the split {self.split!r} has no rows{left}", ())
        elif faults:
            why = commonest(faults)
            message = f"{self.share(len(faults), total)} are dropped when read; mostly: {why}"
            hint = None
            if _OUTSIDE.search(why):
                hint = "a label outside its list? `where` can leave those rows out"
            elif len(faults) == total:
                hint = header_hint(split_spec(self.request, self.task, self.split).place)
            self.report("FC320", message, (), hint)
        names = self.task.task.signature.inputs
        marked = [
            str(row["_id"])
            for row in self.rows
            if any(isinstance(row.get(n), str) and _SYNTAX.search(row[n]) for n in names)
        ]
        if marked:
            message = f"values hold template syntax in {self.share(len(marked), total, marked[0])}"
            self.report("FC333", message, (), _MARKED)
        self.messages()
        self.special_tokens()

    def special_tokens(self) -> None:
        """Values that contain special tokens of the tokenizer or of common ones."""
        tokenizer = self.reading.tokenizer
        own = () if tokenizer is None else tokenizer.special_texts
        special = tuple(sorted({*USUAL, *own}, key=lambda t: (-len(t), t)))
        found: Counter[str] = Counter()
        ids: list[str] = []
        for row in self.rows:
            names = set().union(
                *(special_tokens_in(row[n], special) for n in used_fields(self.task.task, row))
            )
            found.update(sorted(names))
            ids += [str(row["_id"])] if names else []
        if found:
            listed = ", ".join(f"{name} ({count:,})" for name, count in found.most_common(5))
            share = self.share(len(ids), len(self.rows), ids[0])
            hint = (
                "they are encoded as text; take them off in `fields`, or allow them in a recipe by "
                "`tokenizer: {special_in_data: token}`"
            )
            self.report("FC336", f"values spell special tokens in {share}: {listed}", (), hint)

    def messages(self) -> None:
        """Keys and content parts of messages that the texts of turns omit."""
        texts = [t.turns.text for t in self.task.task.templates if t.turns is not None]
        shown_keys = (
            {"name"} if any(("turn", "name") in paths_read(text) for text in texts) else set()
        )
        found: Counter[str] = Counter()
        ids: list[str] = []
        for row in self.rows:
            names = {name for v in row.values() for name in left_out_of(v)} - shown_keys
            found.update(sorted(names))
            ids += [str(row["_id"])] if names else []
        if found:
            listed = ", ".join(f"{name} ({count:,})" for name, count in found.most_common())
            share = self.share(len(ids), len(self.rows), ids[0])
            message = f"messages have keys or parts that no turn's text shows in {share}: {listed}"
            hint = "put them into `text`, or into the content that `chat` reads"
            self.report("FC335", message, (), hint)

    def template(self, index: int, template: Template) -> None:
        """One template in each of its arms."""
        key = ("templates", index)
        for options in sorted(option_arms([template])):
            settings = PreviewSettings(template=template.name, options=options, cot=template.cot)
            spec = spec_of(self.request, self.task, settings)
            rows = row_set(spec, self.rows, 0, self.split)
            pools, unread = pools_found(self.request, self.task, spec, rows, self.split)
            self.found += unread
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
            hint = f"mostly: {why[0][0]}" if why else "its `when` holds for none"
            self.report("FC321", f"{named} fits no row", key, hint)
        elif reasons:
            most = reasons.most_common(1)[0][0]
            count = sum(reasons.values())
            message = f"{named} drops {self.share(count, facts.rows + count)}; mostly: {most}"
            self.report("FC323", message, key, "a `where` can leave them out")

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
        if draft.options is not None:
            self.gold_counts[str(draft.options.texts[draft.options.gold])] += 1
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
        tokenizer, length = self.reading.tokenizer, self.reading.length
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
            self.report("FC322", message, (*key, "input"), "show the fields that tell rows apart")
        has_inputs = bool(self.task.task.signature.inputs) or template.turns is not None
        same = has_inputs and not self.task.task.inverted and len(facts.inputs) == 1
        if facts.rows >= SAME and same:
            message = f"all {facts.rows:,} rows have the same inputs"
            self.report(
                "FC322", message, ("signature",), "does a name hide the column that is meant?"
            )
        texts = {
            "leak": ("FC324", "input", "its target in the input", "take the answer out"),
            "end": ("FC325", "input", "white space before its target", "trim the last field"),
            "doubled": ("FC326", "input", "doubled punctuation", "a value brings its own mark"),
            "rationale": ("FC327", "target", "no rationale before its answer", None),
            "long": ("FC328", "input", f"more than {self.reading.length} tokens", "`truncate:`"),
            "lossy": ("FC329", "input", "characters that the tokenizer loses", None),
        }
        for finding, advice, count, row in facts.leaks.findings(facts.rows):
            share = self.share(count, facts.rows, row)
            self.report("FC324", f"{where} has {finding} in {share}", (*key, "input"), advice)
        for check, (code, side, finding, hint) in texts.items():
            side = "turns" if template.turns is not None else side
            if count := facts.faults[check]:
                share = self.share(count, facts.rows, facts.first[check])
                if check == "lossy" and facts.lost:
                    lost = ", ".join(f"{c!r}" for c, _ in facts.lost.most_common(LOST_SHOWN))
                    finding = f"{finding} ({lost})"
                self.report(code, f"{where} has {finding} in {share}", (*key, side), hint)

    def labels(self) -> None:
        """Diagnostics of the whole task's answers."""
        settings = self.task.task.choices
        if settings is not None:
            self.without_options(settings)
        if settings is None or (settings.distractors is None and not self.gold_counts):
            names = self.task.task.signature.outputs
            given = ([row[n] for n in names if row.get(n) is not None] for row in self.rows)
            self.gold_counts.update(", ".join(map(str, values)) for values in given if values)
        elif settings.distractors is not None:
            return
        total = sum(self.gold_counts.values())
        label, count = self.gold_counts.most_common(1)[0] if total else ("", 0)
        if count > SKEW * total and total >= 20:
            message = f"{count / total:.0%} of the answers are {label!r}"
            place = "choices" if settings is not None else "signature"
            self.report("FC331", message, (place,), "a constant guess scores as much")
        elif total and self.whole:
            self.never_met(total)

    def never_met(self, total: int) -> None:
        """Labels listed in the file that are no row's answer."""
        settings = self.task.task.choices
        place, listed = "choices", list[str]()
        if settings is not None and isinstance(settings.options, list | tuple | dict):
            given = settings.options
            listed = [str(v) for v in (given.values() if isinstance(given, dict) else given)]
        elif settings is None and len(names := self.task.task.signature.outputs) == 1:
            place, listed = "signature", label_names(self.task.dataset.model.fields[names[0]])
        never = [repr(name) for name in listed if name not in self.gold_counts]
        if listed and never and len(self.rows) >= EACH * len(listed) and len(never) < len(listed):
            message = f"no answer of {total:,} rows is {' or '.join(never)}"
            self.report("FC331", message, (place,), "are the labels in the data's order?")

    def without_options(self, settings: Choices) -> None:
        """Rows whose options or gold answer cannot be computed."""
        rows = row_set(
            spec_of(self.request, self.task, PreviewSettings()), self.rows, 0, self.split
        )
        wrong: Counter[str] = Counter()
        cut = doubled = 0
        for row in range(len(self.rows)):
            try:
                options = rows.options(row, settings)
                cut += options.left_out > 0
                doubled += options.doubles > 0
            except RowError as error:
                wrong[str(error)] += 1
        if wrong:
            share = self.share(sum(wrong.values()), len(self.rows))
            message = f"no options in {share}; mostly: {wrong.most_common(1)[0][0]}"
            self.report("FC330", message, ("choices",), "see `options`, `gold` and `by`")
        if doubled:
            message = f"options that read alike in {self.share(doubled, len(self.rows))}"
            self.report("FC338", message, ("choices",), "one of them is shown; mend the data")
        if cut:
            message = f"more than {MAX_OPTIONS} options in {self.share(cut, len(self.rows))}"
            hint = f"the right one and {MAX_OPTIONS - 1} others are shown"
            self.report("FC334", message, ("choices",), hint)
