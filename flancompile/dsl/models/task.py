"""Dataset files: fields, tasks, templates, choices, exemplars, evaluation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from flancompile.dsl.models.base import Expression, Identifier, Strict, TemplateText
from flancompile.dsl.models.scoring import Eval, EvalFilter, MetricName
from flancompile.dsl.models.source import (
    Format,
    ReadOptions,
    Source,
    format_by_name,
    unknown_option,
)
from flancompile.dsl.models.style import StyleNames
from flancompile.dsl.models.warnings import WARNINGS

__all__ = [
    "Choices",
    "DatasetFile",
    "Eval",
    "EvalFilter",
    "Exemplars",
    "ForEach",
    "MetricName",
    "Signature",
    "Task",
    "Template",
    "Turns",
]


Allow = Annotated[
    dict[str, Annotated[str, Field(min_length=1)]],
    Field(
        description="A warning's code -> why it may stand. It is then neither shown nor counted.",
        json_schema_extra={"propertyNames": {"enum": sorted(WARNINGS)}},
    ),
]


def _twice(names: Iterable[str]) -> str | None:
    """The first duplicate name."""
    counts = Counter(names)
    return next((name for name, count in counts.items() if count > 1), None)


class Signature(Strict):
    """Inputs and outputs of a task: `passage, question -> answer`."""

    inputs: tuple[str, ...] = Field(description="Fields that the input may show.")
    outputs: tuple[str, ...] = Field(description="Fields that the target gives.")

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Parse `a, b -> c`. Raises ValueError for any other form."""
        left, arrow, right = text.partition("->")
        sides = [tuple(n.strip() for n in side.split(",") if n.strip()) for side in (left, right)]
        names = [*sides[0], *sides[1]]
        if not arrow or not sides[1] or not all(re.fullmatch(r"[A-Za-z_]\w*", n) for n in names):
            raise ValueError("a signature reads `input, input -> output`, of field names")
        if (twice := _twice(names)) is not None:
            raise ValueError(f"the signature names {twice!r} twice")
        return cls(inputs=sides[0], outputs=sides[1])

    def __str__(self) -> str:
        return f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"


class Choices(Strict):
    """The answer options of a row, and the correct one (`gold`)."""

    options: Expression | tuple[str, ...] | dict[str, str] | None = Field(
        None,
        description="A list, a map from label to text, or an expression that gives a list. "
        "Left out when distractors are drawn from other rows.",
    )
    gold: Expression = Field(description="Expression: the right option's index, text or label.")
    by: Literal["index", "text", "label"] | None = Field(
        None, description="Form of `gold`. Default: label for a map or `labels`, else text."
    )
    labels: Expression | tuple[str, ...] | None = Field(
        None, description="The options' labels in the data (A, B, C), beside `options`."
    )
    distractors: int | None = Field(
        None, ge=1, le=25, description="How many options to draw from the same field of other rows."
    )
    same: str | None = Field(
        None, description="Field: distractors come from rows with an equal value in it."
    )
    shuffle: bool = Field(True, description="Whether the order is drawn; false keeps the data's.")

    @model_validator(mode="after")
    def _one_of(self) -> Choices:
        if (self.options is None) == (self.distractors is None):
            raise ValueError("choices need exactly one of `options` and `distractors`")
        if self.same is not None and self.distractors is None:
            raise ValueError("`same` needs `distractors`")
        if self.labels is not None and isinstance(self.options, dict):
            raise ValueError("a map of options has its labels already; remove `labels`")
        if self.by == "label" and self.labels is None and not isinstance(self.options, dict):
            raise ValueError("`by: label` needs `labels`, or `options` as a map from label to text")
        return self

    @model_validator(mode="after")
    def _no_doubles(self) -> Choices:
        for name in ("options", "labels"):
            given = getattr(self, name)
            items = given.values() if isinstance(given, dict) else given
            if not isinstance(given, str) and (twice := _twice(items or ())) is not None:
                raise ValueError(f"`{name}` lists {twice!r} twice")
        return self

    @property
    def gold_by(self) -> Literal["index", "text", "label"]:
        """The form of `gold`, with the default resolved."""
        if self.by is not None:
            return self.by
        return "label" if self.labels is not None or isinstance(self.options, dict) else "text"


class Exemplars(Strict):
    """Source of a few-shot prompt's exemplars. Default: drawn from the task's rows."""

    source: Literal["drawn", "reserved", "split", "column", "file"] = Field(
        "drawn", alias="from", description="Where the exemplars come from."
    )
    count: int | None = Field(
        None,
        ge=1,
        description="reserved: how many rows are kept aside for exemplars, out of training.",
    )
    split: str | None = Field(None, description="split: the split that the exemplars come from.")
    order: Literal["file", "drawn"] = Field(
        "drawn", description="split, column, file: their order."
    )
    same: str | None = Field(None, description="Exemplars have an equal value in this field.")
    unlike: str | None = Field(
        None,
        description="Exemplars have another value in this field than the query: the passage that "
        "several questions share, for example.",
    )
    rows: Expression | None = Field(
        None, description="column: expression that gives a list of items."
    )
    file: str | None = Field(
        None,
        description="file: a YAML list of rows, or a data file of any format, beside this file; "
        "its name may show the variable of `for_each`.",
    )
    format: Format | None = Field(None, description="file: its format. Default: by its extension.")
    read: ReadOptions = Field(
        ReadOptions(), description="file: how it is read, as for a source's files."
    )
    fields: dict[str, Expression] = Field(
        {}, description="column and file: field -> expression over `item` (the exemplar's own row)."
    )
    explanation: Expression | None = Field(
        None,
        description="Why the exemplar's answer is right, for the layout's `explanation` slot: over "
        "`item` (column and file) or the fields. An empty text leaves the slot out.",
    )

    @property
    def is_fixed(self) -> bool:
        """Whether exemplars are shown unchanged, with duplicates: a file's, or in file order."""
        if self.source in ("split", "column"):
            return self.order == "file"
        return self.source == "file"

    @model_validator(mode="after")
    def _complete(self) -> Exemplars:
        needs = {"reserved": "count", "split": "split", "column": "rows", "file": "file"}
        need = needs.get(self.source)
        for name in needs.values():
            if (getattr(self, name) is not None) != (name == need):
                verb = "needs" if name == need else "does not take"
                raise ValueError(f"exemplars `from: {self.source}` {verb} `{name}`")
        given = self.model_fields_set & {"format", "read"}
        if given and self.file is None:
            raise ValueError(f"`{min(given)}` needs exemplars `from: file`")
        if self.file is not None and self.read.model_fields_set:
            format_ = self.format or format_by_name(self.file)
            if format_ and (why := unknown_option(self.read.model_fields_set, format_)):
                raise ValueError(why)
        return self


class Turns(Strict):
    """A dialogue in place of input and target: one example with a loss span for each answer.

    `role`, `text` and `loss` see `turn`, `n` (from 1), `count` and `last`, and the fields; `loss`
    sees `role` too.
    """

    each: Expression = Field(description="Expression: the list of turns, the first one first.")
    role: Expression = Field(
        "turn.role",
        description="Who speaks: system, user, assistant or tool; usual other names are known.",
    )
    text: Expression = Field("turn.content", description="Text of the turn.")
    loss: Expression = Field(
        "role == 'assistant' and turn.weight | default(1) != 0",
        description="Whether the turn is learnt; it must be an assistant's. An empty one is not.",
    )


def _turns_or_texts(schema: dict[str, Any]) -> None:
    """Schema for editors: a template has `turns`, or `input` and `target`."""
    schema["required"] = ["name"]
    schema["anyOf"] = [{"required": ["input", "target"]}, {"required": ["turns"]}]


class Template(Strict):
    """One way to put a task into words: an input and its target, or the turns of a dialogue."""

    model_config = ConfigDict(json_schema_extra=_turns_or_texts)

    name: Identifier = Field(description="Unique within the task.")
    input: TemplateText
    target: TemplateText
    options: Literal["none", "optional", "required"] = Field(
        "none",
        description="none: never shows options; optional: one text for both arms; required: only "
        "in the arm with options.",
    )
    cot: bool = Field(False, description="The target gives a rationale before the answer.")
    when: Expression | None = Field(
        None, description="The template applies to rows for which this is true."
    )
    let: dict[Identifier, Expression] = Field({}, description="Names shared by input and target.")
    choices: Choices | None = Field(None, description="In place of the task's choices.")
    turns: Turns | None = Field(None, description="A dialogue, in place of `input` and `target`.")
    tags: tuple[str, ...] = Field(
        (), description="Words for readers and tools; they change no build."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_texts_beside_turns(cls, value: object) -> object:
        if not isinstance(value, dict) or value.get("turns") is None:
            return value
        if beside := sorted({"input", "target"} & set(value)):
            raise ValueError(f"`turns` and `{beside[0]}` exclude each other")
        return {**value, "input": "", "target": ""}


class Task(Strict):
    """A dataset × a task category."""

    signature: Signature = Field(description="`input, input -> output`, of field names.")
    cluster: str | None = Field(
        None, description="Family of tasks, such as `nli`; hold-outs use it."
    )
    tags: tuple[str, ...] = Field(
        (),
        description="Words for selectors. `extractive`: the answers are parts of the inputs.",
    )
    rungs: tuple[str, ...] = Field(
        (),
        description="Names of the ladder's tasks that this one serves; under `for_each` they may "
        "show its variable.",
    )
    inverted: bool = Field(False, description="The answer becomes the question.")
    description: str | None = Field(
        None, description="Description of the task, for readers of the file."
    )
    where: Expression | None = Field(None, description="Use only rows for which this is true.")
    let: dict[Identifier, Expression] = Field(
        {}, description="Names shared by all templates' texts."
    )
    instruction: TemplateText | None = Field(
        None, description="Shown once, through the `instruction` slot of the shots layout."
    )
    choices: Choices | None = Field(None, description="The answer options of a row.")
    exemplars: Exemplars = Field(
        Exemplars(), description="Where the exemplars of few-shot prompts come from."
    )
    truncate: tuple[str, ...] = Field(
        (), description="Fields that may be shortened, at their end, when a prompt is over-long."
    )
    eval: Eval | None = Field(None, description="How the task is evaluated.")
    styles: StyleNames = Field(
        StyleNames(), description="Option styles and few-shot layouts of this task only."
    )
    allow: Allow = {}
    templates: tuple[Template, ...] = Field(
        min_length=1, description="The task's templates; one is drawn for each row and pass."
    )

    @field_validator("signature", mode="before")
    @classmethod
    def _parse_signature(cls, value: object) -> object:
        return Signature.parse(value) if isinstance(value, str) else value

    @field_validator("choices", mode="before")
    @classmethod
    def _no_bare_choices(cls, value: object) -> object:
        if isinstance(value, list):
            raise ValueError("choices are a mapping: {options: [...], gold: ...}")
        return value


class ForEach(Strict):
    """One set of tasks for each value: `{subject: [a, b]}` or `{task: {files: "*.json"}}`.

    The variable is an object: `.name` (part of the task's id), `.path` for files, and the
    keys of a value that is a mapping. Printed alone it is its name.
    """

    variable: Identifier
    values: tuple[str | dict[str, Any], ...] | None = None
    files: str | None = Field(None, description="A glob; one value for each file that matches.")

    @model_validator(mode="after")
    def _one_of(self) -> ForEach:
        if (self.values is None) == (self.files is None):
            raise ValueError("for_each needs exactly one of values and `files`")
        return self

    @field_validator("files")
    @classmethod
    def _is_glob(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                next(Path("/dev/null").glob(value), None)
        except (ValueError, NotImplementedError) as error:
            raise ValueError(f"{value!r} is no glob of a folder's files: {error}") from None
        return value

    @model_validator(mode="after")
    def _named(self) -> ForEach:
        if self.values is not None and not self.values:
            raise ValueError("there is no value, so there would be no task")
        names = [v if isinstance(v, str) else v.get("name") for v in self.values or ()]
        if not all(isinstance(n, str | int | float) and str(n) for n in names):
            raise ValueError("each value needs a `name`, which is part of the task's id")
        if (twice := _twice(map(str, names))) is not None:
            raise ValueError(f"named twice: {twice}")
        return self


class Variable(dict[str, Any]):
    """A value of `for_each`; printed alone it is its name."""

    def __str__(self) -> str:
        return str(self["name"])


class DatasetFile(Strict):
    """A file in datasets/: one source, its fields, and its tasks by category."""

    id: str | None = Field(None, description="Default: the file's name without its extension.")
    overrides: str | None = Field(
        None, description="The id of a library dataset that this replaces."
    )
    description: str | None = Field(
        None, description="Description of the dataset, for readers of the file."
    )
    source: Source = Field(description="Where the rows come from.")
    for_each: ForEach | None = Field(None, description="One set of tasks for each value or file.")
    let: dict[Identifier, Expression] = Field(
        {},
        description="Name -> expression over the columns and the names before it, worked out once "
        "a row, for `fields`, `where` and the source's `id`; no field, so no template sees it.",
    )
    fields: dict[Identifier, Expression] = Field(
        min_length=1,
        description="Field -> expression over a row's columns. Templates see fields only.",
    )
    where: Expression | None = Field(
        None, description="Use only rows for which this is true: an expression over the fields."
    )
    allow: Allow = {}
    tasks: dict[Identifier, Task] = Field(min_length=1, description="Category -> task.")

    @field_validator("for_each", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if isinstance(value, dict) and "variable" not in value:
            name, given = next(iter(value.items())) if len(value) == 1 else (None, None)
            if isinstance(given, list):
                return {"variable": name, "values": given}
            if isinstance(given, dict) and set(given) == {"files"}:
                return {"variable": name, "files": given["files"]}
            raise ValueError("for_each reads {name: [values]} or {name: {files: glob}}")
        return value
