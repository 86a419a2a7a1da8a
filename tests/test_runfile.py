"""Run files: found by id and by path, with the spans of refused settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.runfile import check_runs, is_run_file, load_run

RUN: dict[str, Any] = {
    "run": "small", "steps": 2, "batch_packs": 1,
    "model": {"layers": 1, "width": 8, "heads": 2, "mlp": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("home"))
    made.dataset(rows=40)
    made.mixture()
    made.recipe(size={"examples": 20})
    made.compile(made.root / "build", made.root / "cache")
    made.write("runs/small.yaml", {**RUN, "build": "../build"})
    return made


def refused(attempt: Callable[[], object]) -> FlancompileError:
    with pytest.raises(FlancompileError) as caught:
        attempt()
    return caught.value


def test_a_run_is_found_by_id_and_by_path(library: Library) -> None:
    path = library.root / "runs" / "small.yaml"
    by_id, by_path = load_run("small", [library.root]), load_run(path)
    assert by_id.run == by_path.run
    assert by_id.folder == by_path.folder == path.parent
    assert by_id.run.steps == 2


def test_an_unknown_run_names_the_nearest(library: Library) -> None:
    error = refused(lambda: load_run("smal", [library.root]))
    assert error.code == "FC402" and "did you mean 'small'?" in str(error)
    error = refused(lambda: load_run(library.root / "runs" / "samll.yaml"))
    assert error.code == "FC402" and "did you mean 'small.yaml'?" in str(error)
    error = refused(lambda: load_run("zebra", [library.root]))
    assert "known: small" in str(error)


def test_the_build_is_relative_to_the_file(library: Library, tmp_path: Path) -> None:
    file = load_run("small", [library.root])
    build = file.build()
    assert build.path.resolve() == (library.root / "build").resolve()
    assert file.build(build.path).manifest == build.manifest
    file.check(build)
    other = Library(tmp_path)
    other.write("runs/bare.yaml", {**RUN, "run": "bare"})
    error = refused(load_run("bare", [other.root]).build)
    span = error.diagnostics[0].span
    assert error.code == "FC605" and span is not None and span.path.endswith("bare.yaml")


def test_a_run_that_does_not_fit_its_build_is_refused_at_its_key(
    library: Library, tmp_path: Path
) -> None:
    made = Library(tmp_path)
    path = made.write("runs/short.yaml", {**RUN, "model": {**RUN["model"], "max_length": 8}})
    error = refused(lambda: load_run(path).check(load_run("small", [library.root]).build()))
    (found,) = error.diagnostics
    assert found.code == "FC603" and found.span is not None
    line = path.read_text().splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 :].startswith("8")


def test_checks_report_each_file_and_go_on(tmp_path: Path) -> None:
    made = Library(tmp_path)
    made.write("runs/good.yaml", RUN)
    made.write("runs/typo.yaml", {**RUN, "stepz": 3})
    (tmp_path / "runs" / "void.yaml").write_text("")
    loose = made.write("loose.yaml", {**RUN, "steps": 0})
    codes = {Path(d.span.path).name: d.code for d in check_runs([tmp_path, loose]) if d.span}
    assert codes == {"typo.yaml": "FC105", "void.yaml": "FC108", "loose.yaml": "FC201"}
    assert is_run_file(loose) and is_run_file(tmp_path / "runs" / "typo.yaml")
    assert not is_run_file(tmp_path / "runs" / "void.yaml")
    (tmp_path / "broken.yaml").write_text("run: [")
    assert not is_run_file(tmp_path / "broken.yaml")
