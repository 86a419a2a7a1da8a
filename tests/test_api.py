"""The commands as functions: values, and errors before any work."""

import json
from pathlib import Path
from typing import Any

import pytest
from toys import Library

from flancompile import api
from flancompile.dsl.models.mixture import Size
from flancompile.errors import FlancompileError
from flancompile.store.verify import verify


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("library"))
    made.dataset(rows=60)
    made.mixture()
    made.recipe(size={"examples": 30})
    made.recipe("e", layout="encoder_decoder", lengths={"input": 256, "target": 32})
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_check_finds_mistakes_in_folders_files_and_runs(library: Library, tmp_path: Path) -> None:
    assert api.check(library.root) == []
    made = Library(tmp_path)
    made.dataset()
    made.write("datasets/bad.yaml", {"datset": "bad"})
    loose = made.write("run.yaml", {"run": "r", "stepz": 1})
    codes = {d.code for d in api.check(made.root, loose)}
    assert {"FC105", "FC106"} <= codes
    assert {Path(d.span.path).name for d in api.check(made.root, loose) if d.span} == {
        "bad.yaml", "run.yaml",
    }  # fmt: skip


def test_a_plan_forecasts_the_compile(library: Library, cache: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    made = api.plan("r", library=[library.root], cache=cache)
    build = api.compile(
        "r", tmp_path / "b", library=[library.root], cache=cache,
        progress=lambda stage, done, total: stages.append(stage),
    )  # fmt: skip
    assert sum(t.examples for t in made.tasks) == build.manifest.counts["examples"] == 30
    assert "write" in stages
    assert (build.path / "report.html").is_file()
    assert verify(api.open(tmp_path / "b")) == []


def test_settings_replace_keys_of_the_recipe(library: Library, cache: Path, tmp_path: Path) -> None:
    means: dict[str, Any] = {"library": [library.root], "cache": cache}
    plain = api.compile("r", tmp_path / "a", **means)
    build = api.compile("r", tmp_path / "b", settings={"seed": 7}, **means)
    assert (plain.manifest.recipe["seed"], build.manifest.recipe["seed"]) == (1, 7)
    assert build.manifest.root_digest != plain.manifest.root_digest
    with pytest.raises(FlancompileError) as caught:
        api.compile("e", tmp_path / "b", **means)
    assert caught.value.code == "FC502"
    assert api.open(tmp_path / "b").manifest == build.manifest  # a failure leaves it unchanged


@pytest.mark.parametrize(
    ("settings", "code", "hint"),
    [
        ({"sise": {"examples": 3}}, "FC105", "size"),
        ({"size": {"exmples": 3}}, "FC105", "examples"),
        ({"seed": "one"}, "FC201", "seed"),
        ({"missing": "leave_it"}, "FC201", "leave_out"),
    ],
)
def test_settings_are_checked_as_keys_of_the_file_are(
    library: Library, settings: dict[str, Any], code: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FlancompileError) as caught:
        api.compile("r", tmp_path / "b", library=[library.root], settings=settings)
    assert caught.value.code == code
    assert hint in str(caught.value)
    assert not (tmp_path / "b").exists()


def test_settings_may_be_mappings(library: Library, cache: Path, tmp_path: Path) -> None:
    means: dict[str, Any] = {"library": [library.root], "cache": cache}
    build = api.compile("r", tmp_path / "b", settings={"size": {"examples": 12}}, **means)
    assert build.manifest.counts["examples"] == 12
    whole = api.compile("r", tmp_path / "c", settings={"size": Size(examples=12)}, **means)
    assert whole.manifest.root_digest == build.manifest.root_digest


def test_runs_are_evaluated_on_fitting_builds_only(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    means: dict[str, Any] = {"library": [library.root], "cache": cache}
    build = api.compile("r", tmp_path / "b", **means)
    other = api.compile("e", tmp_path / "e", **means)
    run = tmp_path / "run"
    run.mkdir()
    about: dict[str, Any] = {
        "build": str(tmp_path / "moved"),
        "tokenizer": build.manifest.tokenizer.digest,
    }
    about |= {"root_digest": build.manifest.root_digest, "run": {}, "mesh": {}, "vocab": 0}
    about["tasks"] = []
    (run / "run.json").write_text(json.dumps(about))
    for named, code in ((None, "FC504"), (other.path, "FC601")):
        with pytest.raises(FlancompileError) as caught:
            api.evaluate_run(run, build=named)
        assert caught.value.code == code
    (run / "run.json").write_text(json.dumps({**about, "tokenizer": "another"}))
    with pytest.raises(FlancompileError) as caught:
        api.evaluate_run(run, build=build.path)
    assert caught.value.code == "FC602"
