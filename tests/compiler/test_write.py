"""A written build against its sources: tokens in packs, lines of examples, counts and lock."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from toys import Library, dataset_of

from flancompile.compiler.objects.build import json_digest
from flancompile.compiler.write import _some_ahead, _write_pool, template_places
from flancompile.dsl.library.library import load_library
from flancompile.store.build import Build
from flancompile.store.verify import verify

ROWS = 40
LENGTHS = {"decoder": {"pack": 600}, "encoder_decoder": {"input": 600, "target": 32}}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A task with several templates and exemplars, one with answers that differ by row, one empty."""
    made = Library(tmp_path_factory.mktemp("write") / "lib")
    made.dataset("toy", rows=ROWS)
    made.dataset("odd", rows=ROWS)
    plain = [{"name": "only", "input": "{{ question }} ü", "target": "{{ answer }}"}]
    about = dataset_of("odd")
    about["tasks"] = {
        "ask": {"signature": "question -> answer", "templates": plain, "inverted": True},
        "none": {"signature": "question -> answer", "templates": plain, "where": "false"},
    }
    made.write("datasets/odd.yaml", about)
    members = [
        {"select": "toy/qa", "rate": 2, "shots": {0: 1, 2: 1}},
        {"select": "source:odd", "rate": 1, "name": "odd ones"},
    ]
    made.mixture(*members)
    bare = {"exemplar": "{{ input }}\n{{ target }}", "query": "{{ input }}\n"}
    made.write("styles/own.yaml", {"shots": {"bare": bare}})
    for layout, lengths in LENGTHS.items():
        made.recipe(
            layout, layout=layout, lengths=lengths, size={"examples": 90}, shards={"packs": 4},
            evaluate=[{"select": "toy/qa", "max_rows": 5}], styles={"shots": ["bare"]},
        )  # fmt: skip
    return made


@pytest.fixture(scope="module", params=list(LENGTHS))
def build(library: Library, request: pytest.FixtureRequest) -> Build:
    root = library.root.parent
    return library.compile(root / request.param, root / "cache", request.param)


def lines(build: Build) -> list[dict[str, Any]]:
    return [line for batch in build.examples() for line in batch.to_pylist()]


def text(ids: Any) -> str:
    return bytes(int(i) - 3 for i in ids if i > 2).decode()


def test_a_build_is_whole(build: Build) -> None:
    assert verify(build) == []
    assert build.manifest.counts["examples"] == len(lines(build)) == 90
    assert len(build.manifest.shards) > 1


def test_tokens_in_packs_are_those_of_the_examples_rows(build: Build) -> None:
    """Rendered here by hand from the data file, at the place that the example's line gives."""
    path = build.path.parent / "lib/datasets/odd.jsonl"
    rows = {str(r["id"]): r for r in map(json.loads, path.read_text().splitlines())}
    found = [e for e in lines(build) if e["task"] == "odd/ask"]
    assert len(found) == 18
    for example in found:
        row = rows[example["row_id"]]
        number, tokens = build.example_ids(example["pack"], example["segment"])
        assert number == example["example"]
        sides = [f"{row['question']} ü".encode(), row["answer"].encode()]
        framed = [[b + 3 for b in side] + [2] for side in sides]
        if build.manifest.layout == "decoder":
            assert tokens["tokens"].tolist() == [*framed[0], *framed[1]]
        else:
            assert [tokens["inputs"].tolist(), tokens["targets"].tolist()] == framed
        assert (example["prompt_tokens"], example["target_tokens"]) == tuple(map(len, sides))


def test_the_rest_of_a_pack_is_padding(build: Build) -> None:
    packs = 0
    for index in range(len(build.packs)):
        pack = build.packs[index]
        sides = pack.loss_spans.sides.sum(axis=0)
        used = [sides.sum()] if build.manifest.layout == "decoder" else sides
        for ids, count in zip(pack.tokens.values(), used, strict=True):
            assert (ids[:count] != 0).all() and (ids[count:] == 0).all()
        packs += 1
    assert packs == build.manifest.counts["packs"]


def test_counts_of_tasks_are_those_of_their_lines(build: Build) -> None:
    by_task: dict[str, list[dict[str, Any]]] = {t.task: [] for t in build.manifest.tasks}
    for example in lines(build):
        by_task[example["task"]].append(example)
    assert {i: len(e) for i, e in by_task.items()} == {"odd/ask": 18, "odd/none": 0, "toy/qa": 72}
    for task in build.manifest.tasks:
        own = by_task[task.task]
        assert task.examples == task.examples_requested == len(own)
        assert task.shots == Counter(e["shots"] for e in own)
        assert task.shots_asked == Counter(e["shots_asked"] for e in own)
        assert task.templates == Counter(e["template"] for e in own)
        assert task.with_options == sum(e["options"] for e in own)
        assert (task.cot, task.truncated, task.inexact_targets) == (0, 0, 0)
        # The frame of this recipe has a token after the prompt and one after the target.
        assert task.prompt_tokens == sum(e["prompt_tokens"] + 1 for e in own)
        assert task.target_tokens == sum(e["target_tokens"] + 1 for e in own)
        assert task.passes == round(len(own) / ROWS, 6)
        assert task.share_realised == len(own) / 90
        assert {e["inverted"] for e in own} <= {task.inverted}
    members = {t.task: (t.member, t.inverted, t.rows) for t in build.manifest.tasks}
    assert members["odd/ask"] == ("m/odd ones", True, ROWS)
    assert members["toy/qa"] == ("m/toy/qa", False, ROWS)
    assert build.manifest.empty == ("odd/none",)
    counts = build.manifest.counts
    assert counts["tokens"] == sum(t.prompt_tokens + t.target_tokens for t in build.manifest.tasks)
    assert counts["target_tokens"] == sum(t.target_tokens for t in build.manifest.tasks)


def test_exemplars_of_an_example_are_rows_of_its_prompt(build: Build) -> None:
    names = build.exemplar_names("toy/qa")
    path = build.path.parent / "lib/datasets/toy.jsonl"
    questions = {
        str(r["id"]): r["question"] for r in map(json.loads, path.read_text().splitlines())
    }
    shown = [e for e in lines(build) if e["exemplars"]]
    assert len(shown) > 10
    for example in shown:
        prompt = text(build.content(example["pack"], example["segment"])[0])
        assert len(example["exemplars"]) == example["shots"]
        assert all(questions[names[digest]] in prompt for digest in example["exemplars"])


def test_the_lock_names_what_the_build_was_made_of(build: Build, library: Library) -> None:
    lock = json.loads((build.path / "recipe.lock").read_text())
    assert lock["recipe"] == json.loads(json.dumps(lock["recipe"], sort_keys=True))
    assert lock["recipe"]["size"]["examples"] == 90
    assert lock["tokenizer"] == build.manifest.tokenizer.digest
    assert {k: (s["rows"], s["kept"]) for k, s in lock["sources"].items()} == {
        "odd:train": (ROWS, ROWS), "toy:train": (ROWS, ROWS),
    }  # fmt: skip
    file = library.root / "datasets/odd.yaml"
    digest = json_digest(file.read_text().rstrip("\n").split("\n"))
    assert lock["library"]["datasets/odd.yaml"] == digest
    place = build.template_places("odd/ask")["only"]
    path, line = place.rsplit(":", 1)
    assert path == "datasets/odd.yaml"
    assert "only" in file.read_text().splitlines()[int(line) - 1]
    assert set(lock["versions"]) >= {"flancompile", "pyarrow", "numpy", "tokenizers"}


def test_the_run_file_has_the_times_of_each_pass(build: Build) -> None:
    run = json.loads((build.path / "run.json").read_text())
    assert {"plan", "read", "render and tokenise", "link", "pack", "write", "ledger"} <= set(
        run["seconds"]
    )
    assert run["objects_built"] + run["objects_found"] >= 3
    assert sum(run["work"]["rows"].values()) >= 90
    assert "run.json" not in {f.path for f in build.manifest.files()}


def test_both_layouts_hold_the_same_examples(library: Library, build: Build) -> None:
    other = Build.open(library.root.parent / "decoder")
    keys = ("task", "row", "pass", "template", "exemplars")
    pairs = [
        sorted(tuple(map(str, (e[k] for k in keys))) for e in lines(b)) for b in (build, other)
    ]
    assert pairs[0] == pairs[1]


def test_templates_are_placed_where_they_are_written(tmp_path: Path) -> None:
    made = Library(tmp_path / "l")
    made.dataset()
    loaded, _ = load_library([made.root])
    found = template_places(loaded.tasks()["toy/qa"])
    written = (made.root / "datasets/toy.yaml").read_text().splitlines()
    assert list(found) == ["plain", "pick"]
    for name, place in found.items():
        path, line = place.rsplit(":", 1)
        assert path == "datasets/toy.yaml"
        assert yaml.safe_load(written[int(line) - 1].strip().removeprefix("- ")) == {"name": name}


def slow_square(started: list[int], n: int) -> int:
    started.append(n)
    time.sleep(0.003 * (n % 3))
    if n == 13:
        raise ValueError("no 13")
    return n * n


@pytest.mark.parametrize("count", [0, 1, 8, 9, 12])
def test_results_of_threads_are_in_the_items_order(count: int) -> None:
    with _write_pool(3) as pool:
        found = list(_some_ahead(pool, partial(slow_square, []), range(count)))
    assert found == [n * n for n in range(count)]


def test_only_a_few_items_are_computed_ahead() -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for n in range(13):
            given.append(n)
            yield n

    given: list[int] = []
    with _write_pool(1) as pool:
        results = _some_ahead(pool, partial(slow_square, started), items())
        assert next(results) == 0
        assert len(given) == 9  # the one that is returned, and 8 ahead
        assert list(results) == [n * n for n in range(1, 13)]


def test_an_error_of_one_item_ends_the_rest() -> None:
    started: list[int] = []
    with pytest.raises(ValueError, match="no 13"), _write_pool(1) as pool:
        list(_some_ahead(pool, partial(slow_square, started), range(10_000)))
    assert 14 <= len(started) <= 14 + 9
