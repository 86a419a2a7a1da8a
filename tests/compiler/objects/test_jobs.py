"""Jobs of tasks: budgets, styles, pools and the key of each object."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile.compiler.cache import Cache
from flancompile.compiler.objects.jobs import CompileContext, budget_of, task_fields
from flancompile.compiler.packing.pack import pack
from flancompile.compiler.pipeline import prepare
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.render.arms import arm_shares
from flancompile.compiler.request import request_of
from flancompile.compiler.special_tokens import NONE, FrameIds
from flancompile.dsl.models.mixture import Recipe
from flancompile.dsl.models.style import StyleNames
from flancompile.errors import FlancompileError
from flancompile.store.loss_spans import LossSpans

ROWS = 30
SHOTS = {"exemplar": "{{ input }}\n{{ target }}"}


def prepared(root: Path, exemplars: dict[str, Any] | None = None, **recipe: Any) -> PreparedRecipe:
    library = Library(root / "lib")
    library.dataset("toy", rows=ROWS)
    about = dataset_of("toy")
    about["source"]["files"] |= {"dev": "dev.jsonl", "none": "none.jsonl"}
    library.write("datasets/none.jsonl", "")
    library.write("datasets/dev.jsonl", (library.root / "datasets/toy.jsonl").read_text())
    if exemplars is not None:
        about["tasks"]["qa"]["exemplars"] = exemplars
    library.write("datasets/toy.yaml", about)
    option = {"item": "{{ label }} {{ text }}", "label": "{{ LETTER }}.", "gold": "{{ text }}"}
    library.write(
        "styles/own.yaml",
        {"shots": {"one": SHOTS, "two": SHOTS}, "options": {"a": option, "b": option}},
    )
    library.mixture()
    library.recipe(**recipe)
    request = request_of("r", library=(library.root,), cache=Cache(root / "cache"))
    return prepare(request, None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PreparedRecipe:
    return prepared(tmp_path_factory.mktemp("jobs"))


def jobs(context: CompileContext, split: str = "train", **more: Any) -> Any:
    task = context.library.tasks()["toy/qa"]
    spec = context.spec(task, prepared_arms(context), **more)
    return context.jobs(task, spec, split)


def prepared_arms(context: CompileContext) -> Any:
    return arm_shares(context.library.tasks()["toy/qa"].task, ())


def test_each_block_and_epoch_has_an_object_of_its_own(made: PreparedRecipe) -> None:
    job = jobs(made.context)
    found = [job(0, epoch) for epoch in range(3)]
    assert len({j.key for j in found}) == len({j.path for j in found}) == 3
    assert [(j.block, j.epoch) for j in found] == [(0, 0), (0, 1), (0, 2)]
    assert found[0] == jobs(made.context)(0, 0)
    assert all(Path(j.path) == made.context.cache.object_path(j.key) for j in found)


def test_a_key_depends_on_content_and_not_on_folders(made: PreparedRecipe, tmp_path: Path) -> None:
    elsewhere = prepared(tmp_path)
    assert jobs(elsewhere.context)(0, 0).key == jobs(made.context)(0, 0).key
    assert jobs(elsewhere.context)(0, 0).path != jobs(made.context)(0, 0).path
    longer = replace(made.context, budget=replace(made.context.budget, total=99))
    assert jobs(longer)(0, 0).key != jobs(made.context)(0, 0).key


@pytest.mark.parametrize(
    ("task", "entry", "wanted"),
    [
        (None, None, ({"one", "two"}, {"a", "b"})),
        ({"shots": ["two"]}, None, ({"two"}, {"a", "b"})),
        (None, {"options": ["b"]}, ({"one", "two"}, {"b"})),
        ({"shots": ["two"]}, {"shots": ["one"]}, ({"one"}, {"a", "b"})),
        ({"shots": ["two"], "options": ["a"]}, {"shots": ["one"]}, ({"one"}, {"a"})),
    ],
)
def test_styles_of_an_entry_come_before_the_tasks_and_those_before_the_recipes(
    made: PreparedRecipe, task: Any, entry: Any, wanted: tuple[set[str], set[str]]
) -> None:
    context = made.context
    chosen = context.recipe.styles.model_copy(
        update={"shots": ("one", "two"), "options": ("a", "b")}
    )
    context = replace(context, recipe=context.recipe.model_copy(update={"styles": chosen}))
    given_ = context.library.tasks()["toy/qa"]
    if task is not None:
        own = given_.task.model_copy(update={"styles": StyleNames.model_validate(task)})
        given_ = replace(given_, task=own)
    styles = None if entry is None else StyleNames.model_validate(entry)
    spec = context.spec(given_, prepared_arms(context), styles=styles)
    assert (set(spec.shots_styles), set(spec.option_styles)) == wanted


def test_rows_are_reserved_in_the_first_block_alone(tmp_path: Path) -> None:
    found = prepared(tmp_path, {"from": "reserved", "count": 4})
    job = jobs(found.context)
    assert job(0, 0).reserved == job(0, 1).reserved == 4
    pool = job(0, 0).pool
    assert pool is not None and pool.folder == job(0, 0).folder
    assert (
        pool.fields
        == task_fields(found.context.library.tasks()["toy/qa"])
        == ("answer", "question")
    )


@pytest.mark.parametrize(
    ("exemplars", "message", "line"),
    [
        (
            {"from": "split", "split": "none"},
            "the split 'none' has no rows for exemplars",
            "split: none",
        ),
        ({"from": "reserved", "count": ROWS}, f"{ROWS} reserved rows of {ROWS}", f"count: {ROWS}"),
    ],
)
def test_a_pool_without_rows_is_an_error_at_its_place(
    tmp_path: Path, exemplars: dict[str, Any], message: str, line: str
) -> None:
    found = prepared(tmp_path, exemplars)
    with pytest.raises(FlancompileError, match=message) as caught:
        jobs(found.context)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "FC302" and diagnostic.span is not None
    text = Path(diagnostic.span.path).read_text().splitlines()[diagnostic.span.line - 1]
    assert line in text


def test_exemplars_of_the_rows_themselves_need_no_pool(made: PreparedRecipe) -> None:
    assert jobs(made.context)(0, 0).pool is None


def test_a_pool_of_another_split_is_of_its_rows(tmp_path: Path) -> None:
    context = prepared(tmp_path, {"from": "split", "split": "dev"}).context
    pool = jobs(context)(0, 0).pool
    assert pool is not None
    assert pool.folder == str(context.reads["toy", "dev"].folder)


FRAMES = st.builds(
    FrameIds, st.just("decoder"), st.sampled_from([NONE, 1]), st.sampled_from([NONE, 2]), st.sampled_from([NONE, 3])
)  # fmt: skip


@settings(max_examples=60)
@given(FRAMES, st.integers(16, 40), st.none() | st.integers(8, 16), st.none() | st.integers(4, 12),
       st.integers(1, 40), st.integers(1, 3))  # fmt: skip
def test_an_example_within_the_budget_fits_its_pack(
    frame: FrameIds, tokens: int, example: int | None, target: int | None, prompt: int, answers: int
) -> None:
    """In a decoder: framed, the longest example has `example` tokens, its target `target`."""
    budget = budget_of(recipe(pack=tokens, example=example, target=target), frame)
    assert budget.total is not None
    own = 1 if budget.target is None else budget.target
    # A dialogue of several answers: each further one needs room for its tokens of the frame.
    further = (answers - 1) * budget.exchange
    rest = budget.total - own - further - (answers - 1)
    if rest < answers:
        return
    spans = [rest - answers + 1, own] + [1, 1] * (answers - 1)
    framed = frame.loss_spans(LossSpans(np.array(spans), np.array([0, len(spans)])))
    assert framed.sides.sum() == (example or tokens)
    assert target is None or framed.values[1] == target
    assert len(pack(framed.sides.sum(axis=1), tokens)) == 1


@pytest.mark.parametrize(
    ("lengths", "frame", "wanted"),
    [
        ({"input": 64, "target": 16}, (NONE, 1, 1), (63, 15)),
        ({"input": 64, "target": 16}, (2, 1, 1), (62, 15)),
        ({"input": 64, "target": 16}, (NONE, NONE, NONE), (64, 16)),
        (
            {"input": 64, "target": 16, "example_input": 32, "example_target": 8},
            (NONE, 1, 1),
            (31, 7),
        ),
    ],
)
def test_an_encoder_decoder_has_a_budget_for_each_side(
    lengths: dict[str, int], frame: tuple[int, int, int], wanted: tuple[int, int]
) -> None:
    budget = budget_of(recipe("encoder_decoder", **lengths), FrameIds("encoder_decoder", *frame))
    assert (budget.input, budget.target, budget.total) == (*wanted, None)


def recipe(layout: str = "decoder", **lengths: int | None) -> Recipe:
    given_ = {k: v for k, v in lengths.items() if v is not None}
    about = {"recipe": "r", "mixture": "m", "size": {"examples": 1}, "tokenizer": {"bytes": True},
             "layout": layout, "lengths": given_}  # fmt: skip
    return Recipe.model_validate(about)
