"""Generated tasks and rows, and their examples by both engines."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pydantic import ValidationError

from flancompile import draw
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools, item_rows
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task, Variable
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

__all__ = [
    "ROWS",
    "SHARES",
    "STYLES",
    "TASK",
    "both",
    "made_rows",
    "pools_of",
    "row_set",
    "spec_of",
    "task_of",
]

LIBRARY, _ = load_library([])
BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))
TEXTS = ["It rained.", " Ünï\n東京 ", "", "{% if %}", "a b", "A  b!", "it rained", "12", "née"]
VARIABLE = ("lang", Variable({"name": "Frisian", "code": "fy"}))
ITEM = {"q": "why?", "a": "because", "e": ""}
CELLS: dict[str, list[Any]] = {
    "q": TEXTS,
    "a": ["yes", "no", "maybe", "yes", "no", "", None],
    "n": [0, 1, 2, 7, 3, None],
    "xs": [
        ["yes", "no"], ["no", "maybe", "yes"], ["yes"], [], ["yes", "yes"], ["yes", None],
        [*map(str, range(28)), "no"],
    ],
    "why": ["It is so.", "", None, " ", "Since {{ q }}."],
    "kind": ["x", "y"],
    "lang": ["Dutch", "Frisian"],  # which the variable of that name hides
    "own": [[], [ITEM], [ITEM, {"q": "and?", "a": "yes"}, {**ITEM, "e": "said so"}], None],
}  # fmt: skip
KINDS = {
    "lang": pa.string(), "q": pa.string(), "a": pa.string(), "n": pa.int64(), "xs": pa.list_(pa.string()),
    "why": pa.string(), "kind": pa.string(),
    "own": pa.list_(pa.struct([("q", pa.string()), ("a", pa.string()), ("e", pa.string())])),
}  # fmt: skip


def made_rows(seed: int, count: int, plain: bool) -> list[dict[str, Any]]:
    """Rows drawn from the cells; plain: from the first cells of each, so that most are kept."""
    chance = random.Random(seed)
    cells = {n: c[: 2 if plain else None] for n, c in CELLS.items()}
    rows = [{n: chance.choice(c) for n, c in cells.items()} for _ in range(count)]
    return [{**r, "q": f"{r['q']} {i}"} for i, r in enumerate(rows)] if plain else rows


ROWS = st.builds(made_rows, st.integers(0, 1 << 32), st.integers(1, 50), st.booleans())
INPUTS = [
    "{{ q }}", "Q: {{ q }}{{ options }}", "{{ q | upper }} {{ n + 1 }}", "{{ k }} {{ q }}",
    "{% if n %}{{ q }}{% else %}Nothing{% endif %}\n{{ options }}", "{{ xs | join(', ') }}?",
    "{% for x in xs %}{{ x }} {% endfor %}", "{{ p }}{{ options }}: {{ q }}", "{{ n // n }} {{ q }}",
    "{{ lang }} ({{ lang.code }}): {{ q | lower }}", "{% if q %}{{ q }}!{% endif %}{{ options }}{{ kind }}",
    "{{ n | default('none', true) }} {{ xs | length }}{{ own | tojson }} {{ q }}", "{% if why %}{{ why | trim }}{% endif %}{{ xs | first }}{{ options }}",
]  # fmt: skip
TARGETS = ["{{ a }}", "{{ gold }}", "{{ why }} So {{ a }}.", "{{ q[:2] }}", "{{ n }}{{ p }}"]
TEMPLATE = st.fixed_dictionaries(
    {"input": st.sampled_from(INPUTS), "target": st.sampled_from(TARGETS)},
    optional={
        "when": st.sampled_from(["n != 1", "a is not none", "xs[1] == 'no'", "why"]),
        "let": st.sampled_from([{"p": "pick(['u', 'v', 'w'])"}, {"p": "pick(xs)"}, {"p": "10 // n"}]),
        "cot": st.just(True),
    },
)  # fmt: skip
CHOICES = st.sampled_from([
    {"options": ["yes", "no", "maybe"], "gold": "a"},
    {"options": {"y": "yes", "n": "no"}, "gold": "a[0]", "by": "label"},
    {"options": ["yes", "no"], "gold": "n", "by": "index", "shuffle": False},
    {"options": ["Frisian", "Dutch"], "gold": "lang"},
    {"options": "xs", "gold": "a"}, {"options": "xs", "gold": "n", "by": "index"},
    {"distractors": 2, "gold": "a"}, {"distractors": 1, "gold": "a", "same": "kind"},
])  # fmt: skip
EXEMPLARS = st.sampled_from([
    {}, {"same": "kind"}, {"unlike": "kind"}, {"unlike": "xs"}, {"explanation": "why"},
    {"explanation": "xs"}, {"explanation": "n"}, {"from": "reserved", "count": 3},
    {"from": "split", "split": "other"}, {"from": "split", "split": "other", "order": "file"},
    {"from": "column", "rows": "own", "explanation": "item.e"},
    {"from": "column", "rows": "own", "order": "file", "fields": {"q": "item.q", "a": "item.a"}},
    {"from": "file", "file": "f", "fields": {"q": "item.q", "a": "item.a | upper"}},
])  # fmt: skip
TASK = st.fixed_dictionaries(
    {"templates": st.lists(TEMPLATE, min_size=1, max_size=3), "exemplars": EXEMPLARS},
    optional={
        "choices": CHOICES,
        "where": st.sampled_from(["n != 2", "q", "xs[0] == 'yes'"]),
        "let": st.sampled_from([{"k": "kind * 2"}, {"k": "q[0]"}, {"k": "pick(['k', 'l'])"}]),
        "instruction": st.sampled_from(
            ["Answer.", "Kind {{ kind }}.", "{{ xs[0] }}", "{{ a }}", "{{ q }}"]
        ),
        "truncate": st.just(["q"]),
    },
)
PLAIN_OPTIONS = {
    "letters": OptionStyle(label="({{ LETTER }})", item="{{ label }} {{ text }}", gold="{{ label }}"),
    "list": OptionStyle(label="-", item="{{ label }} {{ text }}", separator="; ",
                        opening="\nOne of {{ count }}: ", gold="{{ text }}"),
}  # fmt: skip
PLAIN_SHOTS = {
    "plain": ShotsStyle(),
    "told": ShotsStyle(
        when="few",
        opening="{{ instruction }}\n",
        exemplar="{{ n }}. {{ input }} -> {{ target }} ({{ explanation }})",
        separator="\n--\n",
        query="{{ n }}. {{ input }} ->",
    ),
}
ODD_OPTIONS = PLAIN_OPTIONS | {
    "json": OptionStyle(label="{{ n }}", item='"{{ label }}": {{ text | tojson }}', gold="{{ text | upper }}"),
    "asked": OptionStyle(item="{% if text %}{{ text }}{% else %}nothing{% endif %}{{ ',' if n < 2 else ';' }}"),
    "compared": OptionStyle(label="{{ roman }}", item="{{ text ~ label }}", gold="{{ label }}"),
    "half": OptionStyle(item="{{ text }} ({{ 'ab'[n - 1] }})", gold="{{ text }}"),
}  # fmt: skip
ODD_SHOTS = PLAIN_SHOTS | {
    "asked": ShotsStyle(
        opening="{% if instruction %}[{{ instruction }}]\n{% endif %}{{ count }}:\n",
        exemplar="{{ input | indent(2) }}{{ n * '=' }}{{ target }}{% if explanation %} # {{ explanation }}{% endif %}",
        query="{{ input | indent(2) }}",
        zero="{% if instruction %}[{{ instruction }}]{% else %}Do.{% endif %} {{ input | replace('a', 'o') }}",
    ),
    "compared": ShotsStyle(
        exemplar="{% if target == 'yes' %}+{% endif %}{{ input }}{{ explanation }}", zero="{{ input[:3] }}{{ instruction }}"
    ),
    "set": ShotsStyle(when="few", opening="{% set i = instruction %}{{ i }}{{ instruction }}"),
}  # fmt: skip
STYLES = [
    (PLAIN_OPTIONS, PLAIN_SHOTS), (ODD_OPTIONS, ODD_SHOTS), (LIBRARY.option_styles, LIBRARY.shots_styles),
]  # fmt: skip
SHARES = [
    ArmShares(options=(0.0, 1.0), cot=(0.0, 1.0)),
    ArmShares(shots=((0, 1.0), (1, 1.0), (3, 1.0))),
    ArmShares(shots=((2, 1.0),), options=(1.0, 0.0), cot=(1.0, 0.0)),
]


def task_of(about: dict[str, Any]) -> Task | None:
    """The task; None where there cannot be such a task. Names that it does not know are left in."""
    templates = [
        {"name": f"t{i}", "options": "optional" if "{{ options }}" in t["input"] else "none", **t}
        for i, t in enumerate(about["templates"])
    ]
    try:
        return Task.model_validate({"signature": "q -> a", **about, "templates": templates})
    except ValidationError:
        return None


def row_set(task: Task, rows: list[dict[str, Any]], first: int, epoch: int = 0) -> RowSet:
    arrays = {n: pa.array([r[n] for r in rows], kind) for n, kind in KINDS.items()}
    digests = np.array([draw.digest64("row", first + i) for i in range(len(rows))], np.uint64)
    columns = {n: a.to_pylist() for n, a in arrays.items()}
    return RowSet("toy/qa", task, 1, epoch, digests, columns, VARIABLE, arrays)


def pools_of(task: Task, rows: RowSet, others: list[dict[str, Any]]) -> Pools:
    exemplars = task.exemplars
    if exemplars.source == "file":
        return Pools(exemplars, item_rows(rows, [ITEM, {"q": "x", "a": "y"}], exemplars))
    if exemplars.source in ("split", "reserved"):
        return Pools(exemplars, row_set(task, others, 1000))
    return Pools(exemplars, rows)


def spec_of(task: Task, shares: ArmShares, styles: int = 0) -> RenderSpec:
    templates = tuple(range(len(task.templates)))
    return RenderSpec("toy/qa", task, *STYLES[styles], shares, 1, templates, VARIABLE)


def both(
    task: Task,
    rows: list[dict[str, Any]],
    shares: ArmShares,
    budget: Budget,
    epoch: int = 0,
    styles: int = 0,
    tokenizer: Tokenizer = BYTES,
) -> tuple[pa.Table, pa.Table]:
    """A task's examples by columns, and row by row."""
    made = []
    for by_columns in (True, False):
        block = row_set(task, rows, 0, epoch)
        pools = pools_of(task, block, rows[: len(rows) // 2])
        about = block, pa.array([str(i) for i in range(len(rows))]), pa.array(range(len(rows)))
        made.append(
            examples_of(
                spec_of(task, shares, styles),
                about,
                pools,
                tokenizer,
                budget,
                by_columns=by_columns,
            )
        )
    return made[0], made[1]
