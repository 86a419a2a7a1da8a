"""Training and evaluating by the real command line, and what goes wrong there."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import CODE, load, run
from toys import Library

from flancompile.evaluate.results import read_answers
from flancompile.trainer.log import read_metrics

MODEL = {"layers": 1, "width": 16, "heads": 2, "mlp": 32}


def write_run(home: Path, name: str = "t", **more: Any) -> None:
    about = {
        "run": name, "build": "build", "model": MODEL, "steps": 4, "batch_packs": 8, "log_steps": 2,
        "compute": "float32", "optimizer": {"learning_rate": 0.02},
        "evaluation": {"max_new_tokens": 4, "batch_rows": 4}, **more,
    }  # fmt: skip
    (home / f"{name}.yaml").write_text(yaml.safe_dump(about, sort_keys=False))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = Library(tmp_path_factory.mktemp("home"))
    library.dataset()
    library.mixture()
    about = [{"select": "all", "split": "validation", "max_rows": 5}]
    library.recipe(lengths={"pack": 256}, evaluate=about)
    run("compile", "r", "--out", "build", cwd=library.root)
    write_run(library.root)
    return library.root


@pytest.fixture(scope="module")
def trained(home: Path) -> Path:
    text = run("train", "t.yaml", cwd=home)
    assert "step 4: loss" in text
    assert "report.html" in text
    return home / "runs" / "t"


@pytest.mark.slow
def test_a_run_leaves_metrics_checkpoints_and_a_report(trained: Path) -> None:
    assert [m["step"] for m in read_metrics(trained)] == [2, 4]
    assert (trained / "checkpoints").is_dir()
    page = (trained / "report.html").read_text()
    assert "<polyline" in page and "loss, nats a target" in page
    assert "<h2>Evaluation</h2>" not in page
    assert not re.search(r'(?:src|href)="', page), "the page is to work offline"


@pytest.mark.slow
def test_eval_scores_each_task_beside_its_baselines(home: Path, trained: Path) -> None:
    (found,) = load("eval", "runs/t", cwd=home)
    assert found["task"] == "toy/qa" and found["trained"]["rows"] == 5
    assert found["untrained"]["low"] <= found["untrained"]["mean"] <= found["untrained"]["high"]
    kept = json.loads((trained / "evaluation/scores.json").read_text())
    assert kept["tasks"] == [found] and kept["step"] == 4
    answers = read_answers(trained, "toy/qa")
    assert len(answers) == 5 and answers["prompt"][0].as_py()
    assert sum(answers["score"].to_pylist()) / 5 == found["trained"]["mean"]
    page = (trained / "report.html").read_text()
    assert "Evaluation" in page and "toy/qa: answers" in page
    text = run("eval", "runs/t", "--max-rows", "2", cwd=home)
    assert "evaluation sets are above chance" in text


@pytest.mark.slow
def test_a_stopped_run_goes_on(home: Path) -> None:
    write_run(home, "long", steps=4000, log_steps=1)
    command = [sys.executable, "-c", CODE, "train", "long.yaml"]
    process = subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "/4000" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "resumes from here" in errors and "Traceback" not in errors
    done = read_metrics(home / "runs/long")[-1]["step"]
    write_run(home, "long", steps=done + 2, log_steps=1)
    run("train", "long.yaml", cwd=home)
    assert [m["step"] for m in read_metrics(home / "runs/long")] == list(range(1, done + 3))


def complaint(home: Path, *words: str) -> str:
    text = run(*words, cwd=home, ok=2)
    assert "Traceback" not in text
    assert "help:" in text
    return text


@pytest.mark.slow
def test_mistakes_are_told_before_anything_starts(home: Path, tmp_path: Path) -> None:
    write_run(home, "typo", optimiser={"learning_rate": 1})
    text = complaint(home, "train", "typo.yaml")
    assert "typo.yaml:" in text and "FC105" in text and "did you mean 'optimizer'" in text
    assert "FC105" in run("check", "typo.yaml", cwd=home, ok=1)
    assert "FC402" in complaint(home, "train", "tt.yaml")
    write_run(home, "lost", build="biuld")
    assert "did you mean 'build'?" in complaint(home, "train", "lost.yaml")
    write_run(home, "small", model={**MODEL, "vocab_size": 100, "max_length": 128})
    text = complaint(home, "train", "small.yaml")
    assert "FC602" in text and "FC603" in text and "vocab_size: 259" in text
    assert not (home / "runs" / "small").exists()
    assert "FC605" in complaint(home, "eval", "runs/small")
    (home / "tokenizer.json").write_text("{}")
    write_run(home, "unreadable", tokenizer="tokenizer.json")
    assert "FC412" in complaint(home, "train", "unreadable.yaml")
    write_run(home, "away", tokenizer="tokeniser.json")
    text = complaint(home, "train", "away.yaml")
    assert "away.yaml:" in text and "FC412" in text and "did you mean 'tokenizer.json'?" in text
    write_run(home, "nowhere", tokenizer="models/spiece.model")
    assert "there is no folder" in complaint(home, "train", "nowhere.yaml")


def test_a_recipe_whose_tokenizer_is_not_there_says_what_is(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset()
    library.mixture()
    library.recipe(tokenizer={"file": "tokeniser.json"})
    text = complaint(tmp_path, "compile", "r", "--out", "build")
    assert "recipes/r.yaml:" in text and "FC412" in text and "give a file" in text
    (tmp_path / "recipes/tokenizer.json").write_text("{}")
    text = complaint(tmp_path, "compile", "r", "--out", "build")
    assert "did you mean 'tokenizer.json'?" in text


@pytest.mark.slow
def test_a_build_that_was_moved_is_to_be_named(home: Path, trained: Path) -> None:
    (home / "build").rename(home / "moved")
    try:
        text = complaint(home, "eval", "runs/t")
        assert "FC504" in text and "--build FOLDER" in text
        load("eval", "runs/t", "--build", "moved", "--max-rows", "1", cwd=home)
    finally:
        (home / "moved").rename(home / "build")


@pytest.mark.slow
def test_scores_of_another_build_name_it_and_the_report_keeps_the_run_s(
    home: Path, trained: Path
) -> None:
    library = Library(home / "bigger")
    library.dataset(rows=250)
    library.mixture()
    library.recipe(
        lengths={"pack": 256}, size={"examples": 345},
        evaluate=[{"select": "all", "split": "validation", "max_rows": 2}],
    )  # fmt: skip
    run("compile", "r", "--out", "build", cwd=library.root)
    load("eval", "runs/t", "--build", "bigger/build", cwd=home)
    other = json.loads((home / "bigger/build/manifest.json").read_text())
    own = json.loads((home / "build/manifest.json").read_text())
    kept = json.loads((trained / "evaluation/scores.json").read_text())
    assert kept["root_digest"] == other["root_digest"]
    page = (trained / "report.html").read_text()
    assert "300 examples" in page and "345 examples" not in page
    assert f"bigger/build (build {other['root_digest'][:16]})" in page
    load("eval", "runs/t", cwd=home)
    page = (trained / "report.html").read_text()
    assert own["root_digest"][:16] in page and other["root_digest"][:16] not in page


@pytest.mark.slow
def test_a_wrong_tokenizer_is_refused(home: Path) -> None:
    library = Library(home / "other")
    library.dataset()
    library.mixture()
    library.recipe(tokenizer={"train": "bpe", "vocab_size": 300})
    run("compile", "r", "--out", "learnt", cwd=library.root)
    write_run(home, "wrong", tokenizer="other/learnt")
    text = complaint(home, "train", "wrong.yaml")
    assert "FC602" in text and "another tokenizer" in text and "wrong.yaml:" in text
    write_run(home, "right", tokenizer="build", steps=1)
    run("train", "right.yaml", cwd=home)
    text = complaint(home, "eval", "runs/right", "--build", "other/learnt")
    assert "FC602" in text and "has another tokenizer" in text


@pytest.mark.slow
def test_an_encoder_decoder_build_is_refused(home: Path) -> None:
    library = Library(home)
    library.recipe("ed", layout="encoder_decoder", lengths={"input": 128, "target": 64})
    run("compile", "ed", "--out", "ed", cwd=home)
    write_run(home, "ed", build="ed")
    assert "FC601" in complaint(home, "train", "ed.yaml")
    write_run(home, "decoder", steps=1)
    run("train", "decoder.yaml", cwd=home)
    text = complaint(home, "eval", "runs/decoder", "--build", "ed")
    assert "FC601" in text and "layout: decoder" in text


@pytest.mark.slow
def test_a_build_without_evaluation_says_so(home: Path) -> None:
    library = Library(home)
    library.recipe("bare")
    run("compile", "bare", "--out", "bare", cwd=home)
    write_run(home, "bare", build="bare", steps=1)
    run("train", "bare.yaml", cwd=home)
    assert "FC612" in complaint(home, "eval", "runs/bare")
