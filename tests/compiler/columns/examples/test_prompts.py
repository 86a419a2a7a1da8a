"""Prompts of many rows under layouts, against those of each row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flancompile.compiler.columns.examples.instances import Instances
from flancompile.compiler.columns.examples.prompts import PromptBuilder
from flancompile.compiler.columns.ropes.fragments import Fragments
from flancompile.compiler.columns.ropes.ropes import Ropes
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.layout import prompt_pieces
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.models.style import ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.lowering.column import Column

LAYOUTS = {
    "asked": ShotsStyle(opening="{{ instruction }}: {{ count }}\n", exemplar="{{ n }} {{ input }}={{ target }}\n{{ explanation }}",
                        query="{{ n }} {{ input }}="),
    "odd": ShotsStyle(exemplar="{{ input | upper }}{{ 6 // (target | length) }}", query="{% if input == 'a' %}A{% else %}{{ input }}{% endif %}"),
    "plain": ShotsStyle(),
    "zero": ShotsStyle(when="zero", zero="{% if instruction %}<{{ instruction }}> {% endif %}{{ input }}"),
}  # fmt: skip
IDS = sorted(LAYOUTS)
ZERO, FEW = range(len(IDS)), range(len(IDS) - 1)
TASK = Task.model_validate(
    {"signature": "q -> a", "templates": [{"name": "t", "input": "{{ q }}", "target": "{{ a }}"}]}
)
TEXT = st.text("aé\n{}", max_size=3)


@dataclass
class Query:
    """A row, its instruction, its exemplars and the layouts with and without exemplars."""

    text: str
    instruction: str | None
    shots: list[tuple[str, str, str | None]]
    zero: int
    few: int

    def prompt(self, shots: int, instruction: str | None) -> str | None:
        style = LAYOUTS[IDS[self.few if shots else self.zero]]
        try:
            return "".join(prompt_pieces(style, self.shots[:shots], self.text, instruction))
        except RowError:
            return None


SHOT = st.tuples(TEXT, TEXT, st.none() | TEXT)
QUERY = st.builds(
    Query, TEXT, st.none() | TEXT, st.lists(SHOT, max_size=3), st.sampled_from(ZERO), st.sampled_from(FEW)
)  # fmt: skip


def ropes(fragments: Fragments, texts: Sequence[str | None]) -> Ropes:
    return Ropes.single(fragments.intern(pa.array(texts, pa.string())))


def built(
    queries: list[Query], instruction: Column | None, spare: int = 0, lost: int | None = None
) -> PromptBuilder:
    """A builder of the queries' prompts. spare: rows of the block before them; lost: exemplar whose
    rationale falls back."""
    fragments, shots = Fragments(), [shot for q in queries for shot in q.shots]
    most = max(len(q.shots) for q in queries)
    place, at = np.full((len(queries), most), -1, np.int64), 0
    for i, query in enumerate(queries):
        place[i, : len(query.shots)] = at + np.arange(len(query.shots))
        at += len(query.shots)
    spec = RenderSpec("toy/qa", TASK, {}, LAYOUTS, ArmShares(), 1, (0,))
    rationales = pa.array([s[2] for s in shots], pa.string())
    inputs, targets = (ropes(fragments, [str(s[i]) for s in shots]) for i in (0, 1))
    exemplars = Instances(inputs, targets, np.ones(len(shots), np.bool_))
    of_block = np.concatenate([np.zeros(spare, np.int64), np.arange(len(queries))])
    zero, few = (np.array([0] * spare + [getattr(q, n) for q in queries]) for n in ("zero", "few"))
    return PromptBuilder(
        spec, fragments, of_block, ropes(fragments, [q.text for q in queries]), exemplars, place,
        zero, few, instruction, rationales, np.arange(len(shots)) == lost,
    )  # fmt: skip


def prompts(builder: PromptBuilder, rows: np.ndarray, shots: np.ndarray) -> list[str | None]:
    """The prompts; None for those that fall back."""
    found, fallback = builder.prompts(rows, builder.layout(rows, shots), shots)
    texts = builder.fragments.texts(found).to_pylist()
    assert len(texts) == len(fallback) == len(rows)
    return [None if lost else text for text, lost in zip(texts, fallback, strict=True)]


@given(
    st.lists(QUERY, min_size=1, max_size=8),
    st.sampled_from(["none", "constant", "column"]),
    st.data(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_prompts_are_those_of_each_row(
    queries: list[Query], instructed: str, data: st.DataObject
) -> None:
    """With any number of the exemplars, as some may be left out for length."""
    said = [q.instruction or "" for q in queries]
    column = None
    if instructed == "constant":
        said, column = said[:1] * len(queries), Column.constant(said[0])
    elif instructed == "column":
        column = Column.of_text(pa.array(said, pa.string()))
    spare = data.draw(st.integers(0, 2))
    builder = built(queries, column, spare)
    which = data.draw(st.lists(st.integers(0, len(queries) - 1), max_size=9))
    counts = [data.draw(st.integers(0, len(queries[i].shots))) for i in which]
    found = prompts(builder, np.array(which, np.int64) + spare, np.array(counts, np.int64))
    expected = [
        queries[i].prompt(count, None if column is None else said[i])
        for i, count in zip(which, counts, strict=True)
    ]
    assert found == expected


def test_a_prompt_falls_back_with_its_instruction_or_a_rationale_that_it_shows() -> None:
    shots = [("x", "y", "because"), ("z", "w", None)]
    queries = [Query(text, None, shots, 2, 0) for text in ("first", "second")]
    column = Column.of_text(pa.array(["Do.", ""]), np.array([False, True]))
    rows, counts = np.array([0, 0, 1]), np.array([0, 2, 1])
    assert [p is None for p in prompts(built(queries, column), rows, counts)] == [
        False,
        False,
        True,
    ]
    lost = prompts(built(queries, None, lost=1), np.array([0, 0, 0, 1]), np.array([0, 1, 2, 2]))
    assert [p is None for p in lost] == [False, False, True, False]


def test_a_layout_is_that_of_the_remaining_exemplars() -> None:
    queries = [Query("q", None, [("x", "y", None)], 3, 1), Query("r", None, [], 2, 0)]
    builder = built(queries, None, spare=1)
    rows = np.array([1, 1, 2])
    assert builder.layout(rows, np.array([1, 0, 0])).tolist() == [1, 3, 2]
