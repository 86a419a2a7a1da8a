"""lm-evaluation-harness's task files: what needs no Python comes in and renders the same."""

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lm_eval_tasks import brought, task
from made_rows import made_rows

from flancompile import check
from flancompile.authoring.importers.imported import Imported
from flancompile.authoring.importers.lm_eval import import_task, layouts, loaded
from flancompile.cli import importing
from flancompile.dsl.jinja.expression import compile_expression, compile_template

ENV = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
ENV.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)
EVERY = 23  # one in so many task files is rendered


def packaged() -> list[Path]:
    """The task files that the `lm_eval` package carries."""
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        pytest.skip("the package lm_eval is not installed")
    return sorted((Path(found.origin).parent / "tasks").rglob("*.yaml"))


def test_a_task_of_generation(tmp_path: Path) -> None:
    until = {"until": ["\n"]}
    path = task(tmp_path, output_type="generate_until", generation_kwargs=until, num_fewshot=2)
    data = brought(path)
    made = data["tasks"]["generation"]
    assert data["source"] == {"hub": "some/colours", "splits": {"test": "test"}}
    assert made["signature"] == "thing -> colour"
    assert made["eval"] == {
        "metric": "exact_match",
        "answers": "colour if colour is sequence and colour is not string else [colour]",
        "ignore_case": False,
        "stop": ["\n"],
        "split": "test",
    }
    assert made["templates"][0]["input"] == "What colour is {{ thing }}?"


def test_choices_by_label_and_by_index(tmp_path: Path) -> None:
    keys = {"output_type": "multiple_choice", "doc_to_choice": ["red", "blue"]}
    made = brought(task(tmp_path, **keys))["tasks"]["multiple_choice"]
    gold = compile_expression(made["choices"]["gold"])
    assert made["choices"]["options"] == ["red", "blue"]
    assert [gold({"colour": value}) for value in ("blue", 0, "1")] == [1, 0, 1]


def test_exemplars_by_hand_and_from_a_split(tmp_path: Path) -> None:
    samples = [{"thing": "snow", "colour": "white"}]
    found = import_task(task(tmp_path, fewshot_config={"samples": samples}), {})
    assert found is not None
    ((name, text),) = found.files.items()
    assert name == "datasets/colours.shots.jsonl"
    assert json.loads(text) == samples[0]
    split = brought(task(tmp_path, fewshot_split="dev"))
    assert split["tasks"]["generation"]["exemplars"] == {"from": "split", "split": "dev"}
    assert split["source"]["splits"] == {"test": "test", "dev": "dev"}


def test_what_a_task_includes(tmp_path: Path) -> None:
    (tmp_path / "_base.yaml").write_text("dataset_path: some/base\ndescription: Say it.\n")
    path = tmp_path / "own.yaml"
    path.write_text("include: _base.yaml\ntask: own\ndoc_to_text: q\ndoc_to_target: a\n")
    data = brought(path)
    assert data["source"]["hub"] == "some/base"
    assert data["tasks"]["generation"]["instruction"] == "Say it."
    assert import_task(tmp_path / "_base.yaml", {}) is None


def test_python_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("task: own\ndataset_path: a/b\ndoc_to_text: !function utils.text\n")
    found = import_task(path, {})
    assert found is not None and found.text == ""
    assert found.left_out[0].reason == "`doc_to_text` needs Python: utils.text"


def rendered(data: dict[str, Any], row: dict[str, Any]) -> tuple[str, list[str]]:
    """Target and accepted answers of an imported task's row."""
    (made,) = data["tasks"].values()
    names = {n: compile_expression(e)({"row": row}) for n, e in data["fields"].items()}
    answers = compile_expression(made["eval"]["answers"])(names)
    assert isinstance(answers, list)
    target = compile_template(made["templates"][0]["target"])
    if "choices" in made:
        options = made["choices"]["options"]
        place = compile_expression(made["choices"]["gold"])(names)
        names["gold"] = options[int(str(place))]
    return target.render(names), answers


@pytest.mark.parametrize("form", ["dates", "{{dates}}", "{{ dates | tojson }}", "{{doc.dates}}"])
def test_a_list_of_answers_is_no_python_text(tmp_path: Path, form: str) -> None:
    data = brought(task(tmp_path, output_type="generate_until", doc_to_target=form))
    dates = ["14 December 1972 UTC", "1972"]
    row = {"thing": "x", "dates": dates, "doc": {"dates": dates}}
    assert rendered(data, row) == (dates[0], dates)
    row = {"thing": "x", "dates": "1972", "doc": {"dates": "1972"}}
    assert rendered(data, row) == ("1972", ["1972"])


def test_generation_with_choices_learns_the_choice(tmp_path: Path) -> None:
    keys = {"output_type": "generate_until", "doc_to_choice": ["choice1", "choice2"]}
    data = brought(task(tmp_path, **keys))
    made = data["tasks"]["generation"]
    assert made["eval"]["metric"] == "exact_match"
    assert rendered(data, {"thing": "x", "colour": 1})[0] == "choice2"


def test_several_right_options(tmp_path: Path) -> None:
    keys = {"output_type": "multiple_choice", "doc_to_choice": ["red", "blue", "grey"]}
    data = brought(task(tmp_path, **keys))
    assert rendered(data, {"thing": "x", "colour": [2, 0]}) == ("grey", ["red", "grey"])
    assert rendered(data, {"thing": "x", "colour": 1}) == ("blue", [])


@pytest.mark.parametrize(
    "form",
    ["{{dates | sort}}", "{{[thing, dates[0]]}}", "{{dates + [thing]}}", "{{dates if dates[1:] else thing}}",
     "{{rows | map(attribute='t') | list}}", "{{dates[:1]}}"],
)  # fmt: skip
def test_an_expression_that_gives_a_list_of_answers(tmp_path: Path, form: str) -> None:
    data = brought(task(tmp_path, output_type="generate_until", doc_to_target=form))
    row = {"thing": "x", "dates": ["b", "a"], "rows": [{"t": "c"}]}
    want = ast.literal_eval(ENV.from_string(form).render(**row))
    assert rendered(data, row) == (want[0], want)


@pytest.mark.slow
@settings(deadline=None)
@given(
    options=st.lists(st.sampled_from(["0", "1", "2", "3", "yes", "no"]), min_size=2, unique=True),
    label=st.one_of(st.integers(0, 3), st.sampled_from(["0", "1", "2", "3", "yes"])),
    form=st.sampled_from(["colour", "{{colour}}", "{{ [colour] }}"]),
)
def test_the_gold_is_the_one_that_the_harness_takes(
    tmp_path_factory: pytest.TempPathFactory, options: list[str], label: int | str, form: str
) -> None:
    api = pytest.importorskip("lm_eval.api.task").ConfigurableTask
    row = {"thing": "x", "colour": label}
    config = SimpleNamespace(doc_to_target=form, doc_to_choice=options)
    answer = api.doc_to_target(SimpleNamespace(prompt=None, config=config, _config=config,
                                               features=[*row]), row)  # fmt: skip
    answer = answer[0] if isinstance(answer, list) else answer
    assume(answer < len(options) if isinstance(answer, int) else answer in options)
    want = options[answer] if isinstance(answer, int) else answer
    folder = tmp_path_factory.mktemp("gold")
    keys = {"output_type": "multiple_choice", "doc_to_choice": options, "doc_to_target": form}
    if form.startswith("{{ ["):
        assume(isinstance(label, int))  # the harness takes several right ones by their index
    assert rendered(brought(task(folder, **keys)), row)[0] == want


def test_exemplars_come_from_the_split_that_the_harness_takes(tmp_path: Path) -> None:
    for keys, want in (
        ({"fewshot_config": {"split": "dev"}, "fewshot_split": "other"}, "dev"),
        ({"training_split": "train", "validation_split": "val"}, "train"),
        ({"validation_split": "val"}, "validation"),
    ):
        data = brought(task(tmp_path, **keys))
        assert data["tasks"]["generation"]["exemplars"] == {"from": "split", "split": want}
        assert want in data["source"]["splits"]


def test_where_the_rows_are_is_kept_or_noted(tmp_path: Path) -> None:
    kwargs = {"revision": "abc", "data_dir": "sub", "trust_remote_code": True}
    found = import_task(task(tmp_path, dataset_kwargs=kwargs), {})
    assert found is not None
    assert yaml.safe_load(found.text)["source"]["revision"] == "abc"
    assert [(n.name, "data_dir" in n.reason) for n in found.notes] == [("dataset_kwargs", True)]
    found = import_task(task(tmp_path, use_prompt="promptsource:one"), {})
    assert found is not None and "use_prompt" in found.left_out[0].reason


def test_exemplars_of_two_tasks_of_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shots = {"samples": [{"thing": name, "colour": "red"}]}
        task(tmp_path / name, fewshot_config=shots)
    out = tmp_path / "out"
    importing.run("lm-eval", [tmp_path / "one", tmp_path / "two"], out, "train", as_json=True)
    for id_, name in (("colours", "one"), ("colours_2", "two")):
        data = yaml.safe_load((out / "datasets" / f"{id_}.yaml").read_text())
        file = data["tasks"]["generation"]["exemplars"]["file"]
        assert json.loads((out / "datasets" / file).read_text())["thing"] == name


def test_columns_whose_names_no_field_may_have(tmp_path: Path) -> None:
    data = brought(task(tmp_path, doc_to_text="{{_id}} {{row}}", doc_to_target="_id"))
    assert {json.loads(e[4:-1]) for e in data["fields"].values()} == {"_id", "row"}
    assert not {"_id", "row"} & set(data["fields"])


def reference(about: dict[str, Any], row: dict[str, Any]) -> tuple[str, Any] | None:
    """Prompt and answer by the harness's own code; None where the row does not fit."""
    api = pytest.importorskip("lm_eval.api.task").ConfigurableTask
    keys = ("doc_to_text", "doc_to_target", "doc_to_choice", "fewshot_delimiter")
    config = SimpleNamespace(**{k: about.get(k) for k in keys})
    if isinstance(config.doc_to_target, str):  # with a space before it a list is printed
        config.doc_to_target = config.doc_to_target.strip()
    stub = SimpleNamespace(prompt=None, config=config, _config=config, features=[*row])
    try:
        prompt = str(api.doc_to_text(stub, row))
        if about.get("gen_prefix"):
            given = about["gen_prefix"]
            given = row[given] if given in row else ENV.from_string(given).render(**row)
            meets = not prompt[-1:].isspace() and not given[:1].isspace()
            prompt += f"{about.get('target_delimiter', ' ') if meets else ''}{given}"
        answer = api.doc_to_target(stub, row)
        if about.get("doc_to_choice") is None:
            answer = answer[0] if isinstance(answer, list) else answer
            return prompt.rstrip(), str(answer).strip()
        choices = api.doc_to_choice(stub, row)
        if isinstance(choices, str) or any(isinstance(c, bool) for c in choices):
            return None
        choices = [str(choice) for choice in choices]
        answer = answer[0] if isinstance(answer, list) else answer
        if isinstance(answer, str) and answer.isdecimal():
            answer = int(answer)
        place = answer if isinstance(answer, int) else choices.index(answer)
        return prompt.rstrip(), (choices[place], choices)
    except Exception:
        return None


def ours(data: dict[str, Any], row: dict[str, Any]) -> tuple[str, Any]:
    (made,) = data["tasks"].values()
    names = {
        n: compile_expression(e)({"row": row})
        for n, e in data["fields"].items()
        if json.loads(e[4:-1]) in row
    }
    prompt = compile_template(made["templates"][0]["input"]).render(names)
    if "choices" not in made:
        target = compile_template(made["templates"][0]["target"]).render(names)
        return prompt.rstrip(), target.strip()
    options = made["choices"]["options"]
    listed = compile_expression(options)(names) if isinstance(options, str) else options
    assert isinstance(listed, list)
    place = compile_expression(made["choices"]["gold"])(names)
    listed = [str(option) for option in listed]
    return prompt.rstrip(), (listed[int(str(place))], listed)


@pytest.fixture(scope="module")
def imported() -> list[tuple[Path, Imported]]:
    seen: dict[Path, Any] = {}
    found = ((path, import_task(path, seen)) for path in packaged())
    return [(path, one) for path, one in found if one is not None]


@pytest.mark.slow
def test_all_without_python_come_in(imported: list[tuple[Path, Imported]]) -> None:
    reasons = [x.reason for _, one in imported for x in one.left_out]
    without = [r for r in reasons if "needs Python" not in r and "not a text template" not in r]
    made = [one for _, one in imported if one.text]
    assert len(made) > 4_000
    assert len([r for r in without if not r.startswith("no prompt")]) < 0.01 * len(made)


@pytest.mark.slow
def test_imported_tasks_have_no_errors(
    imported: list[tuple[Path, Imported]], tmp_path: Path
) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "lm_eval.yaml").write_text(layouts())
    for _, one in imported:
        if one.text:
            (tmp_path / "datasets" / f"{one.id}.yaml").write_text(one.text)
        for name, text in one.files.items():
            (tmp_path / name).write_text(text)
    assert [d.render() for d in check(tmp_path) if d.severity == "error"] == []


_STRICTER = re.compile(
    "^a (list|map) (would be printed|reaches) |^the index -[0-9]+ is negative$|is no number"
)


def fitting(about: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, Any]]]:
    """Rows that the harness's own way renders, with what it makes of them."""
    texts = [about.get(k) for k in ("doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix")]
    tree = ENV.parse(" ".join(t if "{" in t else f"{{{{ {t} }}}}" for t in texts
                              if isinstance(t, str) and ("{" in t or t.isidentifier())))  # fmt: skip
    for listed in (t for t in texts if isinstance(t, list)):
        tree.body.append(ENV.parse("{{ " + json.dumps(listed) + " }}").body[0])
    count = 0
    for row in made_rows(tree, 300):
        want = reference(about, row)
        if want is not None and want[0].strip() and want[1]:
            yield row, want
            count += 1
        if count == 12:  # some rows have lists in place of texts
            return


@pytest.mark.slow
def test_each_renders_what_the_harness_renders(imported: list[tuple[Path, Imported]]) -> None:
    compared, stricter, untried, differ = 0, 0, [], []
    for path, one in [x for x in imported if x[1].text][::EVERY]:
        data = yaml.safe_load(one.text)
        tried = False
        for row, want in fitting(loaded(path, {})):
            try:
                got = ours(data, row)
            except Exception as error:
                if _STRICTER.search(
                    str(error)
                ):  # the harness prints Python text, or takes the last
                    stricter += 1
                    continue
                got = (repr(error), None)
            tried = True
            if got != want:
                differ.append((one.id, row, want, got))
                break
        compared += tried
        if not tried:
            untried.append(one.id)
    assert differ == []
    assert compared >= 0.95 * (compared + len(untried)), untried
    assert stricter > 0
