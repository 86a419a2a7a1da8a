"""A forecast beside the compile that it foresees."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

import flancompile
from flancompile.forecast.forecast import Plan
from flancompile.store.manifest import Manifest

SIZES: dict[str, dict[str, Any]] = {
    "examples": {"examples": 301},
    "tokens": {"tokens": 20_000},
    "target tokens": {"target_tokens": 3_000},
    "passes": {"passes": 2},
    "passes over one": {"passes": 1.5, "over": "few"},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Two datasets; every fifth row of `other` gives no example, and `third` is held out."""
    made = Library(tmp_path_factory.mktemp("library"))
    made.dataset("toy", rows=120)
    about = dataset_of("other")
    about["tasks"]["qa"]["signature"] = "question, note -> answer"
    about["tasks"]["qa"]["templates"] = [
        {"name": "noted", "input": "{{ question }} {{ note }}", "target": "{{ answer }}"},
        {"name": "looped", "input": "{% for w in question.split(' ') %}{% if loop.changed(w) %}{{ w }} {% endif %}{% endfor %}{{ note }}",
         "target": "{{ answer }}"},
    ]  # fmt: skip
    made.dataset("other", rows=50)
    made.write("datasets/other.yaml", about)
    made.dataset("third", rows=20)
    many = {"select": "source:toy", "rate": 3, "name": "many"}
    few = {"select": "source:other or source:third", "rate": 1, "name": "few"}
    hold_out = [{"select": "source:third"}]
    made.mixture(many, few, hold_out=hold_out, shots={0: 1, 2: 1})
    for id_, more in (("by_tokens", {"rate_in": "target_tokens"}), ("limited", {})):
        members = [{**many, "max_passes": 1.5}, few] if id_ == "limited" else [many, few]
        about = {"mixture": id_, "members": members, "hold_out": hold_out, **more}
        made.write(f"mixtures/{id_}.yaml", about)
    return made


def both(library: Library, name: str, **recipe: Any) -> tuple[Plan, Manifest]:
    """The forecast of a recipe, and the manifest of its build."""
    library.recipe(name, **recipe)
    cache = library.root / "cache"
    plan = flancompile.plan(name, library=[library.root], cache=cache)
    return plan, library.compile(library.root / "builds" / name, cache, name).manifest


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ("examples", "decoder"),
        ("tokens", "encoder_decoder"),
        ("target tokens", "decoder"),
        ("passes", "encoder_decoder"),
        ("passes over one", "decoder"),
    ],
)
def test_a_forecast_of_whole_tasks_is_near_the_build(
    library: Library, size: str, layout: str
) -> None:
    lengths = {"pack": 1024} if layout == "decoder" else {"input": 768, "target": 256}
    name = f"{size.replace(' ', '_')}_{layout[:3]}"
    plan, manifest = both(library, name, size=SIZES[size], layout=layout, lengths=lengths)
    counts = manifest.counts
    exact = "tokens" not in size
    assert plan.examples == pytest.approx(counts["examples"], rel=0 if exact else 0.1)
    assert plan.tokens == pytest.approx(counts["tokens"], rel=0.05 if exact else 0.12)
    assert plan.target_tokens == pytest.approx(counts["target_tokens"], rel=0.12)
    assert 0.7 * counts["packs"] <= plan.packs <= 1.1 * counts["packs"]
    assert plan.held_out.keys() == {"third/qa"}
    tasks = {t.task: t for t in manifest.tasks}
    assert [t.task for t in plan.tasks] == ["other/qa", "toy/qa"]
    for one in plan.tasks:
        built = tasks[one.task]
        assert (one.member, one.rows) == (built.member, built.rows)
        assert one.share == pytest.approx(built.share_requested)
        assert one.examples == pytest.approx(built.examples, rel=0 if exact else 0.1)
    assert [t.usable_share for t in plan.tasks] == [0.8, 1.0]


def test_balance_in_target_tokens(library: Library) -> None:
    plan, manifest = both(library, "b", mixture="by_tokens", size={"examples": 200})
    assert plan.examples == manifest.counts["examples"] == 200
    tasks = {t.task: t.examples for t in manifest.tasks}
    for one in plan.tasks:
        assert one.examples == pytest.approx(tasks[one.task], abs=3)
    sides = [t.examples * t.mean_target_tokens for t in plan.tasks]
    assert sides[0] / sum(sides) == pytest.approx(0.25, abs=0.02)


def test_a_limit_of_passes_holds(library: Library) -> None:
    plan, manifest = both(library, "l", mixture="limited", size={"examples": 400})
    tasks = {t.task: t.examples for t in manifest.tasks}
    assert tasks["toy/qa"] == 180
    assert {t.task: t.examples for t in plan.tasks} == tasks
    assert plan.examples == manifest.counts["examples"]


def test_packs_that_hold_few_examples(library: Library) -> None:
    few = {"max_examples": 2}
    plan, manifest = both(
        library, "few", size={"examples": 99}, lengths={"pack": 2048}, packing=few
    )
    assert plan.packs == manifest.counts["packs"] == 50
    plan, manifest = both(library, "one", size={"examples": 9}, packing={"enabled": False})
    assert plan.packs == manifest.counts["packs"] == 9
    assert plan.bytes == 9 * 512 * 2
    assert [plan.steps(n) for n in (1, 4, 9, 10)] == [9, 3, 1, 1]


def test_templates_that_the_row_engine_renders_are_named(library: Library) -> None:
    library.recipe("t")
    plan = flancompile.plan("t", library=[library.root], cache=library.root / "cache")
    assert plan.templates == 4
    (one,) = plan.by_row
    assert (one.task, one.template, one.reason) == (
        "other/qa",
        "looped",
        "input: a loop's own methods",
    )
    assert plan.as_dict()["by_row"] == (asdict(one),)
    assert math.isfinite(plan.seconds)


def test_a_forecast_leaves_no_build(library: Library, tmp_path: Path) -> None:
    library.recipe("n")
    before = sorted(p.name for p in library.root.iterdir())
    flancompile.plan("n", library=[library.root], cache=tmp_path)
    assert sorted(p.name for p in library.root.iterdir()) == before
