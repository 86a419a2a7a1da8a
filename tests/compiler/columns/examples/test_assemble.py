"""Tables of examples of generated tasks: the column engine against the row engine."""

from typing import Any

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

from flancompile.compiler.columns.examples.assemble import assemble
from flancompile.compiler.columns.ropes.segments import SegmentCache
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares


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
