"""Requests: a recipe's library, settings in place of its keys, stages and their progress."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile.compiler.cache import Cache
from flancompile.compiler.request import (
    CompileRequest,
    bare_request,
    ladder_request,
    library_of,
    request_of,
)
from flancompile.dsl.models.mixture import Lengths, Size
from flancompile.dsl.yaml.dump import Dumper
from flancompile.errors import FlancompileError


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("request") / "lib")
    made.dataset(rows=3)
    made.mixture()
    made.recipe()
    made.recipe("e", overlay="one")
    for name in ("one", "two"):
        sources = {"toy": {"files": {"train": f"{name}.jsonl"}}}
        made.write(f"overlays/{name}.yaml", {"overlay": name, "sources": sources})
    return made


def asked(library: Library, recipe: str = "r", **more: Any) -> CompileRequest:
    return request_of(recipe, library=(library.root,), **more)


def test_a_recipe_is_found_by_its_id_and_by_its_file(library: Library, tmp_path: Path) -> None:
    file = library.root / "recipes/r.yaml"
    by_id, by_file = asked(library), request_of(file)  # a file brings the library that it is in
    assert by_id.recipe.model == by_file.recipe.model
    assert set(by_file.tasks) == {"toy/qa"} == set(by_id.tasks)
    assert request_of(str(file), library=(library.root,)).recipe.id == "r"  # the library once
    about = {**yaml.safe_load(file.read_text()), "recipe": "loose"}
    loose = tmp_path / "any.yml"
    loose.write_text(yaml.safe_dump(about))
    assert library_of(loose, (library.root,))[1] == "loose"


@pytest.mark.parametrize(
    ("recipe", "code", "message"),
    [
        ("q", "FC402", "no recipe 'q'"),
        ("gone/r.yaml", "FC402", "no recipe file 'gone/r.yaml'"),
    ],
)
def test_a_recipe_that_is_not_there(library: Library, recipe: str, code: str, message: str) -> None:
    with pytest.raises(FlancompileError, match=message) as caught:
        asked(library, recipe)
    assert caught.value.code == code


def test_files_with_errors_are_no_library(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.mixture()
    made.recipe(sizes={})
    with pytest.raises(
        FlancompileError, match=r"r\.yaml:\d+:\d+: error FC105: unknown key 'sizes'"
    ):
        asked(made)


@pytest.mark.parametrize(
    ("recipe", "overlay", "wanted"), [("r", None, None), ("e", None, "one"), ("e", "two", "two"), ("r", "two", "two")]
)  # fmt: skip
def test_an_overlay_that_is_asked_for_comes_before_the_recipes(
    library: Library, recipe: str, overlay: str | None, wanted: str | None
) -> None:
    found = asked(library, recipe, overlay=overlay).overlay
    assert (None if found is None else found.id) == wanted


def test_an_overlay_that_is_not_there_is_reported_where_it_is_named(library: Library) -> None:
    library.recipe("lost", overlay="three")
    try:
        with pytest.raises(FlancompileError, match=r"lost\.yaml:\d+:\d+: error FC402") as caught:
            asked(library, "lost")
        (diagnostic,) = caught.value.diagnostics
        lines = (library.root / "recipes/lost.yaml").read_text().splitlines()
        assert diagnostic.span is not None and "overlay: three" in lines[diagnostic.span.line - 1]
        with pytest.raises(FlancompileError) as caught:
            asked(library, "lost", overlay="four")
        (diagnostic,) = caught.value.diagnostics
        assert "'four'" in diagnostic.message and diagnostic.span is None  # of the command line
    finally:
        (library.root / "recipes/lost.yaml").unlink()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 9),
        "description": TEXTS | st.sampled_from(["no", "1e3", "null", "- a", "a: b", "#", "'"]),
        "size": st.sampled_from(
            [{"examples": 7}, Size(examples=7), {"passes": 0.5}, Size(tokens=9)]
        ),
        "lengths": st.sampled_from([{"pack": 64}, Lengths(pack=64), Lengths(pack=64, example=32)]),
        "hold_out_clusters": st.sampled_from([["arithmetic"], ("arithmetic",), {"b", "a"}]),
    },
)


@settings(max_examples=40)
@given(SETTINGS)
def test_settings_are_keys_of_the_file(library: Library, changes: dict[str, Any]) -> None:
    given_ = asked(library, settings=changes).recipe.model
    data = yaml.safe_load((library.root / "recipes/r.yaml").read_text())
    for key, value in changes.items():
        plain = value.model_dump(exclude_unset=True) if isinstance(value, Size | Lengths) else value
        data[key] = sorted(plain) if isinstance(plain, set | tuple) else plain
    path = library.root.parent / "written.yaml"
    path.write_text(yaml.dump({**data, "recipe": "written"}, Dumper=Dumper, allow_unicode=True))
    written = request_of(path, library=(library.root,)).recipe.model
    assert given_ == written.model_copy(update={"recipe": "r"})


@pytest.mark.parametrize(
    ("changes", "code"), [({"sede": 1}, "FC105"), ({"seed": "x"}, "FC201"), ({"size": {}}, "FC201")]
)
def test_wrong_settings_are_errors_of_the_recipe(
    library: Library, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(FlancompileError) as caught:
        asked(library, settings=changes)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code and diagnostic.span is not None
    assert diagnostic.span.path.endswith("r.yaml with settings")


def test_a_stage_adds_up_its_time_and_tells_its_progress(library: Library) -> None:
    told: list[Any] = []
    request = asked(library, progress=lambda *at: told.append(at))
    for _ in range(2):
        with request.stage("read") as tell:
            time.sleep(0.002)
            tell(1, 2)
    assert told == [("read", 0, None), ("read", 1, 2)] * 2
    assert list(request.seconds) == ["read"] and request.seconds["read"] >= 0.004


def test_one_worker_is_this_process(library: Library) -> None:
    with asked(library).executor() as executor:
        assert executor is None
    with asked(library, workers=2).executor() as executor:
        assert executor is not None
        assert executor.submit(abs, -3).result() == 3


def test_only_the_files_of_used_tasks_are_checked(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.dataset("good", rows=3)
    made.dataset("bad", rows=3)
    about = dataset_of("bad")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ questoin }}"
    made.write("datasets/bad.yaml", about)
    made.mixture()
    made.recipe()
    request = asked(made)
    assert [d for d in request.check({"good/qa"}) if d.severity == "error"] == []
    with pytest.raises(FlancompileError, match="questoin"):
        request.check({"good/qa", "bad/qa"})


def test_a_ladder_is_one_epoch_of_a_mixture_without_absent_data(
    library: Library, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    request = ladder_request("m", (library.root,), "two", None, cache, None)
    recipe = request.recipe.model
    assert (recipe.mixture, recipe.size.passes, recipe.missing) == ("m", 1, "leave_out")
    assert (request.recipe.id, request.cache) == ("m", cache)
    assert request.overlay is not None and request.overlay.id == "two"
    assert recipe.tokenizer.bytes


def test_a_bare_request_has_tasks_and_no_recipe(library: Library, tmp_path: Path) -> None:
    loose = tmp_path / "more.yaml"
    loose.write_text(yaml.safe_dump(dataset_of("more")))
    request = bare_request((library.root,), None, seed=4, loose=[loose])
    assert sorted(request.tasks) == ["more/qa", "toy/qa"]
    assert (request.recipe.model.seed, request.overlay) == (4, None)
    with pytest.raises(FlancompileError, match="FC402"):
        bare_request((library.root,), "three")
