"""First dataset file, guessed from a source's rows (`flancompile new`).

Labels, answers and options are guessed from names and values; every guess is written to the file,
where the author can change it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flancompile.authoring.gold import Gold, gold_of
from flancompile.dsl.checks.names import TAKEN
from flancompile.errors import fail

__all__ = ["Column", "columns_of", "default_id", "is_headerless", "starter"]

FEW = 12  # distinct values that may be labels
LONG = 60  # characters, for the name of a column
DEPTH = 3  # keys from a row to a value
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)*")
_SPEAKER = ("role", "from", "speaker", "author")
_ID = re.compile(r"^(id|_id|idx|index|uid|guid|qid|.*_id)$", re.IGNORECASE)
_LABEL = re.compile(r"label|class|category|sentiment|intent|topic|stars|rating", re.IGNORECASE)
_ANSWER = re.compile(
    r"answer|target|output|response|completion|summary|translation|reply|caption|title",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"choices|options|candidates|endings|alternatives", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_TEXT = {"true", "false", "null"}  # in YAML
_WORDS = {"if", "in", "is", "not", "and", "or", "else", "true", "false", "none", "for"}


@dataclass(frozen=True)
class Column:
    """A column of the sample: field name, kind, and statistics of its values.

    path: keys from the row to the value; nested: whether a value is a list or a map, which a
    template can print as JSON only.
    """

    name: str
    field: str
    kind: str
    distinct: int
    rows: int
    length: float
    values: tuple[Any, ...]
    blanks: int = 0
    path: tuple[str, ...] = ()
    nested: bool = False

    @property
    def has_blanks(self) -> bool:
        """Whether it is a text that some rows leave empty, and not a label."""
        return self.kind == "text" and self.blanks > 0 and not self.is_label

    @property
    def is_label(self) -> bool:
        """Whether its values look like classes."""
        few = 2 <= self.distinct <= min(FEW, self.rows // 3)
        return few and self.kind in ("text", "number", "truth value") and self.length < 40


def columns_of(rows: Sequence[dict[str, Any]]) -> list[Column]:
    """Columns of some rows, in order; maps with the same keys in each row give one for each key.

    Raises FC303 without rows.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise fail("FC303", "the source has no rows to look at")
    taken: set[str] = set()
    paths = [p for name in names for p in _leaves((name,), [row.get(name) for row in rows])]
    return [_column(path, [value_at(row, path) for row in rows], taken) for path in paths]


def value_at(row: Any, path: Sequence[str]) -> Any:
    """The value in nested maps at the end of a path of keys."""
    for key in path:
        row = row[key] if isinstance(row, Mapping) and key in row else None
    return row


def _leaves(path: tuple[str, ...], values: Sequence[Any]) -> list[tuple[str, ...]]:
    """Paths to the values of nested maps that have the same keys in each row.

    Maps of parallel lists are kept whole: they are options with their labels, or a list of maps.
    """
    first = values[0] if values else None
    if not isinstance(first, dict) or not 0 < len(first) <= FEW or len(path) > DEPTH:
        return [path]
    if not all(isinstance(v, dict) and v.keys() == first.keys() for v in values):
        return [path]
    if not all(_WORD.fullmatch(key) and not hasattr(dict, key) for key in first):
        return [path]
    if all(isinstance(v, list) for v in first.values()):
        return [path]
    return [p for key in first for p in _leaves((*path, key), [v[key] for v in values])]


def _column(path: tuple[str, ...], values: Sequence[Any], taken: set[str]) -> Column:
    present = [v for v in values if v is not None]
    texts = [json.dumps(v, sort_keys=True, default=str) for v in present]
    distinct = sorted(set(texts))
    return Column(
        name=path[-1],
        field=_field(path[-1], taken),
        kind=_kind(present),
        distinct=len(distinct),
        rows=len(values),
        length=sum(len(str(v)) for v in present) / max(1, len(present)),
        values=tuple(json.loads(t) for t in distinct[: FEW + 1]),
        blanks=len(values) - sum(bool(str(v).strip()) for v in present),
        path=path,
        nested=any(isinstance(v, list | tuple | dict) for v in present),
    )


def is_headerless(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether a delimited file's first line, read as its header, looks like one of its rows."""
    names = list(rows[0]) if rows else []
    numbers = sum(_NUMBER.fullmatch(name.strip()) is not None for name in names)
    repeats_header = any(row.get(name) == name for row in rows for name in names if name)
    return bool(names) and (
        numbers > 0 or repeats_header or any(len(name) > LONG for name in names)
    )


def starter(
    id_: str,
    place: str,
    columns: Sequence[Column],
    schema: str,
    rows: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The text of a dataset file.

    place: the source's `files` or `hub`, as YAML; schema: path of the JSON Schema; rows: sample for
    testing guesses.
    """
    row_id = next((c for c in columns if _ID.match(c.name) and c.distinct == c.rows), None)
    rest = [c for c in columns if c is not row_id]
    dialogue = next((c for c in rest if _is_dialogue(c)), None)
    options, answer, gold = _options(rest, rows)
    given = [c for c in rest if c not in (answer, options) and c.kind == "text"][:4]
    given = given or [c for c in rest if c not in (answer, options)][:1]
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"id: {id_}",
        "source:",
        f"  {place}",
        *([f"  id: {_expression(row_id)}"] if row_id else []),
        "  license: unknown # fill in",
        "fields:",
        *(f"  {c.field}: {_expression(c)} # {_remark(c)}" for c in rest if c is not dialogue),
        *(
            [f"  messages: {_expression(dialogue)} | chat # a list of {{role, content}}"]
            if dialogue
            else []
        ),
        *([f"where: {answer.field} | trim"] if answer.has_blanks and dialogue is None else []),
        "tasks:",
        *(f"  {x}".rstrip() for x in (_dialogue() if dialogue else _task(given, answer, gold))),
    ]
    return "\n".join(lines) + "\n"


def _options(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]
) -> tuple[Column | None, Column, Gold | None]:
    """The column of options, the target's column, and how it identifies the correct option."""
    fields = [{c.field: value_at(row, c.path) for c in columns} for row in rows]
    named = [c for c in columns if c.kind in ("list", "mapping") and _OPTIONS.search(c.name)]
    for options in named:
        first = _target_column(columns, options)
        for answer in (first, *(c for c in columns if c not in (first, options))):
            gold = gold_of(fields, options.field, answer.field)
            if gold is not None:
                return options, answer, gold
    return None, _target_column(columns, None), None


def _is_dialogue(column: Column) -> bool:
    turns = column.values[0] if column.kind == "list" and column.values else []
    return bool(turns) and isinstance(turns[0], dict) and any(k in turns[0] for k in _SPEAKER)


def _dialogue() -> list[str]:
    return [
        "dialogue:",
        "  cluster: dialogue",
        "  signature: -> messages",
        "  templates:",
        "    - name: whole",
        "      turns: {each: messages} # answers of the assistant carry loss",
    ]


def _task(given: Sequence[Column], answer: Column, gold: Gold | None) -> list[str]:
    inputs = ", ".join(c.field for c in given)
    label = answer.is_label and gold is None
    name = "classification" if label else "multiple_choice_qa" if gold else "generation"
    target = "{{ gold }}" if label or gold else _slot(answer)
    metric = "accuracy" if label or gold else "rouge_l" if answer.length > 40 else "exact_match"
    slots = [_slot(c) for c in given]
    keyed = [
        f"{c.field.replace('_', ' ').capitalize()}: {s}" for c, s in zip(given, slots, strict=True)
    ]
    answer_name = answer.field.replace("_", " ")
    arm = ["options: optional"] if label or gold else []
    texts = [
        ("plain", [*slots, "", f"What is the {answer_name}?"]),
        ("keyed", [*keyed, f"{answer_name.capitalize()}:"]),
        ("asked_first", [f"Give the {answer_name} for the following.", "", *slots]),
    ]
    lines = [
        f"{name}:",
        f"  cluster: {name}",
        f"  signature: {inputs} -> {answer.field}",
        *_choices(answer, gold),
        f"  eval: {{metric: {metric}}}",
        "  templates:",
    ]
    for title, text in texts:
        lines_of_input = [*text, "{{ options }}"] if arm and title != "keyed" else text
        lines += [f"    - name: {title}", *(f"      {a}" for a in arm if title != "keyed")]
        lines += ["      input: |-", *(f"        {t}".rstrip() for t in lines_of_input)]
        lines += [f'      target: "{target}"']
    return lines


def _slot(column: Column) -> str:
    """A slot of a template that prints the column as text."""
    return f"{{{{ {column.field}{' | tojson' if column.nested else ''} }}}}"


def _choices(answer: Column, gold: Gold | None) -> list[str]:
    if gold is not None:
        return ["  choices:", *(f"    {line}" for line in gold.lines())]
    if not answer.is_label:
        return []
    if answer.kind == "text" and all(v.strip() for v in answer.values):
        listed = ", ".join(json.dumps(str(v), ensure_ascii=False) for v in answer.values)
        return [f"  choices: {{options: [{listed}], gold: {answer.field}}}"]
    labels = {True: "yes", False: "no"} if answer.kind == "truth value" else {}
    pairs = ", ".join(f"{_quoted(v)}: {_quoted(labels.get(v, v) or 'none')}" for v in answer.values)
    return [f"  choices: {{options: {{{pairs}}}, gold: {answer.field}}} # describe each label"]


def _target_column(columns: Sequence[Column], options: Column | None) -> Column:
    """Column of the target: a label, an answer by name, else the last text."""
    rest = [c for c in columns if c is not options and c.kind not in ("mapping", "list")] or list(
        columns
    )
    labels = [c for c in rest if c.is_label and _LABEL.search(c.name)]
    answers = [c for c in rest if _ANSWER.search(c.name)]
    others = [c for c in rest if c.is_label] or [c for c in rest if c.kind == "text"] or rest
    return (labels or answers or others)[-1]


def _quoted(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def _printed(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _remark(column: Column) -> str:
    if column.distinct <= FEW and column.kind not in ("list", "mapping"):
        values = ", ".join(_printed(v) for v in column.values[:6])
        remark = f"{column.kind}, {column.distinct} values: {values}"[:90]
        return " ".join("".join(c if c.isprintable() else " " for c in remark).split())
    return (
        f"{column.kind}, {column.distinct} values in {column.rows} rows, mean {column.length:.0f}"
    )


def _kind(values: Sequence[Any]) -> str:
    kinds = {
        "truth value" if isinstance(v, bool)
        else "number" if isinstance(v, int | float)
        else "text" if isinstance(v, str)
        else "list" if isinstance(v, list | tuple)
        else "mapping"
        for v in values
    }  # fmt: skip
    return kinds.pop() if len(kinds) == 1 else "nothing" if not kinds else "mixed"


def _field(name: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    field = re.sub(r"\W+", "_", plain.strip()).strip("_").lower() or "column"
    if field[0].isdigit() or field in _WORDS | TAKEN:
        field = f"column_{field}"
    while field in taken:
        field += "_"
    taken.add(field)
    return field


def _expression(column: Column) -> str:
    name, *keys = column.path
    if _WORD.fullmatch(name) and name not in _WORDS and name != "row":
        return ".".join((name, *keys))
    quoted = f"row[{json.dumps(name, ensure_ascii=False)}]"
    return json.dumps(".".join((quoted, *keys)), ensure_ascii=False)


def default_id(path: str) -> str:
    """A dataset's id from the name of its file or repository."""
    name = re.sub(r"\W+", "_", Path(path).name.split(".")[0]).strip("_").lower()
    return name if name[:1].isalpha() and name not in _NOT_TEXT else f"data_{name}".strip("_")
