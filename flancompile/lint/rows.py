"""Lints of rows that need no rendering: dropped rows, template syntax, special tokens, messages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from flancompile.compiler.objects.used_fields import used_fields
from flancompile.compiler.read import split_spec
from flancompile.drop_reasons import Dropped
from flancompile.dsl.jinja.dialogues import left_out_of
from flancompile.dsl.jinja.paths import paths_read
from flancompile.lint.read import commonest, empty_files, header_hint
from flancompile.lint.sample import Sample, share
from flancompile.tokenizer.special import USUAL, special_tokens_in

__all__ = ["lint_rows"]

_MARKED = (
    "values are never read as templates; leave such rows out with `where`, or give the reason if "
    'they are intended: `allow: {FC333: "code samples"}`'
)
_OUTSIDE = re.compile(r"the index -[0-9]+ is negative|no item [0-9]+|is not in the table")
_SYNTAX = re.compile(r"\{\{|\{%")


def lint_rows(sample: Sample, reasons: Sequence[str]) -> None:
    """Add the diagnostics of the rows alone. reasons: of each row that was dropped when read."""
    faults = [r for r in reasons if not Dropped.of(r).is_intended]
    _dropped(sample, faults, len(reasons) - len(faults))
    _marked(sample, len(sample.rows) + len(faults))
    _messages(sample)
    _special_tokens(sample)


def _dropped(sample: Sample, faults: Sequence[str], left_out: int) -> None:
    """Rows that cannot be read, or a split without rows."""
    total = len(sample.rows) + len(faults)
    if total == 0:
        left = f"; `where` leaves out all {left_out:,}" if left_out else ""
        if not sample.whole:
            message = f"`where` leaves out all of the {left_out:,} rows that were read of"
            sample.report(
                "FC320", f"{message} the split {sample.split!r}", (), "read more: `--rows`"
            )
            return
        for name in empty_files(split_spec(sample.request, sample.task, sample.split).place)[:1]:
            left += f"; the file {name!r} is empty"
        sample.report("FC320", f"the split {sample.split!r} has no rows{left}", ())
    elif faults:
        why = commonest(faults)
        affected = share(len(faults), total)
        message = f"{affected} are dropped when read; most frequent reason: {why}"
        hint = None
        if _OUTSIDE.search(why):
            hint = "if a label is outside its list, leave those rows out with `where`"
        elif len(faults) == total:
            hint = header_hint(split_spec(sample.request, sample.task, sample.split).place)
        sample.report("FC320", message, (), hint)


def _marked(sample: Sample, total: int) -> None:
    """Values that contain template syntax."""
    names = sample.task.task.signature.inputs
    marked = [
        str(row["_id"])
        for row in sample.rows
        if any(isinstance(row.get(n), str) and _SYNTAX.search(row[n]) for n in names)
    ]
    if marked:
        affected = share(len(marked), total, marked[0])
        message = f"values contain template syntax in {affected}"
        sample.report("FC333", message, (), _MARKED)


def _special_tokens(sample: Sample) -> None:
    """Values that contain special tokens of the tokenizer or of common ones."""
    tokenizer = sample.reading.tokenizer
    own = () if tokenizer is None else tokenizer.special_texts
    special = tuple(sorted({*USUAL, *own}, key=lambda t: (-len(t), t)))
    found: Counter[str] = Counter()
    ids: list[str] = []
    for row in sample.rows:
        names = set().union(
            *(special_tokens_in(row[n], special) for n in used_fields(sample.task.task, row))
        )
        found.update(sorted(names))
        ids += [str(row["_id"])] if names else []
    if found:
        listed = ", ".join(f"{name} ({count:,})" for name, count in found.most_common(5))
        affected = share(len(ids), len(sample.rows), ids[0])
        hint = (
            "they are encoded as text; remove them in `fields`, or allow them in a recipe with "
            "`tokenizer: {special_in_data: token}`"
        )
        sample.report("FC336", f"values contain special tokens in {affected}: {listed}", (), hint)


def _messages(sample: Sample) -> None:
    """Keys and content parts of messages that the texts of turns omit."""
    texts = [t.turns.text for t in sample.task.task.templates if t.turns is not None]
    shown_keys = {"name"} if any(("turn", "name") in paths_read(text) for text in texts) else set()
    found: Counter[str] = Counter()
    ids: list[str] = []
    for row in sample.rows:
        names = {name for v in row.values() for name in left_out_of(v)} - shown_keys
        found.update(sorted(names))
        ids += [str(row["_id"])] if names else []
    if found:
        listed = ", ".join(f"{name} ({count:,})" for name, count in found.most_common())
        affected = share(len(ids), len(sample.rows), ids[0])
        message = f"messages have keys or parts that no turn shows in {affected}: {listed}"
        hint = "put them into `text`, or into the content that `chat` reads"
        sample.report("FC335", message, (), hint)
