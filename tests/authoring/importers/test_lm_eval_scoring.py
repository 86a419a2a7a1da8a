"""Scoring and layout of the harness's tasks: metrics, filters, delimiters and notes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval_tasks import brought, task

from flancompile.authoring.importers import lm_eval_scoring
from flancompile.authoring.importers.lm_eval import import_task
from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.models.scoring import Eval
from flancompile.dsl.models.style import ShotsStyle
from flancompile.evaluate.filters import apply_filters

EDGES = st.sampled_from(["", " ", "\n", "\n\n", " \n"])


@settings(deadline=None)
@given(
    ends=st.tuples(EDGES, EDGES, EDGES, EDGES),
    between=st.sampled_from([None, "", "\n", ": "]),
    apart=st.sampled_from([None, "\n", "\n###\n"]),
    prefix=st.sampled_from([None, "So:", "So: ", "So:\n", " So:"]),
    described=st.booleans(),
)
def test_exemplars_are_laid_out_as_by_the_harness(
    tmp_path_factory: pytest.TempPathFactory,
    ends: tuple[str, str, str, str],
    between: str | None,
    apart: str | None,
    prefix: str | None,
    described: bool,
) -> None:
    api = pytest.importorskip("lm_eval.api.task").ConfigurableTask
    question, before, after, space = ends
    keys: dict[str, Any] = {
        "doc_to_text": f"Q: {{{{thing}}}}{question}",
        "doc_to_target": f"{before}{{{{colour}}}}{after}",
        **({"target_delimiter": between} if between is not None else {}),
        **({"fewshot_delimiter": apart} if apart is not None else {}),
        **({"gen_prefix": prefix} if prefix is not None else {}),
        **({"description": f"Say it.{space}"} if described else {}),
    }
    turn = {"tgt_delim": keys.get("target_delimiter", " "), "gen_prefix": prefix}
    want = f"Say it.{space}" if described else ""
    for thing, colour in (("snow", "white"), ("coal", "black")):
        turns = api.build_qa_turn(None, q=f"Q: {thing}{question}", a=f"{before}{colour}{after}",
                                  few_delim=keys.get("fewshot_delimiter", "\n\n"), **turn)  # fmt: skip
        want += "".join(message.to_text() for message in turns)

    about = keys | {"task": "colours", "dataset_path": "some/colours", "test_split": "test"}
    path = task(tmp_path_factory.mktemp("laid"), **about)
    data, (_, styles) = brought(path), lm_eval_scoring.layout(about)
    (style,) = yaml.safe_load(styles)["shots"].values()
    made = data["tasks"]["generation"]
    ours = style["opening"].replace("{{ instruction }}", made.get("instruction", ""))
    ours = ours if described else ""
    for thing, colour in (("snow", "white"), ("coal", "black")):
        names = {"thing": thing, "colour": colour}
        sides = {s: compile_template(made["templates"][0][s]).render(names)
                 for s in ("input", "target")}  # fmt: skip
        ours += compile_template(style["exemplar"]).render(sides) + style["separator"]
    assert ours == want


def test_filters_and_what_is_ignored_come_in(tmp_path: Path) -> None:
    steps = [
        {"function": "regex", "regex_pattern": r"(\d+)", "group_select": -1},
        {"function": "lowercase"},
        {"function": "take_first"},
    ]
    majority = [{"function": "take_first_k", "k": 8}, {"function": "majority_vote"}]
    found = import_task(
        task(
            tmp_path,
            output_type="generate_until",
            filter_list=[{"name": "last", "filter": steps}, {"name": "maj@8", "filter": majority}],
            metric_list=[{"metric": "exact_match", "ignore_case": True,
                          "regexes_to_ignore": [","], "hf_evaluate": True}],
            target_delimiter="\n",
            process_results="x",
            num_fewshot=3,
        ),
        {},
    )  # fmt: skip
    assert found is not None
    data = yaml.safe_load(found.text)
    evaluation = data["tasks"]["generation"]["eval"]
    assert evaluation["filters"] == [{"regex": r"(\d+)", "select": -1}, {"case": "lower"}]
    assert evaluation["ignore_case"] is True and evaluation["regexes_to_ignore"] == [","]
    ((name, styles),) = found.files.items()
    assert name.startswith("styles/lm_eval_")
    (style,) = yaml.safe_load(styles)["shots"].values()
    assert style["exemplar"] == "{{ input }}\n{{ target }}"
    said = {(n.name, n.reason.split()[0]) for n in found.notes}
    assert {name for name, _ in said} == {
        "filter_list", "metric_list", "process_results", "target_delimiter", "num_fewshot",
    }  # fmt: skip
    assert all(n.reason in data["description"] for n in found.notes)


class Notes:
    """Notes by key, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, key: str, becomes: str) -> None:
        self.said.append((key, becomes))


STEPS: list[dict[str, Any]] = [
    {"function": "regex", "regex_pattern": r"(\d+)|([A-D])\b", "group_select": -1},
    {"function": "regex", "regex_pattern": r"answer is *(.*)", "fallback": "none"},
    {"function": "regex", "regex_pattern": r"\S+ ?", "fallback": ""},
    {"function": "regex"},
    {"function": "lowercase"},
    {"function": "uppercase"},
    {"function": "remove_whitespace"},
    {"function": "map", "mapping_dict": {"A": "a", "1": "one"}, "default_value": "other"},
    {"function": "take_first"},
]
OUTPUTS = st.lists(
    st.sampled_from(["answer is", " ", "A", "b", "1", "12", "\n", "#### -3,000.5", "é", "ß"]),
    max_size=6,
).map("".join)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(STEPS[:-1]), min_size=1, max_size=3), OUTPUTS)
def test_imported_filters_are_the_harness_s(steps: list[dict[str, Any]], output: str) -> None:
    build = pytest.importorskip("lm_eval.filters").build_filter_ensemble
    parts = [(s["function"], {k: v for k, v in s.items() if k != "function"}) for s in steps]
    want: Any = [[output]]
    for one in build("own", parts).filters:
        want = list(one().apply(want, [{}]))
    notes = Notes()
    found = lm_eval_scoring.scoring(
        {"filter_list": [{"name": "own", "filter": [*steps, STEPS[-1]]}]}, "exact_match", notes
    )
    assert notes.said == []
    model = Eval.model_validate({"metric": "exact_match", **found})
    assert apply_filters(output, [f.model_dump() for f in model.filters]) == want[0][0]


@pytest.mark.parametrize(
    "step",
    [
        {"function": "majority_vote"},
        {"function": "regex", "regex_pattern": "("},
        {"function": "regex", "regex_pattern": 3},
        {"function": "regex", "regex_pattern": "a", "ignore_case": True},
        {"function": "map", "mapping_dict": "a"},
        {"function": "map"},
        {},
        "lowercase",
    ],
)
def test_a_step_without_an_equivalent_leaves_its_list_out(step: Any) -> None:
    notes = Notes()
    lists = [
        {"name": "first", "filter": [{"function": "lowercase"}]},
        {"name": "second", "filter": [{"function": "take_first"}, step]},
    ]
    found = lm_eval_scoring.scoring({"filter_list": lists}, "squad_f1", notes)
    assert found == {"filters": [{"case": "lower"}]}
    ((key, reason),) = notes.said
    assert key == "filter_list" and reason.startswith(
        "second is left out: a step cannot be expressed"
    )


@pytest.mark.parametrize("given_", ["none", ["lowercase"], [{"name": "a", "filter": "lowercase"}]])
def test_filters_of_another_form_are_noted(given_: Any) -> None:
    notes = Notes()
    assert lm_eval_scoring.scoring({"filter_list": given_}, "bleu", notes) == {}
    assert [key for key, _ in notes.said] == ["filter_list"]


def test_the_last_list_of_filters_is_taken() -> None:
    notes = Notes()
    lists = [
        {"name": n, "filter": [{"function": f}]}
        for n, f in (("a", "lowercase"), ("b", "uppercase"))
    ]
    assert lm_eval_scoring.scoring({"filter_list": lists}, "bleu", notes) == {
        "filters": [{"case": "upper"}]
    }
    assert notes.said == [("filter_list", "a is left out: a task has one list of filters")]
    assert lm_eval_scoring.scoring({"filter_list": lists}, "accuracy", notes) == {}
    assert notes.said[1:] == [("filter_list", "options are ranked, and no text is generated")]


@pytest.mark.parametrize(
    ("metrics", "is_choice", "want", "noted"),
    [
        ([], True, "accuracy", []),
        ([], False, "exact_match", []),
        (["acc"], True, "accuracy", []),
        (["acc", "acc_norm"], True, "accuracy", ["does not divide"]),
        (["f1"], False, "squad_f1", []),
        (["bleu", "chrf"], False, "bleu", ["a task has one metric: bleu, not chrf too"]),
        (["acc"], False, "exact_match", ["the metric acc is not for None"]),
        (["ppl", "rouge"], False, "rouge_l", ["the metric ppl has no place; exact_match is used"]),
        ([["f"]], False, "exact_match", ["needs Python"]),
    ],
)
def test_the_metric_of_a_task(
    metrics: list[Any], is_choice: bool, want: str, noted: list[str]
) -> None:
    notes = Notes()
    about = {"metric_list": [{"metric": m} for m in metrics]}
    assert lm_eval_scoring.metric_of(about, is_choice, notes) == want
    assert len(notes.said) == len(noted)
    for (key, reason), part in zip(notes.said, noted, strict=True):
        assert key == "metric_list" and part in reason


def test_another_aggregation_is_noted() -> None:
    notes = Notes()
    given_ = [{"metric": "f1", "aggregation": a} for a in ("mean", "median")]
    assert lm_eval_scoring.metric_of({"metric_list": given_}, False, notes) == "squad_f1"
    assert [reason for _, reason in notes.said] == [
        "the mean is used in place of the aggregation median"
    ]


@pytest.mark.parametrize(
    ("keys", "want"),
    [
        ({"ignore_case": True}, {"ignore_case": True}),
        ({"ignore_punctuation": True, "ignore_numbers": False},
         {"ignore_case": False, "ignore_punctuation": True}),
        ({"regexes_to_ignore": ","}, {"ignore_case": False, "regexes_to_ignore": [","]}),
        ({"regexes_to_ignore": ["(", 3, r"\$"]}, {"ignore_case": False, "regexes_to_ignore": [r"\$"]}),
        ({}, {"ignore_case": False}),
    ],
)  # fmt: skip
def test_what_exact_match_ignores(keys: dict[str, Any], want: dict[str, Any]) -> None:
    notes = Notes()
    about = {"metric_list": [{"metric": "exact_match", **keys}]}
    found = lm_eval_scoring.scoring(about, "exact_match", notes)
    assert found == want
    assert Eval.model_validate({"metric": "exact_match", **found}).ignored is not None
    assert len(notes.said) == (2 if "(" in keys.get("regexes_to_ignore", "") else 0)


@pytest.mark.parametrize(
    ("keys", "noted"),
    [
        ({"repeats": 1, "process_results": None}, []),
        ({"repeats": 4}, ["4 is ignored; bleu scores one answer for each row"]),
        ({"generation_kwargs": {"do_sample": False, "temperature": 0.0}}, []),
        ({"generation_kwargs": {"temperature": 0.7}}, ["answers are greedy"]),
        ({"generation_kwargs": {"temperature": "0"}}, []),
        ({"generation_kwargs": {"max_gen_toks": 32}}, ["`max_new_tokens: 32`"]),
        ({"generation_kwargs": {"max_tokens": 8, "do_sample": True}}, ["greedy", "`max_new_tokens: 8`"]),
    ],
)  # fmt: skip
def test_settings_of_generation_are_noted(keys: dict[str, Any], noted: list[str]) -> None:
    notes = Notes()
    assert lm_eval_scoring.scoring(keys, "bleu", notes) == {}
    assert len(notes.said) == len(noted)
    for (_, reason), part in zip(notes.said, noted, strict=True):
        assert part in reason


SPACES = st.sampled_from(["", " ", "\n", "\n\n", ": ", "{", "{{ x }}\n", "#}"])


@settings(max_examples=40)
@given(SPACES, SPACES, st.booleans())
def test_delimiters_are_printed_as_they_are(between: str, apart: str, nested: bool) -> None:
    given_ = {"target_delimiter": between, "fewshot_delimiter": apart}
    about = {"doc_to_text": "q", "doc_to_target": "a"}
    about |= {"fewshot_config": given_, "target_delimiter": "no"} if nested else given_  # type: ignore[dict-item]
    name, text = lm_eval_scoring.layout(about)
    ((key, style),) = yaml.safe_load(text)["shots"].items()
    assert key == name == (name if (between, apart) != (" ", "\n\n") else "lm_eval")
    ShotsStyle.model_validate(style)
    sides = {"input": "I", "target": "T", "instruction": "S"}
    assert compile_template(style["exemplar"]).render(sides) == f"I{between}T"
    assert compile_template(style["zero"]).render(sides) == "S\n\nI"
    assert style["separator"] == apart


def test_layouts_have_a_name_for_each_form() -> None:
    given_ = [{}, {"target_delimiter": ""}, {"fewshot_delimiter": " "}, {"doc_to_text": "q\n"}]
    names = [lm_eval_scoring.layout(about)[0] for about in given_]
    assert names[0] == "lm_eval"
    assert len(set(names)) == len(names)
    assert names == [lm_eval_scoring.layout(about)[0] for about in given_]


def test_notes_about_layouts_and_shots() -> None:
    notes = Notes()
    lm_eval_scoring.layout_notes({"target_delimiter": ""}, "lm_eval", notes)
    assert notes.said == []
    lm_eval_scoring.layout_notes({"target_delimiter": ""}, "lm_eval_1", notes)
    assert notes.said[0] == (
        "target_delimiter", '"" is in the layout lm_eval_1: use it with `styles: {shots: [lm_eval_1]}`',
    )  # fmt: skip
    assert "`frame: {join: none}`" in notes.said[1][1]
    notes = Notes()
    about = {
        "num_fewshot": 5,
        "fewshot_config": {"sampler": "random", "doc_to_text": "x", "samples": []},
    }
    lm_eval_scoring.few_shot_notes({**about, "doc_to_text": "x"}, notes)
    assert notes.said == [
        ("num_fewshot", "set `shots: {5: 1}` in the mixture or the recipe"),
        ("fewshot_config", "`sampler` is ignored; exemplars are like the task's rows"),
    ]
