"""Tables of examples: rows of both engines in their places, within every budget."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engines import BYTES, row_set
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LETTERS, PLAIN

from flancompile.compiler.objects.build import WORK, examples_of
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.block_cache import BlockCache
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.models.task import Task
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

TEXTS = {"name": "t", "input": "{{ q }}?", "target": "{{ a }}"}
PICK = {
    "name": "p",
    "options": "optional",
    "input": "{{ q }}\n{{ options }}",
    "target": "{{ gold }}",
}
CHOICES = {"gold": "a", "distractors": 2}


def table_of(
    columns: dict[str, list[Any]],
    budget: Budget,
    *,
    templates: Any = (TEXTS, PICK),
    shots: int = 2,
    reserved: int = 0,
    truncate: tuple[str, ...] = (),
    by_columns: bool = True,
    tokenizer: Tokenizer = BYTES,
) -> pa.Table:
    task = Task.model_validate(
        {
            "signature": "q -> a",
            "templates": list(templates),
            "choices": CHOICES,
            "truncate": list(truncate),
        }
    )
    rows = replace(row_set(task, columns), shared=BlockCache())
    shares = ArmShares(((0, 1.0), (shots, 2.0)), cot=(0.0, 1.0))
    spec = RenderSpec(
        "s/t", task, {"l": LETTERS}, {"p": PLAIN}, shares, 1, tuple(range(len(templates)))
    )
    ids = pa.array([f"id{i}" for i in range(len(rows))]), pa.array(range(len(rows)), pa.uint64())
    pools = Pools(task.exemplars, rows)
    return examples_of(
        spec, (rows, *ids), pools, tokenizer, budget, reserved=reserved, by_columns=by_columns
    )


def columns_of(rows: list[tuple[int, int]]) -> dict[str, list[Any]]:
    """Questions and answers of given lengths, each row its own."""
    return {
        "q": [chr(65 + i % 26) * (1 + q) for i, (q, _) in enumerate(rows)],
        "a": [f"{i}" + "z" * a for i, (_, a) in enumerate(rows)],
    }


ROWS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=6)
BUDGETS = st.one_of(
    st.builds(Budget, total=st.integers(4, 120)),
    st.builds(Budget, total=st.integers(4, 120), target=st.integers(2, 12)),
    st.builds(Budget, input=st.integers(4, 90), target=st.integers(2, 20)),
)


@settings(max_examples=15)
@given(ROWS, BUDGETS)
def test_each_row_fits_or_has_a_reason_by_both_engines(rows: Any, budget: Budget) -> None:
    columns = columns_of(rows)
    table = table_of(columns, budget)
    again = table_of(columns, budget, by_columns=False)
    assert table.replace_schema_metadata(None).equals(again.replace_schema_metadata(None))
    for line in table.to_pylist():
        prompt, target = line["prompt_tokens"], line["target_tokens"]
        assert len(line["ids"]) == prompt + target
        if line["reason"] is not None:
            assert (prompt, target, line["template"], line["exemplars"]) == (0, 0, None, [])
            continue
        assert budget.total is None or prompt + target <= budget.total
        assert budget.input is None or prompt <= budget.input
        assert budget.target is None or target <= budget.target
        assert line["shots"] == len(line["exemplars"]) <= line["shots_asked"]
        assert line["fewer_shots"] is None or line["shots"] < line["shots_asked"]


@settings(max_examples=15)
@given(ROWS, st.integers(10, 90))
def test_one_token_less_changes_only_the_examples_that_filled_the_budget(
    rows: Any, total: int
) -> None:
    """They lose their last exemplar, or are dropped when they have none."""
    columns = columns_of(rows)
    more, less = (table_of(columns, Budget(total=n)).to_pylist() for n in (total, total - 1))
    for one, other in zip(more, less, strict=True):
        if one["reason"] is not None:
            assert other["reason"] is not None
        elif len(one["ids"]) < total:
            assert other == one
        elif one["exemplars"] and other["reason"] is None:
            assert other["exemplars"] == one["exemplars"][: len(other["exemplars"])]
            assert len(other["exemplars"]) < len(one["exemplars"])
            assert other["fewer_shots"] == "exemplars left out for length"
            assert other["ids"][other["prompt_tokens"] :] == one["ids"][one["prompt_tokens"] :]
        else:
            over = ("the prompt is over-long", "the target is over-long")
            assert other["reason"] in over


def test_rows_of_the_row_engine_are_in_their_places() -> None:
    """Each third row fails, each fourth is too long and is shortened: both by the row engine."""
    columns = columns_of([(3, 2)] * 24)
    columns["n"] = [5 if i % 3 else "x" for i in range(24)]
    columns["q"] = [q * 40 if i % 4 == 0 else q for i, q in enumerate(columns["q"])]
    mixed = {"name": "m", "input": "{{ n + 1 }} {{ q }}", "target": "{{ a }}"}
    table = table_of(columns, Budget(total=40), templates=(mixed,), shots=0, truncate=("q",))
    work = json.loads(table.schema.metadata[WORK])["rows"]
    assert work == {"by column": 12, "by row": 12}
    for i, line in enumerate(table.to_pylist()):
        assert (line["row_id"], line["ordinal"]) == (f"id{i}", i)
        if i % 3 == 0:
            assert line["reason"] is not None and line["ids"] == []
            continue
        text = bytes(t - 3 for t in line["ids"]).decode()
        prompt, target = text[: line["prompt_tokens"]], text[line["prompt_tokens"] :]
        assert target == columns["a"][i]
        assert line["truncated"] == (i % 4 == 0)
        whole = f"6 {columns['q'][i]}"
        assert prompt == (whole[: 40 - len(target)] if line["truncated"] else whole)


def test_reserved_rows_give_no_example_and_the_rest_do() -> None:
    table = table_of(columns_of([(3, 2)] * 6), Budget(total=400), reserved=2)
    reasons = table["reason"].to_pylist()
    assert reasons == ["reserved for exemplars"] * 2 + [None] * 4
    work = json.loads(table.schema.metadata[WORK])["rows"]
    assert sum(work.values()) == 4


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_have_fewer_exemplars_for_that_reason(rows: int) -> None:
    table = table_of(columns_of([(3, 2)] * rows), Budget(total=400), shots=5)
    for line in table.to_pylist():
        assert line["shots"] == min(line["shots_asked"], rows - 1)
        fewer = line["shots_asked"] > rows - 1
        assert (line["fewer_shots"] == "too few exemplars to draw") == fewer


def test_a_large_vocabulary_has_wide_ids() -> None:
    """The ids of both widths are equal; only their type differs."""

    class Wide(Tokenizer):
        @property
        def vocab_size(self) -> int:
            return (1 << 16) + 1

    wide = Wide("bytes", b"", "bytes", Specials(None, 257, None))
    columns = columns_of([(3, 2)] * 3)
    found = [table_of(columns, Budget(total=99), tokenizer=t)["ids"] for t in (BYTES, wide)]
    assert [column.type.value_type for column in found] == [pa.uint16(), pa.uint32()]
    assert found[0].to_pylist() == found[1].to_pylist()
    assert np.concatenate(found[0].to_pylist()).size > 0
