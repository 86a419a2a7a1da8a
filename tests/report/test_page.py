"""report.html of a build."""

from pathlib import Path

import pytest
from toys import Library

from flancompile.report.page import BINS, SAMPLES, _lengths, _samples, write_report
from flancompile.store.build import Build
from flancompile.tokenizer.load import load_folder


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    root = tmp_path_factory.mktemp("report")
    library = Library(root / "lib")
    library.dataset()
    library.mixture({"select": "all"})
    library.recipe(lengths={"pack": 256})
    return library.compile(root / "build", root / "cache")


def test_histograms_count_every_example(build: Build) -> None:
    found = _lengths(build)
    assert [f["name"] for f in found] == ["prompt tokens", "target tokens"]
    for side in found:
        assert len(side["bars"]) == BINS
        assert sum(b["n"] for b in side["bars"]) == build.manifest.counts["examples"]
        assert max(b["h"] for b in side["bars"]) == 40
        assert side["bars"][-1]["high"] == side["most"] >= side["p95"] >= 1


def test_samples_are_examples_split_at_their_targets(build: Build) -> None:
    decode = load_folder(build.tokenizer_folder).decode
    found = _samples(build, decode)
    assert len(found) == SAMPLES
    for sample in found:
        (prompt, in_prompt), (target, in_target), *_ = sample["runs"]
        assert (in_prompt, in_target) == (False, True)
        assert "plus" in prompt and target.removesuffix("</s>").strip().lstrip("(")


def test_the_page_is_self_contained(build: Build, tmp_path: Path) -> None:
    write_report(build, load_folder(build.tokenizer_folder).decode)
    text = (build.path / "report.html").read_text()
    assert build.manifest.root_digest[:16] in text and "toy/qa" in text
    assert "http://" not in text.replace("http://www.w3.org", "") and "<script src" not in text
    assert not (build.path / ".report.html").exists()
