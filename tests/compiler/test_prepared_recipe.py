"""Prepared recipes: the parts agree on the tasks, whatever is held out or left out."""

from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

from flancompile.compiler.cache import Cache
from flancompile.compiler.pipeline import prepare, rows_over, streams_of
from flancompile.compiler.prepared_recipe import PreparedRecipe
from flancompile.compiler.request import request_of
from flancompile.errors import FlancompileError


def prepared(
    root: Path, *members: dict[str, Any], gone: tuple[str, ...] = (), **recipe: Any
) -> PreparedRecipe:
    """Tasks a, b and c of 10, 20 and 30 rows; the files of `gone` are not there."""
    made = Library(root / "lib")
    for name, rows in {"a": 10, "b": 20, "c": 30}.items():
        made.dataset(name, rows=rows)
        about = dataset_of(name)
        about["tasks"]["qa"]["cluster"] = f"c{name}"
        made.write(f"datasets/{name}.yaml", about)
        if name in gone:
            (made.root / f"datasets/{name}.jsonl").unlink()
    made.mixture(*members)
    made.recipe(**recipe)
    return prepare(request_of("r", library=(made.root,), cache=Cache(root / "cache")), None)


RATES = (
    {"select": "a/qa", "rate": 1},
    {"select": "all", "rate": 3, "overlap": "exclude", "name": "rest"},
)


@pytest.mark.parametrize(
    ("gone", "recipe", "left_out", "held", "shares"),
    [
        ((), {}, set(), set(), {"a/qa": 0.25, "b/qa": 0.3, "c/qa": 0.45}),
        (("b",), {}, {"b/qa"}, set(), {"a/qa": 0.25, "c/qa": 0.75}),
        (("a",), {}, {"a/qa"}, set(), {"b/qa": 0.4, "c/qa": 0.6}),
        ((), {"hold_out_clusters": ["cc"]}, set(), {"c/qa"}, {"a/qa": 0.25, "b/qa": 0.75}),
        (("b",), {"hold_out_clusters": ["ca"]}, {"b/qa"}, {"a/qa"}, {"c/qa": 1.0}),
    ],
)
def test_a_task_is_planned_or_accounted_for(
    tmp_path: Path,
    gone: Any,
    recipe: Any,
    left_out: set[str],
    held: set[str],
    shares: dict[str, float],
) -> None:
    found = prepared(tmp_path, *RATES, gone=gone, missing="leave_out", **recipe)
    assert {i: round(s, 9) for i, s in found.shares.items()} == shares
    assert set(found.planned) == {t.task.id for t in found.node.all_tasks()} == set(shares)
    assert (set(found.left_out), set(found.held_out)) == (left_out, held)
    assert set(streams_of(found, None).streams) == set(shares)
    assert {source for source, _ in found.context.reads} == {i[0] for i in shares}


def test_rows_are_counted_over_members_within_caps(tmp_path: Path) -> None:
    caps = (
        {"select": "a/qa", "name": "one"},
        {"select": "b/qa or c/qa", "name": "two", "cap_rows": 25},
    )
    found = prepared(tmp_path, *caps)
    assert rows_over(found, None) == {"a/qa": 10, "b/qa": 20, "c/qa": 25}
    assert rows_over(found, "two") == {"b/qa": 20, "c/qa": 25}


def test_a_mixture_without_any_rows_here_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FlancompileError, match="no task of 'm' has data on this machine") as caught:
        prepared(tmp_path, gone=("a", "b", "c"), missing="leave_out")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "FC407" and "a.jsonl" in (diagnostic.hint or "")


def test_the_tokenizer_of_the_context_is_that_of_the_recipe(tmp_path: Path) -> None:
    found = prepared(tmp_path, frame={"join": "none"})
    assert found.context.tokenizer.digest == found.tokenizer.digest
    assert found.context.tokenizer.load().digest == found.tokenizer.digest
    assert (found.frame.prompt_extra, found.frame.target_extra) == (0, 1)
    assert found.context.budget.total == 512 - 1
