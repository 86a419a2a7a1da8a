"""Lints of answers: skewed labels, labels without rows, options that cannot be computed."""

from __future__ import annotations

from collections import Counter

from flancompile.authoring.preview import PreviewSettings, row_set, spec_of
from flancompile.compiler.render.row_set import MAX_OPTIONS
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.jinja.paths import label_names
from flancompile.dsl.models.task import Choices
from flancompile.lint.sample import Sample, share

__all__ = ["lint_labels"]

SKEW = 0.9  # of one label
EACH = 20  # rows per label for reporting an unused label


def lint_labels(sample: Sample) -> None:
    """Add the diagnostics of the whole task's answers."""
    settings = sample.task.task.choices
    gold_counts = _outputs(sample) if settings is None else _right_options(sample, settings)
    if settings is not None and settings.distractors is not None:
        return
    total = sum(gold_counts.values())
    label, count = gold_counts.most_common(1)[0] if total else ("", 0)
    if count > SKEW * total and total >= 20:
        message = f"{count / total:.0%} of the answers are {label!r}"
        place = "choices" if settings is not None else "signature"
        sample.report("FC331", message, (place,), "a constant answer scores as much")
    elif total and sample.whole:
        _never_met(sample, gold_counts)


def _never_met(sample: Sample, gold_counts: Counter[str]) -> None:
    """Labels listed in the file that are no row's answer."""
    settings = sample.task.task.choices
    place, listed = "choices", list[str]()
    if settings is not None and isinstance(settings.options, list | tuple | dict):
        given = settings.options
        listed = [str(v) for v in (given.values() if isinstance(given, dict) else given)]
    elif settings is None and len(names := sample.task.task.signature.outputs) == 1:
        place, listed = "signature", label_names(sample.task.dataset.model.fields[names[0]])
    never = [repr(name) for name in listed if name not in gold_counts]
    if listed and never and len(sample.rows) >= EACH * len(listed) and len(never) < len(listed):
        message = f"no answer of {sum(gold_counts.values()):,} rows is {' or '.join(never)}"
        sample.report("FC331", message, (place,), "check the order of the labels")


def _outputs(sample: Sample) -> Counter[str]:
    """The rows' outputs, each row counted once."""
    names = sample.task.task.signature.outputs
    given = ([row[n] for n in names if row.get(n) is not None] for row in sample.rows)
    return Counter(", ".join(map(str, values)) for values in given if values)


def _right_options(sample: Sample, settings: Choices) -> Counter[str]:
    """The rows' right options, each row counted once; report rows whose options fail."""
    rows = row_set(
        spec_of(sample.request, sample.task, PreviewSettings()), sample.rows, 0, sample.split
    )
    gold_counts, wrong = Counter[str](), Counter[str]()
    cut = doubled = 0
    for row in range(len(sample.rows)):
        try:
            options = rows.options(row, settings)
            gold_counts[str(options.texts[options.gold])] += 1
            cut += options.left_out > 0
            doubled += options.doubles > 0
        except RowError as error:
            wrong[str(error)] += 1
    if wrong:
        affected = share(sum(wrong.values()), len(sample.rows))
        message = f"no options in {affected}; most frequent reason: {wrong.most_common(1)[0][0]}"
        sample.report("FC330", message, ("choices",), "check `options`, `gold` and `by`")
    if doubled:
        message = f"options with the same text in {share(doubled, len(sample.rows))}"
        sample.report("FC338", message, ("choices",), "only one is shown; correct the data")
    if cut:
        message = f"more than {MAX_OPTIONS} options in {share(cut, len(sample.rows))}"
        hint = f"the correct one and {MAX_OPTIONS - 1} others are shown"
        sample.report("FC334", message, ("choices",), hint)
    return gold_counts
