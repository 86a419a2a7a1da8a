"""Evaluation of a build by a model and by the model before training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toys import Library

from flancompile.errors import FlancompileError
from flancompile.evaluate.results import read_answers, read_scores
from flancompile.evaluate.run import evaluate_build
from flancompile.store.build import Build


class Constant:
    """Model that answers every prompt with the same bytes."""

    def __init__(self, text: str) -> None:
        self.ids = np.frombuffer(text.encode(), np.uint8) + np.uint32(3)

    def generate(self, prompts: Any, max_new_tokens: int, progress: Any) -> list[Any]:
        progress(len(prompts))
        return [self.ids[:max_new_tokens]] * len(prompts)


def models(**more: Any) -> Any:
    settings = SimpleNamespace(max_new_tokens=8, max_rows=None, untrained=True)
    about = {
        "step": 7, "tasks": frozenset(("toy/qa",)), "evaluation": settings,
        "trained": Constant("0"), "untrained": Constant("no"), **more,
    }  # fmt: skip
    return SimpleNamespace(**about)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    root = tmp_path_factory.mktemp("evaluate")
    library = Library(root / "lib")
    library.dataset(rows=40)
    library.mixture({"select": "all"})
    library.recipe(evaluate=[{"select": "all", "split": "validation", "max_rows": 12}])
    return library.compile(root / "build", root / "cache")


def test_both_models_answer_and_scores_are_written(build: Build, tmp_path: Path) -> None:
    events: list[Any] = []
    results = evaluate_build(build, models(), tmp_path, progress=lambda *e: events.append(e))
    entries = build.manifest.evaluation
    assert [r.name for r in results] == [e.name for e in entries] and results
    for result, entry in zip(results, entries, strict=True):
        assert result.trained.rows == entry.rows == 12 and not result.held_out
        table = read_answers(tmp_path, entry.name)
        assert table["answer"].to_pylist() == ["0"] * 12
        right = ["0" in accepted for accepted in table["accepted"].to_pylist()]
        assert table["score"].to_pylist() == [float(r) for r in right]
        assert read_answers(tmp_path, entry.name, "untrained")["output"].to_pylist() == ["no"] * 12
        assert (f"{entry.name} (trained)", 12, 12) in events
    scores = read_scores(tmp_path)
    assert scores is not None and scores["step"] == 7
    assert scores["root_digest"] == build.manifest.root_digest
    assert scores["tasks"] == [r.as_dict() for r in results]


def test_rows_are_limited_and_the_untrained_model_is_optional(build: Build, tmp_path: Path) -> None:
    settings = SimpleNamespace(max_new_tokens=8, max_rows=5, untrained=False)
    some = models(evaluation=settings, tasks=frozenset())
    (first, *_) = evaluate_build(build, some, tmp_path)
    assert (first.trained.rows, first.untrained, first.held_out) == (5, None, True)
    (first, *_) = evaluate_build(build, some, tmp_path, max_rows=3)
    assert first.trained.rows == 3


def test_a_build_without_evaluation_tasks_is_refused(tmp_path: Path) -> None:
    library = Library(tmp_path / "lib")
    library.dataset(rows=20)
    library.mixture()
    library.recipe()
    build = library.compile(tmp_path / "build", tmp_path / "cache")
    with pytest.raises(FlancompileError, match=r"FC612.*has no evaluation tasks"):
        evaluate_build(build, models(), tmp_path)
