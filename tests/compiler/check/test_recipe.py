"""Names in recipes and overlays: each must exist; a message is at the name with the nearest one."""

from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

from flancompile.compiler.check.recipe import check_overlay, check_recipe, splits_of_task
from flancompile.dsl.library.library import Library as Loaded
from flancompile.dsl.library.library import load_library
from flancompile.errors import Diagnostic


def loaded(root: Path, recipe: dict[str, Any], **overlays: dict[str, Any]) -> Loaded:
    """Two datasets, `toy` with a place on the Hub and `other`; the mixture of both; a recipe."""
    made = Library(root)
    for name in ("toy", "other"):
        made.dataset(name, rows=2)
        about = dataset_of(name)
        about["tasks"]["qa"]["cluster"] = f"c{name}"
        about["tasks"]["qa"]["eval"] = {"metric": "exact_match"}
        if name == "toy":
            about["source"]["places"] = {
                "hub": {"hub": "a/toy", "splits": {"train": "train", "eval": "test"}}
            }
        made.write(f"datasets/{name}.yaml", about)
    made.mixture()
    made.recipe(**recipe)
    for name, sources in overlays.items():
        made.write(f"overlays/{name}.yaml", {"overlay": name, "sources": sources})
    library, errors = load_library([root])
    assert errors == []
    return library


def found(root: Path, recipe: dict[str, Any], **overlays: Any) -> list[Diagnostic]:
    library = loaded(root, recipe, **overlays)
    return list(check_recipe(library, library.recipes["r"]))


def test_a_recipe_without_mistakes(tmp_path: Path) -> None:
    evaluate = [{"select": "toy/qa"}, {"select": "cluster:cother", "split": "train"}]
    assert found(tmp_path, {"evaluate": evaluate}) == []


@pytest.mark.parametrize(
    ("recipe", "code", "message", "hint", "at"),
    [
        ({"mixture": "n"}, "FC402", "no mixture 'n'", "m", "mixture: n"),
        ({"overlay": "loab"}, "FC402", "no overlay 'loab'", "", "overlay: loab"),
        ({"split": "trian"}, "FC301", "(and 1 more) has no split 'trian'", "'train'", "split: trian"),
        ({"split": "test"}, "FC301", "has no split 'test'", "splits here: train, validation", "split: test"),
        ({"tokenizer": {"file": "tok.json"}}, "FC412", "no tokenizer file 'tok.json'", "looked in", "file: tok"),
        ({"tokenizer": {"file": "r.yam"}}, "FC412", "no tokenizer file 'r.yam'", "'r.yaml'", "file: r.yam"),
        ({"tokenizer": {"bytes": True, "chat_template": "c.jinja"}}, "FC412", "no chat template", "", "chat_template"),
        ({"styles": {"options": ["nowhere"]}}, "FC411", "nowhere", "", "nowhere"),
        ({"hold_out_clusters": ["ctoi"]}, "FC406", "no cluster 'ctoi'", "'ctoy'", "ctoi"),
        ({"size": {"passes": 1, "over": "al"}}, "FC409", "no member 'al'", "'all'", "over: al"),
        ({"evaluate": [{"select": "toi/qa"}]}, "FC406", "'toi/qa' selects no task", "toy/qa", "toi/qa"),
        ({"evaluate": [{"select": "cluster"}]}, "FC401", "", "", "select: cluster"),
        ({"evaluate": [{"select": "toy/qa", "cot": True}]}, "FC419", "requests a rationale", "", "cot: true"),
        ({"evaluate": [{"select": "toy/qa", "split": "gold"}]}, "FC301", "no split 'gold'", "", "split: gold"),
        ({"evaluate": [{"select": "toy/qa", "styles": {"shots": ["x"]}}]}, "FC411", "x", "", "- x"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_there(
    tmp_path: Path, recipe: dict[str, Any], code: str, message: str, hint: str, at: str
) -> None:
    (diagnostic,) = found(tmp_path, recipe)
    assert (diagnostic.code, diagnostic.severity) == (code, "error")
    assert message in diagnostic.message and hint in (diagnostic.hint or "")
    assert diagnostic.span is not None
    written = (tmp_path / "recipes/r.yaml").read_text().splitlines()
    assert at in written[diagnostic.span.line - 1]


def test_rows_that_may_be_missing_are_not_an_error(tmp_path: Path) -> None:
    assert found(tmp_path, {"split": "gold", "missing": "leave_out"}) == []


def test_a_task_that_names_its_own_split_does_not_use_the_entrys(tmp_path: Path) -> None:
    library = loaded(tmp_path, {"evaluate": [{"select": "toy/qa", "split": "gold"}]})
    about = dataset_of("toy")
    about["tasks"]["qa"]["eval"]["split"] = "validation"
    Library(tmp_path).write("datasets/toy.yaml", about)
    library, _ = load_library([tmp_path])
    assert list(check_recipe(library, library.recipes["r"])) == []


@pytest.mark.parametrize(
    ("choice", "known", "split", "codes"),
    [
        (None, ["train", "validation"], "eval", ["FC301"]),
        ({"place": "hub"}, ["train", "eval"], "eval", []),
        ({"place": "hub"}, ["train", "eval"], "evla", ["FC301"]),
        ({"place": "hub"}, ["train", "eval"], "test", []),  # the repository may have a usual split
        ({"files": {"gold": "g.jsonl"}}, ["gold"], "gold", []),
        ({"files": {"gold": "g.jsonl"}}, ["gold"], "train", ["FC301"]),
    ],
)
def test_splits_are_those_of_the_overlays_place(
    tmp_path: Path, choice: Any, known: list[str], split: str, codes: list[str]
) -> None:
    overlays = {} if choice is None else {"lab": {"toy": choice}}
    more = {} if choice is None else {"overlay": "lab"}
    recipe = {"mixture": "m", "evaluate": [{"select": "toy/qa", "split": split}], **more}
    library = loaded(tmp_path, recipe, **overlays)
    overlay = library.overlays.get("lab")
    assert splits_of_task(library.tasks(overlay)["toy/qa"], overlay) == known
    made = library.recipes["r"]
    place = made.document.span(("evaluate", 0, "split"))
    assert [d.code for d in check_recipe(library, made) if d.span == place] == codes


@pytest.mark.parametrize(
    ("sources", "codes", "hint"),
    [
        ({"toy": {"place": "hub"}}, [], ""),
        ({"toy": {"place": "hbu"}}, ["FC301"], "did you mean 'hub'?"),
        ({"toi": {"place": "hub"}}, ["FC402"], "did you mean 'toy'?"),
        ({"squad": {"files": {"train": "x.jsonl"}}}, [], ""),  # a dataset of the built-in library
    ],
)
def test_an_overlay_names_sources_and_places(
    tmp_path: Path, sources: dict[str, Any], codes: list[str], hint: str
) -> None:
    library = loaded(tmp_path, {}, lab=sources)
    given = list(check_overlay(library, library.overlays["lab"]))
    assert [d.code for d in given] == codes
    assert all(hint in (d.hint or "") for d in given)
