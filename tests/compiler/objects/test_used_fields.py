"""Fields that a task reads: each place that names one, and texts that depend on no other."""

from typing import Any

import pyarrow as pa
import pytest
from engines import BYTES, row_set
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import PLAIN

from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.objects.used_fields import query_fields, used_fields
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.style import OptionStyle
from flancompile.dsl.models.task import Task

KNOWN = ("q", "a", "x", "unread")
TEXTS = {"name": "t", "input": "{{ q }}", "target": "{{ a }}"}
TURNS = {"each": "[q]", "role": "'user'", "text": "item"}


def task(**more: Any) -> Task:
    return Task.model_validate({"signature": "q -> a", "templates": [TEXTS], **more})


def template(**more: Any) -> dict[str, Any]:
    return {"templates": [{**TEXTS, **more}]}


OF_QUERIES = [
    {"signature": "q, x -> a"},
    {"where": "x > 1"},
    {"let": {"y": "x | trim"}},
    {"truncate": ["x"]},
    {"instruction": "Note {{ x }}."},
    {"eval": {"metric": "exact_match", "answers": "[a, x]"}},
    {"exemplars": {"same": "x"}},
    {"exemplars": {"unlike": "x"}},
    {"choices": {"gold": "x", "distractors": 3}},
    {"choices": {"gold": "a", "options": "x"}},
    {"choices": {"gold": "a", "options": "[a, 'b']", "labels": "x"}},
    {"choices": {"gold": "a", "distractors": 3, "same": "x"}},
    template(choices={"gold": "x", "distractors": 3}),
    template(input="{{ q }} {{ x }}"),
    template(input="{% if x %}{{ q }}{% endif %}"),
    template(when="x"),
    template(let={"y": "x"}),
    template(target="{{ a }} {{ x }}"),
]
OF_EXEMPLARS = [{"exemplars": {"explanation": "x"}}]


@pytest.mark.parametrize("more", [*OF_QUERIES, *OF_EXEMPLARS], ids=str)
def test_a_field_is_read_wherever_it_is_named(more: dict[str, Any]) -> None:
    found = used_fields(task(**more), KNOWN)
    assert found == {"q", "a", "x"}
    assert used_fields(task(**more), ("q", "a")) == {"q", "a"}  # only fields of the dataset
    needed = query_fields(task(**more), KNOWN)
    assert ("x" in needed) == (more in OF_QUERIES)
    assert needed <= found


def test_a_dialogue_reads_the_fields_of_its_turns() -> None:
    turns = {"name": "t", "turns": {**TURNS, "each": "x", "loss": "unread"}}
    found = used_fields(Task.model_validate({"signature": "q -> a", "templates": [turns]}), KNOWN)
    assert found == {"q", "a", "x", "unread"}


def test_names_that_a_text_sets_itself_are_no_fields() -> None:
    texts = template(input="{% for unread in [q] %}{{ unread }}{% endfor %}")
    assert used_fields(task(**texts), KNOWN) == {"q", "a"}


def rationale(**more: Any) -> Task:
    """A task of which one template gives the field x as a rationale."""
    texts = [
        TEXTS,
        {"name": "why", "cot": True, "input": "{{ q }}", "target": "{{ x }} So {{ a }}."},
    ]
    return Task.model_validate({"signature": "q -> x, a", "templates": texts, **more})


def test_a_query_of_an_evaluation_needs_no_rationale() -> None:
    assert used_fields(rationale(), KNOWN) == {"q", "a", "x"}
    assert query_fields(rationale(), KNOWN) == {"q", "a"}
    scored = {"eval": {"metric": "exact_match", "answers": "[a]"}}
    assert query_fields(rationale(**scored), KNOWN) == {"q", "a"}
    shown = {"instruction": "As {{ x }}"}
    assert query_fields(rationale(**shown), KNOWN) == {"q", "a", "x"}


OPTIONAL = {"options": "optional", "input": "{{ q }}\n{{ options }}", "target": "{{ gold }}"}
MORE = st.fixed_dictionaries(
    {},
    optional={
        "where": st.just("x != 'w2'"),
        "let": st.just({"y": "x ~ q"}),
        "instruction": st.just("Note {{ x }}."),
        "choices": st.sampled_from(
            [{"gold": "a", "distractors": 2}, {"gold": "a", "options": "[a, x, 'z']"},
             {"gold": "a", "distractors": 1, "same": "x"}]
        ),
        "exemplars": st.sampled_from([{"same": "x"}, {"unlike": "x"}, {"explanation": "x"}]),
        "templates": st.sampled_from([[TEXTS], [{**TEXTS, "when": "x != 'w1'"}], [TEXTS, {**TEXTS, "name": "u", "target": "{{ x }}"}]]),
    },
)  # fmt: skip


@settings(max_examples=12)
@given(MORE, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=6))
def test_examples_depend_on_no_other_field(more: dict[str, Any], rows: list[Any]) -> None:
    if "choices" in more:
        more = {**more, "templates": [TEXTS, {"name": "pick", **OPTIONAL}]}
    made = task(**more)
    columns = {"q": [f"q{n}" for n, _ in rows], "a": [f"a{m}" for _, m in rows],
               "x": [f"w{n % 3}" for n, _ in rows], "unread": [f"u{n}" for n, _ in rows]}  # fmt: skip
    used = used_fields(made, KNOWN)
    letters = OptionStyle(label="({{ LETTER }})", item="{{ label }} {{ text }}", gold="{{ label }}")
    shares = ArmShares(shots=((0, 1.0), (1, 1.0))).within(made.templates)
    spec = RenderSpec(
        "s/t", made, {"l": letters}, {"p": PLAIN}, shares, 1, tuple(range(len(made.templates)))
    )
    tables = []
    for known in (columns, {n: columns[n] for n in columns if n in used}):
        rows_ = row_set(made, known)
        ids, ordinals = rows_.digests.astype(str), rows_.digests
        block = (rows_, pa.array(ids), pa.array(ordinals))
        tables.append(
            examples_of(spec, block, Pools(made.exemplars, rows_), BYTES, Budget(total=400))
        )
    assert "unread" not in used
    assert (
        tables[0]
        .drop_columns(["spells_special"])
        .equals(tables[1].drop_columns(["spells_special"]))
    )
