"""The library that ships: what it holds of the ladder, and every template on rows.

Real rows lie in the folder of shared datasets; where that folder has none, rows of our own in the
Hub's schema stand in for them.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import flancompile
from flancompile.authoring.preview import PreviewSettings, spec_of
from flancompile.cli.catalogue import catalogue
from flancompile.compiler.columns.unlowered import unlowered
from flancompile.compiler.plan.plan import resolve, shares
from flancompile.compiler.request import bare_request
from flancompile.dsl.library.ladder import ladder_names, rungs
from flancompile.dsl.library.library import Library, TaskDef, builtin_library, load_library
from flancompile.dsl.library.select import parse_selector
from flancompile.dsl.models.mixture import Size
from flancompile.dsl.models.task import Template
from flancompile.lint.data import check_rows
from flancompile.lint.reading import Reading
from flancompile.store.verify import verify

HERE = Path(__file__).parent
ROWS = 200  # of each split, for every template in each of its arms
# Warnings that the rows on hand deserve and the datasets themselves do not.
OF_THE_SAMPLES = {
    "fix_punct": "FC324",  # other sentences stand in for it: half of them have no mark inside
    "math_dataset": "FC330",  # six rows of ours: too few answers to draw distractors from
    "quac": "FC337",  # the sample holds a section twice
    "squad_v2": "FC337",  # likewise
    "rotten_tomatoes": "FC331",  # the file is sorted by label, and its first rows are of one
    "stsb": "FC321",  # no pair of the files that stand in for it has the lowest score
}
FEWEST = 10  # templates a task
COT_INVERSIONS = {
    "question_from_rationale", "rationale_from_answer", "question_and_answer_from_rationale",
    "question_and_rationale_from_answer",
}  # fmt: skip
# The ladder's names whose originals also ask for something else than the dataset's main target.
INVERTED = """
    aeslc cnn_dailymail gigaword multi_news newsroom samsum xsum ag_news_subset
    opinion_abstracts_rotten_tomatoes opinion_abstracts_idebate wiki_lingua_english_en web_nlg_en
    common_gen dart squad_v1 drop multirc openbookqa arc_challenge arc_easy stsb imdb_reviews
    sentiment140 yelp_polarity_reviews sst2 true_case word_segment copa story_cloze piqa
    para_crawl_enes wmt14_enfr wmt16_translate_deen wmt16_translate_tren wmt16_translate_csen
    wmt16_translate_fien wmt16_translate_roen wmt16_translate_ruen anli_r1 anli_r2 anli_r3 cb rte
    qnli snli cola trec quac coqa cosmos_qa
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def library() -> Library:
    loaded, found = load_library([builtin_library(), HERE])
    assert found == []
    return loaded


@pytest.fixture(scope="module")
def serving(library: Library) -> dict[str, list[TaskDef]]:
    """The tasks that serve each name of the ladder."""
    found: dict[str, list[TaskDef]] = defaultdict(list)
    for task in library.tasks().values():
        for name in task.rungs:
            found[name].append(task)
    return found


@pytest.mark.slow
def test_no_complaints_without_rows() -> None:
    assert [d.render() for d in flancompile.check("flan", HERE)] == []


def test_every_name_of_the_rungs_to_89_is_served(serving: dict[str, list[TaskDef]]) -> None:
    nine, eighty_nine = rungs()[1:3]
    assert set(serving) == set(eighty_nine.names)
    for name in eighty_nine.names:
        assert any(not t.task.inverted for t in serving[name]), name
    assert {n for n, ts in serving.items() if any(t.task.cluster == "cot" for t in ts)} == set(
        nine.names
    )
    assert len(ladder_names()["muffin"]) == 80


def test_what_the_originals_turn_round_is_turned_round(serving: dict[str, list[TaskDef]]) -> None:
    missing = [n for n in INVERTED if not any(t.task.inverted for t in serving[n])]
    assert missing == []


def test_every_task_has_ten_templates_and_an_evaluation(library: Library) -> None:
    tasks = library.tasks()
    assert len(tasks) > 100
    for task in tasks.values():
        few = [t for t in task.task.templates if t.options != "required"]
        assert len(few) >= FEWEST, task.id
        assert task.task.eval is not None, task.id
        assert task.task.eval.random_baseline is not None, task.id


def test_tasks_with_choices_have_both_arms(library: Library) -> None:
    """The same texts serve both arms, so that the arms can be compared."""
    tasks = [task for task in library.tasks().values() if task.task.choices is not None]
    assert len(tasks) > 50
    for task in tasks:
        shown = [t for t in task.task.templates if t.options != "none"]
        both = [t for t in task.task.templates if t.options == "optional"]
        assert len(shown) >= 7, task.id
        assert len(both) >= 7, task.id


def test_chain_of_thought_goes_both_ways(library: Library) -> None:
    """Direct and step by step, ten forms each at the least, and four inversions."""
    by_source: dict[str, dict[str, TaskDef]] = defaultdict(dict)
    for task in library.tasks().values():
        if task.task.cluster == "cot":
            by_source[task.source_id][task.category] = task
    assert len(by_source) == 9
    for source, tasks in by_source.items():
        assert set(tasks) > COT_INVERSIONS, source
        (main,) = set(tasks) - COT_INVERSIONS
        templates: dict[bool, list[Template]] = {False: [], True: []}
        for template in tasks[main].task.templates:
            templates[template.cot].append(template)
        assert min(map(len, templates.values())) >= FEWEST, source
        assert all(tasks[c].task.inverted for c in COT_INVERSIONS), source


def datasets(overlay: str) -> list[str]:
    loaded, _ = load_library([builtin_library(), HERE])
    known = loaded.overlay(overlay).model.sources
    return sorted(id_ for id_ in known if id_ in loaded.datasets)


def codes_of(overlay: str, dataset: str) -> list[str]:
    reading = Reading(ROWS, select=f"source:{dataset}", write_lock=False, on_hand=True)
    found = check_rows([builtin_library(), HERE], overlay, reading)
    known = OF_THE_SAMPLES.get(dataset, "")
    return [d.render() for d in found if d.allowed is None and d.code != known]


@pytest.mark.slow
@pytest.mark.parametrize("dataset", datasets("fixtures"))
def test_templates_on_rows_of_ours(dataset: str) -> None:
    assert codes_of("fixtures", dataset) == []


@pytest.mark.slow
@pytest.mark.parametrize("dataset", datasets("shared"))
def test_templates_on_real_rows(dataset: str, shared: Path) -> None:
    assert codes_of("shared", dataset) == []


def test_every_dataset_has_rows(library: Library) -> None:
    named = {*datasets("shared"), *datasets("fixtures")}
    assert set(library.datasets) == named


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", ["ladder_9_gpt2", "ladder_9_t5", "ladder_89_gpt2", "ladder_89_t5"]
)
def test_the_rungs_on_hand_compile(recipe: str, shared: Path, tmp_path: Path) -> None:
    """Real rows, both layouts: counts are exact, and what is missing is named."""
    settings = {"size": Size(examples=6_000)}
    means: dict[str, Any] = {"library": ["flan", HERE], "settings": settings}
    build = flancompile.compile(recipe, tmp_path / "build", cache=tmp_path / "cache", **means)
    tasks = build.manifest.tasks
    assert all(t.examples == t.examples_requested for t in tasks)
    assert sum(t.examples for t in tasks) == 6_000
    clusters = {t.cluster for t in tasks}
    assert "cot" in clusters and (len(clusters) > 10) == recipe.startswith("ladder_89")
    assert all(build.manifest.left_out.values())
    assert verify(build) == []


def test_the_catalogue_is_current(library: Library) -> None:
    """`flancompile catalogue -l flan -l tests/library --overlay shared --overlay fixtures`."""
    page = HERE.parents[1] / "docs" / "catalogue.md"
    assert catalogue(library, ["shared", "fixtures"]) == page.read_text(encoding="utf-8")


def planned(library: Library, mixture: str, *held: str) -> tuple[dict[str, float], set[str]]:
    """Shares of a mixture whose tasks all reach their caps, and the clusters that it has."""
    node, _ = resolve(library, library.tasks(), mixture, clusters=dict.fromkeys(held))
    tasks = {p.task.id: p.task for p in node.all_tasks()}
    found = shares(node, dict.fromkeys(tasks, 1 << 20))
    return found, {str(t.task.cluster) for i, t in tasks.items() if found[i]}


def share_of(library: Library, found: dict[str, float], select: str) -> float:
    return sum(found.get(i, 0.0) for i in parse_selector(select).pick(library.tasks().values()))


def test_shares_of_the_mixtures(library: Library) -> None:
    found, _ = planned(library, "cot")
    assert share_of(library, found, "inverted") == pytest.approx(0.3 / 1.3)
    found, _ = planned(library, "flan2021")
    assert share_of(library, found, "inverted") == pytest.approx(0.16)
    for one, other in (("math_dataset", "xsum"), ("squad_v1", "fix_punct")):
        weights = [share_of(library, found, f"rung:{n} and not inverted") for n in (one, other)]
        assert weights[0] == pytest.approx(weights[1])
    found, _ = planned(library, "ladder_89")
    assert share_of(library, found, "cluster:cot") == pytest.approx(3 / 55)
    found, _ = planned(library, "ladder_89_no_cot")
    assert share_of(library, found, "cluster:cot and inverted") == 0


def test_holding_out_a_cluster_takes_what_is_near_it(library: Library) -> None:
    _, whole = planned(library, "flan2021")
    near = {
        "nli": {"paraphrase"}, "paraphrase": {"nli"},
        "reading_comprehension_commonsense": {"reading_comprehension", "commonsense"},
    }  # fmt: skip
    assert len(whole) == 17
    for cluster in whole:
        _, left = planned(library, "flan2021", cluster)
        assert whole - left == {cluster} | near.get(cluster, set())
    found, _ = planned(library, "ladder_89", "nli")
    assert share_of(library, found, "source:cot_esnli") == 0


@pytest.mark.slow
def test_nearly_all_templates_go_by_columns(library: Library) -> None:
    request = bare_request((builtin_library(), HERE), None)
    total, left = 0, []
    for task in request.tasks.values():
        spec = spec_of(request, task, PreviewSettings())
        total += len(spec.templates)
        left += unlowered(spec)
    assert len(left) <= 0.05 * total, left[:5]
