"""Tables of examples of generated tasks: the column engine against the row engine."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_tasks import (
    BYTES,
    ROWS,
    SHARES,
    STYLES,
    TASK,
    both,
    made_rows,
    pools_of,
    row_set,
    spec_of,
    task_of,
)

from flancompile.compiler.columns.examples.assemble import Assembly, assemble
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.drop_reasons import FewerShots
from flancompile.dsl.models.style import ShotsStyle


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


CARRIED: list[dict[str, Any]] = [
    {},
    {"choices": {"options": ["yes", "no", "maybe"], "gold": "a"}},
    {"choices": {"distractors": 2, "gold": "q"}},
    {"exemplars": {"from": "column", "rows": "own", "explanation": "item.e"}},
    {"exemplars": {"from": "file", "file": "f", "fields": {"q": "item.q", "a": "item.a"}}},
    {"let": {"k": "pick(['k', 'l'])"}, "instruction": "Kind {{ k }}."},
    {"templates": [{"input": "{{ q }} {{ xs | join(', ') }}", "target": "{{ own | tojson }}"}]},
]


@pytest.mark.parametrize("more", CARRIED, ids=lambda m: ", ".join(m) or "plain")
def test_the_column_engine_builds_every_row(more: dict[str, Any]) -> None:
    about = {"templates": [{"input": "{{ q }}{{ options }}", "target": "{{ a }}"}], **more}
    task = task_of(about)
    assert task is not None
    block = row_set(task, made_rows(1, 200, plain=True), 0)
    shares = ArmShares(shots=((0, 1.0), (2, 1.0)))
    made = assemble(
        spec_of(task, shares), block, pools_of(task, block, []), {}, SegmentCache(BYTES)
    )
    assert made is not None
    assert (len(made.fallback_rows), len(made.rows) + len(made.reasons)) == (0, 200)


def test_exemplars_of_a_column_have_distractors_of_their_own() -> None:
    """Distractors are drawn from the exemplars of one query, not of all."""
    template = {"input": "{{ q }}{{ options }}", "target": "{{ gold }}", "options": "optional"}
    choices, exemplars = {"distractors": 2, "gold": "a"}, {"from": "column", "rows": "own"}
    task = task_of({"templates": [template], "choices": choices, "exemplars": exemplars})
    assert task is not None
    rows = made_rows(2, 30, plain=True)
    for n, row in enumerate(rows):
        row["own"] = [{"q": f"{n} {i}", "a": f"<{n} {i}>", "e": ""} for i in range(3)]
    shares = ArmShares(shots=((2, 1.0),), options=(1.0, 0.0), cot=(0.0, 1.0))
    columns, by_row = both(task, rows, shares, Budget(total=5000))
    assert columns["ids"].to_pylist() == by_row["ids"].to_pylist()
    for n, line in enumerate(columns.to_pylist()):
        prompt = BYTES.decode(line["ids"][: line["prompt_tokens"]])
        assert line["shots"] == 2
        assert {text.split()[0] for text in re.findall("<(.+?)>", prompt)} == {str(n)}
    assert len(columns) == 30


def assembled(more: dict[str, Any], dropped: dict[int, str], **of_spec: Any) -> Assembly | None:
    """Twenty rows of a task with two exemplars each."""
    task = task_of({"templates": [{"input": "{{ q }}", "target": "{{ a }}"}], **more})
    assert task is not None
    block = row_set(task, made_rows(1, 20, plain=True), 0)
    spec = replace(spec_of(task, ArmShares(shots=((2, 1.0),))), **of_spec)
    return assemble(spec, block, pools_of(task, block, []), dropped, SegmentCache(BYTES))


def texts(made: Assembly, ropes: Ropes) -> list[str]:
    return list(made.builder.fragments.texts(ropes).to_pylist())


def test_chat_layouts_and_refused_styles_are_of_the_row_engine() -> None:
    recursive = ShotsStyle(zero="{% for x in input recursive %}{{ x }}{% endfor %}{{ input }}")
    assert assembled({}, {}, wrap=True) is None
    assert assembled({}, {}, shots_styles={"odd": recursive}) is None
    assert assembled({}, {}) is not None


def test_each_row_is_an_example_or_dropped_or_falls_back() -> None:
    about = {"where": "n == 0", "templates": [{"input": "{{ q }}", "target": "{{ a }}", "when": "{[]: 1}"},
                                              {"input": "{{ q }}", "target": "{{ a }}"}]}  # fmt: skip
    made = assembled({"where": "n == 0"}, {0: "reserved", 1: "reserved"})
    assert made is not None
    rows, dropped, left = made.rows.tolist(), sorted(made.reasons), made.fallback_rows.tolist()
    assert sorted([*rows, *dropped, *left]) == list(range(2, 20))
    assert rows == sorted(rows) and rows and not left
    assert set(made.reasons.values()) == {"where"}
    made = assembled(about, {0: "reserved"})  # a condition that is not lowered
    assert made is not None
    assert (len(made.rows), made.reasons) == (0, {})
    assert made.fallback_rows.tolist() == list(range(1, 20))


def test_a_dropped_exemplar_leaves_the_others_and_at_last_the_query() -> None:
    layouts = {
        "few": ShotsStyle(when="few", opening="", exemplar="{{ n }}. {{ input }}", separator="|", query="{{ n }}. {{ input }}"),
        "zero": ShotsStyle(when="zero", zero="Alone: {{ input }}"),
    }  # fmt: skip
    made = assembled({}, {}, shots_styles=layouts)
    assert made is not None
    whole, some = texts(made, made.first_prompts), np.array([2, 5])
    assert made.shots.tolist() == [2] * 20 and (made.layout == 0).all()
    shorter = texts(made, made.drop_shot(some))
    for place, prompt in zip(some.tolist(), shorter, strict=True):
        first, _, query = whole[place].split("|")
        assert prompt == f"{first}|2. {query.removeprefix('3. ')}"
    assert [made.shots[i] for i in (2, 3, 5)] == [1, 2, 1]
    alone = texts(made, made.drop_shot(some[:1]))
    assert alone == ["Alone: " + whole[2].split("|")[2].removeprefix("3. ")]
    assert made.layout[[2, 5]].tolist() == [1, 0]
    assert texts(made, made.prompts(np.array([2, 3]))) == [alone[0], whole[3]]
    assert list(FewerShots)[made.fewer_shots[2]] == FewerShots.OVER_LONG
    assert made.fewer_shots[3] == -1
    assert texts(made, made.first_prompts) == whole


def test_white_space_joins_the_targets() -> None:
    plain, joined = (assembled({}, {}, join=join) for join in ("", " \n"))
    assert plain is not None and joined is not None
    assert texts(joined, joined.targets) == [" \n" + t for t in texts(plain, plain.targets)]
    assert texts(joined, joined.first_prompts) == texts(plain, plain.first_prompts)
