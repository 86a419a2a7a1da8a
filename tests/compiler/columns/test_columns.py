"""Examples made by columns against the same made row by row: equal tables, whatever the task."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flancompile import draw
from flancompile.compiler.columns.examples import arm_draws as chosen
from flancompile.compiler.columns.examples.assemble import assemble
from flancompile.compiler.columns.jinja.unlowered import unlowered
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render import arms
from flancompile.compiler.render.arms import ArmShares, draw_arms
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools, item_rows
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task, Variable
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

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


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe", "unigram", "pieces"])
@given(
    about=TASK,
    rows=ROWS,
    shares=st.sampled_from(SHARES),
    budget=st.sampled_from([Budget(total=2000), Budget(total=60), Budget(input=40, target=9)]),
    epoch=st.integers(0, 2),
    styles=st.sampled_from(range(len(STYLES))),
)
@settings(max_examples=90, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_tasks_agree(
    request: pytest.FixtureRequest,
    tokenizer: str,
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    shares: ArmShares,
    budget: Budget,
    epoch: int,
    styles: int,
) -> None:
    task = task_of(about)
    if task is None:
        return
    by = BYTES if tokenizer == "bytes" else request.getfixturevalue(tokenizer)
    columns, alone = both(task, rows, shares, budget, epoch, styles, by)
    for name in alone.schema.names:
        assert columns[name].to_pylist() == alone[name].to_pylist(), name
    assert columns.equals(alone)


@pytest.mark.slow
@given(
    about=TASK, rows=ROWS, shares=st.sampled_from(SHARES), by_columns=st.booleans(),
    styles=st.sampled_from(range(len(STYLES))),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_was_kept_of_earlier_passes_changes_no_later_one(
    bpe: Tokenizer,
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    shares: ArmShares,
    by_columns: bool,
    styles: int,
) -> None:
    task = task_of(about)
    if task is None:
        return
    kept, segment_cache = BlockCache(), SegmentCache(bpe)
    ids = pa.array([str(i) for i in range(len(rows))]), pa.array(range(len(rows)))
    for epoch in (0, 1, 2, 5, 3, 3):
        made = []
        for shared, held in ((kept, segment_cache), (BlockCache(), SegmentCache(bpe))):
            block = replace(row_set(task, rows, 0, epoch), shared=shared)
            pools = pools_of(task, block, rows[: len(rows) // 2])
            means = {"by_columns": by_columns}
            spec, budget = spec_of(task, shares, styles), Budget(total=2000)
            made.append(
                examples_of(spec, (block, *ids), pools, bpe, budget, segment_cache=held, **means)
            )
        assert made[0].equals(made[1])


@pytest.mark.parametrize("by_columns", [True, False])
def test_a_pass_draws_on_from_the_one_before(
    monkeypatch: pytest.MonkeyPatch, by_columns: bool
) -> None:
    about = {"templates": [{"input": "{{ q }}{{ options }}", "target": "{{ a }}"}] * 2}
    about["choices"] = {"options": ["yes", "no"], "gold": "a"}
    task = task_of(about)
    assert task is not None
    drawn: list[int] = []
    for module in (arms, chosen):
        monkeypatch.setattr(module, "draw_arms", lambda *a: drawn.append(a[2]) or draw_arms(*a))
    rows, shared = made_rows(1, 20, plain=True), BlockCache()
    ids = pa.array(list("abcdefghijklmnopqrst")), pa.array(range(20))
    for epoch in range(1, 9):
        block = replace(row_set(task, rows, 0, epoch), shared=shared)
        made = (block, *ids), Pools(task.exemplars, block), BYTES, Budget(total=2000)
        examples_of(spec_of(task, SHARES[0]), *made, by_columns=by_columns)
    assert drawn == [0, 1, *range(2, 9)]


CARRIED: list[dict[str, Any]] = [
    {},
    {"choices": {"options": ["yes", "no", "maybe"], "gold": "a"}},
    {"choices": {"distractors": 2, "gold": "q"}},
    {"exemplars": {"from": "column", "rows": "own", "explanation": "item.e"}},
    {"exemplars": {"from": "file", "file": "f", "fields": {"q": "item.q", "a": "item.a"}}},
    {"let": {"k": "pick(['k', 'l'])"}, "instruction": "Kind {{ k }}."},
]


@pytest.mark.parametrize("more", CARRIED, ids=lambda m: ", ".join(m) or "plain")
def test_the_columns_carry_the_work(more: dict[str, Any]) -> None:
    about = {"templates": [{"input": "{{ q }}{{ options }}", "target": "{{ a }}"}], **more}
    task = task_of(about)
    assert task is not None
    block = row_set(task, made_rows(1, 200, plain=True), 0)
    shares = ArmShares(shots=((0, 1.0), (2, 1.0)))
    made = assemble(
        spec_of(task, shares), block, pools_of(task, block, []), {}, SegmentCache(BYTES)
    )
    assert made is not None
    assert (len(made.rest), len(made.rows) + len(made.reasons)) == (0, 200)


def test_what_goes_row_by_row_is_told_with_its_reason() -> None:
    recursive = "{% for x in xs recursive %}{{ x }}{% endfor %}"
    about = {
        "templates": [
            {"input": "{{ q }}", "target": "{{ a }}"},
            {"input": recursive, "target": "{{ a }}"},
            {"input": "{{ p }}", "target": "{{ a }}", "let": {"p": "pick(xs)"}},
        ]
    }
    task = task_of(about)
    assert task is not None
    spec = spec_of(task, SHARES[0])
    assert [(u.template, u.reason) for u in unlowered(spec)] == [("t1", "input: a recursive loop")]
    odd = replace(spec, shots_styles={"odd": ShotsStyle(zero=recursive + "{{ input }}")})
    assert {u.reason for u in unlowered(odd)} == {"the layout odd: a recursive loop"}
    assert len(unlowered(replace(spec, wrap=True))) == 3
