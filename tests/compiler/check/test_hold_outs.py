"""Hold-outs without effect are reported, those that leave out a task of any mixture are not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile import check
from flancompile.compiler.check.hold_outs import idle_clusters, idle_hold_outs
from flancompile.compiler.plan.plan import resolve
from flancompile.dsl.library.library import Library as Loaded
from flancompile.dsl.library.library import load_library

SOURCES = ("a", "b", "c", "d")
SELECTORS = st.sampled_from(
    [*(f"{s}/qa" for s in SOURCES), "cluster:one", "cluster:two", "a/* or c/*", "tag:near"]
)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Four sources: two of cluster `one`, one of `two`, one without a cluster; a tag on two."""
    library = Library(tmp_path_factory.mktemp("hold-outs"))
    for name, cluster in zip(SOURCES, ("one", "one", "two", None), strict=True):
        about = dataset_of(name)
        task = about["tasks"]["qa"] | {"cluster": cluster, "tags": ["near"] * (name in "bd")}
        about["tasks"]["qa"] = {k: v for k, v in task.items() if v}
        library.write(f"datasets/{name}.yaml", about)
    library.mixture({"select": "all"})
    library.recipe()
    loaded, found = load_library([library.root], builtin=False)
    assert not found
    return loaded


@st.composite
def mixtures(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Mixtures of selectors and of those before them, with hold-outs."""
    made: list[dict[str, Any]] = []
    for n in range(draw(st.integers(1, 3))):
        members = [{"select": s, "overlap": "keep"} for s in draw(st.lists(SELECTORS, max_size=2))]
        below = draw(st.lists(st.sampled_from(range(n)), max_size=2)) if n else []
        members += [{"mixture": f"m{i}", "name": f"n{k}"} for k, i in enumerate(below)]
        hold_out = [
            {"select": s, "scope": draw(st.sampled_from(["task", "source"]))}
            for s in draw(st.lists(SELECTORS, max_size=2))
        ]
        members = members or [{"select": "a/qa", "overlap": "keep"}]
        made.append({"mixture": f"m{n}", "members": members, "hold_out": hold_out})
    return made


def with_mixtures(toys: Loaded, made: list[dict[str, Any]]) -> Loaded:
    first = toys.mixtures["m"]
    models = [type(first.model).model_validate(m) for m in made]
    return replace(
        toys, mixtures={m.mixture: replace(first, id=m.mixture, model=m) for m in models}
    )


def reached(library: Loaded, root: str) -> set[str]:
    """The tasks of a mixture were nothing held out."""
    bare = {
        i: replace(m, model=m.model.model_copy(update={"hold_out": ()}))
        for i, m in library.mixtures.items()
    }
    node, _ = resolve(replace(library, mixtures=bare), library.tasks(), root)
    return {t.task.id for t in node.all_tasks()}


@settings(max_examples=150, deadline=None)
@given(made=mixtures())
def test_a_hold_out_is_reported_where_no_mixture_above_it_has_its_tasks(
    toys: Loaded, made: list[dict[str, Any]]
) -> None:
    library = with_mixtures(toys, made)
    reported = [d.message.split("'")[1::2] for d in idle_hold_outs(library, library.tasks())]
    below: dict[str, set[str]] = {}
    for m in made:
        inner = (x.get("mixture") for x in m["members"])
        below[m["mixture"]] = {m["mixture"]}.union(*(below[i] for i in inner if i))
    tasks = {i: reached(library, i) for i in library.mixtures}
    wanted = []
    for m in made:
        roots = set().union(*(tasks[r] for r, inside in below.items() if m["mixture"] in inside))
        for hold_out in m["hold_out"]:
            # every source has one task, so both scopes hold out the selected tasks
            held = reached(with_mixtures(toys, [{"mixture": "x", "members": [
                {"select": hold_out["select"]}]}]), "x")  # fmt: skip
            if not held & roots:
                wanted.append([hold_out["select"], m["mixture"]])
    assert reported == wanted


@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(SELECTORS, min_size=1, max_size=2),
    company=st.dictionaries(
        st.sampled_from(["one", "two"]),
        st.lists(st.sampled_from(["one", "two", "near"])),
        max_size=2,
    ),
    cluster=st.sampled_from(["one", "two"]),
)
def test_a_cluster_is_reported_where_holding_it_out_changes_nothing(
    toys: Loaded, members: list[str], company: dict[str, list[str]], cluster: str
) -> None:
    given = [{"select": s, "overlap": "keep"} for s in members]
    library = with_mixtures(toys, [{"mixture": "m", "members": given, "hold_out_with": company}])
    first = toys.recipes["r"]
    model = first.model.model_copy(update={"hold_out_clusters": (cluster,)})
    recipe = replace(first, model=model)
    reported = [*idle_clusters(library, library.tasks(), recipe)]
    names = {cluster, *company.get(cluster, ())}
    held = {i for i, t in library.tasks().items() if names & {t.task.cluster, *t.task.tags}}
    assert bool(reported) == (not held & reached(library, "m"))


def test_places_and_nearest_names(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for name in SOURCES[:2]:
        about = dataset_of(name)
        about["tasks"]["qa"]["cluster"] = f"cluster_{name}"
        library.write(f"datasets/{name}.yaml", about)
    library.write("datasets/a.jsonl", [])
    library.write("datasets/b.jsonl", [])
    library.write("mixtures/m.yaml", (
        "mixture: m\nmembers: [{select: a/qa}]\nhold_out:\n"
        "  - {select: b/qa}\n  - {select: a/qa and b/qa}\n"
        "hold_out_with: {cluster_a: [clustr_b], cluster_x: [cluster_b]}\n"
    ))  # fmt: skip
    library.write("mixtures/n.yaml", "mixture: n\nmembers: [{select: a/qa}]\n")
    library.recipe(hold_out_clusters=["cluster_b"], mixture="n")
    reported = {
        (str(d.span).rpartition("/")[2], d.code, d.severity, d.hint) for d in check(tmp_path)
    }
    remedy = "remove it, or correct the selectors of the members"
    assert reported == {
        ("m.yaml:4:14", "FC406", "warning", f"did you mean 'a/qa'? otherwise {remedy}"),
        ("m.yaml:5:14", "FC406", "error", "`flancompile ls` lists the tasks with their labels"),
        ("m.yaml:6:29", "FC406", "warning", "did you mean 'cluster_b'?"),
        ("m.yaml:6:40", "FC406", "warning", "did you mean 'cluster_b'?"),
        ("r.yaml:12:3", "FC406", "warning", "did you mean 'cluster_a'? otherwise remove it"),
    }
