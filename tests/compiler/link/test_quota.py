"""Counts of examples: largest remainders, sizes in tokens and epochs, limits; against naive counts."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_streams import Row, stream_of
from toys import Library, change, dataset_of

from flancompile.compiler.link.quota import Quotas, apportion, quotas
from flancompile.compiler.objects.streams import Streams
from flancompile.compiler.plan.feasibility import check_size
from flancompile.compiler.plan.members import Node
from flancompile.dsl.library.library import Loaded
from flancompile.dsl.models.mixture import Recipe, Size
from flancompile.dsl.yaml.document import parse
from flancompile.dsl.yaml.validate import validate
from flancompile.errors import FlancompileError
from flancompile.store.verify import verify

RECIPE = """recipe: r
mixture: m
layout: decoder
tokenizer: {{bytes: true}}
lengths: {{pack: 64}}
size: {size}
"""


def solve(
    folder: Path,
    tasks: Mapping[str, list[Row]],
    shares: Mapping[str, float],
    size: dict[str, Any],
    rate_in: str = "examples",
    **limits: Any,
) -> tuple[Quotas, Streams]:
    """Quotas of tasks that have one block each. limits: keywords of `stream_of`, of every task."""
    streams = Streams({i: stream_of(folder, i, [rows], **limits) for i, rows in tasks.items()})
    over = lambda member: {i: float(len(rows)) for i, rows in tasks.items() if member in (None, i)}  # noqa: E731
    return quotas(streams, shares, Size(**size), rate_in, over), streams


def tokens(streams: Streams, counts: Mapping[str, int], side: str) -> int:
    found = {i: streams.streams[i].lengths(n).sum(axis=0).tolist() for i, n in counts.items()}
    return sum(target + (prompt if side == "tokens" else 0) for prompt, target in found.values())


@settings(max_examples=80)
@given(st.integers(0, 10**6), st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_apportionment_is_exact_to_one(total: int, given_: list[float]) -> None:
    weights = {f"task {i}": weight for i, weight in enumerate(given_)}
    counts = apportion(total, weights)
    whole = sum(weights.values())
    assert sum(counts.values()) == total
    assert all(abs(counts[k] - total * w / whole) < 1 + 1e-6 for k, w in weights.items())


@settings(max_examples=80)
@given(
    st.integers(0, 500),
    st.lists(st.integers(0, 8), max_size=8),
)
def test_the_largest_remainders_get_the_rest(total: int, given_: list[int]) -> None:
    """Against exact fractions. Sums of weights are powers of two, so that floats are exact too."""
    given_ = [*given_, (1 << sum(given_).bit_length()) - sum(given_)]
    weights = {f"task {i}": weight for i, weight in enumerate(given_)}
    whole = sum(given_)
    exact = {k: Fraction(total * w, whole) for k, w in weights.items()}
    wanted = {k: int(e) for k, e in exact.items()}
    rest = total - sum(wanted.values())
    for key in sorted(exact, key=lambda k: (wanted[k] - exact[k], k))[:rest]:
        wanted[key] += 1
    assert apportion(total, weights) == wanted


def test_shares_of_nothing_give_nothing() -> None:
    assert apportion(10, {}) == {}
    assert apportion(10, {"a": 0.0, "b": 0.0}) == {"a": 0, "b": 0}
    assert apportion(0, {"a": 1.0}) == {"a": 0}


def test_a_task_without_an_example_leaves_its_share_to_the_others(tmp_path: Path) -> None:
    tasks: dict[str, list[Row]] = {"a/qa": [(3, 1)] * 5, "b/qa": ["where"] * 5, "c/qa": [(3, 1)]}
    found, _ = solve(tmp_path, tasks, {"a/qa": 0.3, "b/qa": 0.4, "c/qa": 0.3}, {"examples": 20})
    assert found.granted == {"a/qa": 10, "c/qa": 10}
    assert found.requested == found.granted


@pytest.mark.parametrize(
    ("shares", "why", "hint"),
    [
        ({"a/qa": 1.0}, "a/qa: 2 rows: where", "a/qa: 2 rows: where"),
        ({"a/qa": 0.0}, None, "`flancompile show TASK` lists the reasons of dropped rows"),
    ],
)
def test_no_example_at_all_is_an_error_with_its_reasons(
    tmp_path: Path, shares: dict[str, float], why: str | None, hint: str
) -> None:
    streams = Streams({"a/qa": stream_of(tmp_path, "a/qa", [["where", "where"]])})
    with pytest.raises(FlancompileError) as caught:
        quotas(streams, shares, Size(examples=1), "examples", lambda _: {}, lambda: why)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.hint) == ("FC408", hint)


@pytest.mark.parametrize(
    ("max_epochs", "requested", "granted"),
    [(None, 30, 30), (1, 30, 10), (0.5, 30, 5), (2.5, 30, 25), (4, 30, 30), (0.05, 30, 0)],
)
def test_a_limit_on_epochs_is_granted_and_not_requested(
    tmp_path: Path, max_epochs: float | None, requested: int, granted: int
) -> None:
    tasks: dict[str, list[Row]] = {"a/qa": [(3, 1)] * 10}
    found, _ = solve(tmp_path, tasks, {"a/qa": 1.0}, {"examples": 30}, max_epochs=max_epochs)
    assert (found.requested["a/qa"], found.granted["a/qa"]) == (requested, granted)


def test_no_more_is_granted_than_later_epochs_have(tmp_path: Path) -> None:
    first: list[Row] = [(3, 1)] * 10
    later: list[Row] = [*[(3, 1)] * 6, *["the prompt is over-long"] * 4]
    stream = stream_of(tmp_path, "a/qa", [first], [later], max_epochs=2)
    streams = Streams({"a/qa": stream})
    found = quotas(streams, {"a/qa": 1.0}, Size(examples=50), "examples", lambda _: {})
    assert found.requested == {"a/qa": 50}
    assert found.granted == {"a/qa": 16} == {"a/qa": stream.usable}


ROWS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 9)), min_size=6, max_size=20)
TASKS = st.lists(st.tuples(ROWS, st.integers(1, 9)), min_size=1, max_size=3)


@settings(max_examples=20)
@given(TASKS, st.integers(1, 600), st.sampled_from(["tokens", "target_tokens"]))
def test_a_size_in_tokens_is_reached_by_the_fewest_examples(
    tmp_path_factory: pytest.TempPathFactory, tasks: Any, wanted: int, unit: str
) -> None:
    names = [f"{letter}/qa" for letter in "abc"[: len(tasks)]]
    shares = {i: weight for i, (_, weight) in zip(names, tasks, strict=True)}
    rows = {i: list(rows) for i, (rows, _) in zip(names, tasks, strict=True)}
    found, streams = solve(tmp_path_factory.mktemp("o"), rows, shares, {unit: wanted})
    total = sum(found.granted.values())
    assert found.granted == found.requested == apportion(total, shares)
    assert tokens(streams, found.granted, unit) >= wanted
    assert tokens(streams, apportion(total - 1, shares), unit) < wanted


def test_a_size_in_tokens_that_the_epochs_do_not_hold_gives_all_there_is(tmp_path: Path) -> None:
    tasks: dict[str, list[Row]] = {"a/qa": [(3, 1)] * 10, "b/qa": [(5, 2)] * 300}
    found, streams = solve(
        tmp_path, tasks, {"a/qa": 0.5, "b/qa": 0.5}, {"tokens": 10**6}, max_epochs=1
    )
    assert found.granted == {"a/qa": 10, "b/qa": 300}
    assert tokens(streams, found.granted, "tokens") == 40 + 2100


@settings(max_examples=15)
@given(TASKS, st.integers(50, 200))
def test_rates_in_target_tokens_balance_tokens_to_one_example(
    tmp_path_factory: pytest.TempPathFactory, tasks: Any, total: int
) -> None:
    names = [f"{letter}/qa" for letter in "abc"[: len(tasks)]]
    shares = {i: weight for i, (_, weight) in zip(names, tasks, strict=True)}
    rows = {i: list(rows) for i, (rows, _) in zip(names, tasks, strict=True)}
    found, streams = solve(
        tmp_path_factory.mktemp("o"), rows, shares, {"examples": total}, "target_tokens"
    )
    assert sum(found.granted.values()) == total
    whole, sides = sum(shares.values()), {}
    for id_, count in found.granted.items():
        sides[id_] = tokens(streams, {id_: count}, "target_tokens")
    longest = max(target for task in rows.values() for _, target in task)
    for id_, own in sides.items():
        # An example more or less, of each task.
        assert abs(own - sum(sides.values()) * shares[id_] / whole) <= longest * (len(rows) + 1)


@pytest.mark.parametrize("over", [None, "a/qa", "b/qa"])
@pytest.mark.parametrize(
    ("rate_in", "weights"), [("examples", (1, 2)), ("target_tokens", (1 * 2, 2 * 10))]
)
def test_epochs_are_counted_in_examples_whatever_rates_are_in(
    tmp_path: Path, rate_in: str, weights: tuple[int, int], over: str | None
) -> None:
    # By examples b gets twice as many as a, in either unit: its targets have 10 tokens, a's have 2.
    tasks: dict[str, list[Row]] = {"a/qa": [(3, 2)] * 100, "b/qa": [(3, 10)] * 100}
    shares = dict(zip(tasks, (w / sum(weights) for w in weights), strict=True))
    found, _ = solve(tmp_path, tasks, shares, {"passes": 2, "over": over}, rate_in)
    wanted = {"a/qa": 200, "b/qa": 400} if over == "a/qa" else {"a/qa": 100, "b/qa": 200}
    assert found.granted == wanted


def test_epochs_over_a_member_without_examples_are_an_error(tmp_path: Path) -> None:
    tasks: dict[str, list[Row]] = {"a/qa": [(3, 2)] * 5, "b/qa": ["where"]}
    with pytest.raises(FlancompileError) as caught:
        solve(tmp_path, tasks, {"a/qa": 0.5, "b/qa": 0.5}, {"passes": 1, "over": "b/qa"})
    assert caught.value.code == "FC409"


@pytest.mark.parametrize(
    ("size", "message", "hint"),
    [
        ("{examples: 3}", None, None),
        ("{passes: 1}", None, None),
        ("{passes: 1, over: long}", None, None),
        ("{passes: 1, over: lang}", "no member 'lang'", "long"),
        ("{passes: 1, over: zzz}", "no member 'zzz'", "members here: short, long"),
    ],
)
def test_epochs_are_over_a_member_of_the_mixture(
    size: str, message: str | None, hint: str | None
) -> None:
    document = parse(RECIPE.format(size=size), "r.yaml")
    recipe = Loaded("r", validate(Recipe, document), document)
    node = Node("m", children=[Node("short"), Node("long")])
    if message is None:
        check_size(recipe, node)
        return
    with pytest.raises(FlancompileError, match=message) as caught:
        check_size(recipe, node)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "FC409"
    assert diagnostic.span is not None and diagnostic.span.line == 6
    assert hint is not None and hint in (diagnostic.hint or "")


@pytest.mark.parametrize("examples", [1, 7, 299, 1000])
def test_counts_are_exact(library: Library, cache: Path, tmp_path: Path, examples: int) -> None:
    change(library, "recipes/r.yaml", size={"examples": examples})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert sum(t.examples for t in tasks.values()) == examples
    assert abs(tasks["toy/qa"].examples - examples * 2 / 3) < 1
    assert verify(build) == []


def test_passes_are_counted_over_a_member(library: Library, cache: Path, tmp_path: Path) -> None:
    change(library, "recipes/r.yaml", size={"passes": 2, "over": "source:other"})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert tasks["other/qa"].examples == 300
    assert tasks["toy/qa"].examples == 600


@pytest.mark.parametrize("unit", ["tokens", "target_tokens"])
def test_a_size_in_tokens_is_reached_and_not_passed_by(
    library: Library, cache: Path, tmp_path: Path, unit: str
) -> None:
    wanted = 20_000 if unit == "tokens" else 2_000
    change(library, "recipes/r.yaml", size={unit: wanted})
    manifest = library.compile(tmp_path / "a", cache).manifest
    got = manifest.counts["tokens" if unit == "tokens" else "target_tokens"]
    change(library, "recipes/r.yaml", size={"examples": manifest.counts["examples"] - 1})
    one_less = library.compile(tmp_path / "b", cache).manifest.counts
    assert one_less["tokens" if unit == "tokens" else "target_tokens"] < wanted <= got


def test_rates_in_target_tokens_are_kept(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("other")
    about["tasks"]["qa"]["templates"] = [
        {
            "name": "long",
            "input": "{{ question }}",
            "target": "The sum that was asked for is {{ answer }}, I am sure.",
        }
    ]
    library.write("datasets/other.yaml", about)
    change(library, "mixtures/m.yaml", rate_in="target_tokens", members=[
        {"select": "source:toy", "rate": 1}, {"select": "source:other", "rate": 1}])  # fmt: skip
    change(library, "recipes/r.yaml", size={"examples": 2000})
    build = library.compile(tmp_path / "a", cache)
    tasks = {t.task: t for t in build.manifest.tasks}
    assert tasks["toy/qa"].examples > 3 * tasks["other/qa"].examples
    assert abs(tasks["toy/qa"].target_tokens - tasks["other/qa"].target_tokens) < 60


def test_a_limit_on_passes_is_kept_and_reported(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    change(library, "mixtures/m.yaml", members=[
        {"select": "source:toy", "rate": 1}, {"select": "source:other", "rate": 1, "max_passes": 0.5}])  # fmt: skip
    change(library, "recipes/r.yaml", size={"examples": 400})
    tasks = {t.task: t for t in library.compile(tmp_path / "a", cache).manifest.tasks}
    assert (tasks["other/qa"].examples_requested, tasks["other/qa"].examples) == (200, 75)


def test_an_empty_task_does_not_end_the_mixture(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    about = dataset_of("other")
    about["tasks"]["qa"]["where"] = "question == 'never'"
    library.write("datasets/other.yaml", about)
    build = library.compile(tmp_path / "a", cache)
    assert build.manifest.empty == ("other/qa",)
    assert build.manifest.counts["examples"] == 300
    assert verify(build) == []


def test_a_mixture_without_any_example_is_an_error(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    for name in ("toy", "other"):
        library.write(f"datasets/{name}.yaml", {**dataset_of(name), "where": "false"})
    with pytest.raises(FlancompileError) as caught:
        library.compile(tmp_path / "a", cache)
    assert caught.value.code == "FC408"
    assert "toy/qa: 200 rows: where" in str(caught.value)
    assert not (tmp_path / "a").exists()
