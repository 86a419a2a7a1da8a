import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile import check
from flancompile.dsl.checks.dataset import check_library
from flancompile.dsl.library.library import builtin_library, load_library
from flancompile.dsl.library.select import parse_selector
from flancompile.errors import FlancompileError


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "a")


def diagnostics(*folders: Path) -> list[tuple[str, int]]:
    loaded, found = load_library(folders)
    found += check_library(loaded)
    return [(d.code, d.span.line if d.span else 0) for d in found]


def test_the_built_in_library_is_sound() -> None:
    assert builtin_library().is_dir()
    assert diagnostics() == []
    loaded, _ = load_library()
    assert len(loaded.option_styles) >= 20
    assert len(loaded.shots_styles) >= 20


def test_an_id_twice_needs_overrides(library: Library, tmp_path: Path) -> None:
    library.dataset()
    other = Library(tmp_path / "b")
    other.dataset()
    assert diagnostics(library.root, other.root) == [("FC109", 1)]
    other.dataset(overrides="toy")
    assert diagnostics(library.root, other.root) == []
    other.dataset(overrides="tyo")
    assert [c for c, _ in diagnostics(library.root, other.root)] == ["FC109"]


def test_styles_may_override(library: Library) -> None:
    library.write("styles/s.yaml", {"options": {"dash": {"item": "~ {{ text }}"}}})
    assert diagnostics(library.root) == [("FC109", 2)]
    library.write(
        "styles/s.yaml", {"overrides": ["dash"], "options": {"dash": {"item": "~ {{ text }}"}}}
    )
    assert diagnostics(library.root) == []
    assert load_library([library.root])[0].option_styles["dash"].item == "~ {{ text }}"


def test_for_each_makes_tasks(library: Library) -> None:
    about = {**dataset_of("toy"), "for_each": {"lang": ["en", {"name": "de", "title": "German"}]}}
    library.write("datasets/toy.yaml", about)
    for name in ("one", "two"):
        library.write(f"datasets/rows/{name}.jsonl", [{}])
    by_file = {**dataset_of("files"), "for_each": {"file": {"files": "rows/*.jsonl"}}}
    library.write("datasets/files.yaml", by_file)
    tasks = load_library([library.root])[0].tasks()
    assert sorted(tasks) == ["files.one/qa", "files.two/qa", "toy.de/qa", "toy.en/qa"]
    assert tasks["toy.de/qa"].variable == ("lang", {"name": "de", "title": "German"})
    variable = tasks["files.one/qa"].variable
    assert variable is not None
    assert variable[1]["path"] == "rows/one.jsonl"
    assert str(variable[1]) == "one"


Change = dict[str, Any]


@pytest.mark.parametrize(
    ("task", "template", "code", "text"),
    [
        ({}, {"input": "{{ questoin }}"}, "FC202", "did you mean 'question'"),
        ({}, {"input": "{{ question }} {{ answer }}"}, "FC206", "an output of the task"),
        ({}, {"input": "{{ question }} {{ topic }}"}, "FC207", "does not list as an input"),
        ({}, {"input": "{{ question }} {{ options }}"}, "FC208", "has no `options:`"),
        ({}, {"options": "optional"}, "FC208", "has no {{ options }}"),
        ({}, {"input": "{{ question"}, "FC103", "not a Jinja text"),
        ({}, {"input": "{{ question | uper }}"}, "FC104", "did you mean 'upper'"),
        ({}, {"target": "{{ anwser }}"}, "FC202", "did you mean 'answer'"),
        ({}, {"when": "topc == 't'"}, "FC202", "did you mean 'topic'"),
        ({}, {"let": {"answer": "1"}}, "FC205", "hides the field"),
        ({}, {"let": {"hint": "answer"}, "input": "{{ question }} {{ hint }}"}, "FC206", "computed from fields"),
        ({}, {"nmae": "x"}, "FC105", "did you mean 'name'"),
        ({}, {"target": 3}, "FC201", "needs quotes"),
        ({"signature": "question, contxt -> answer"}, {}, "FC203", "which is not a field"),
        ({"signature": "question answer"}, {}, "FC201", "a signature reads"),
        ({"truncate": ["answer"]}, {}, "FC204", "not an input of the signature"),
        ({"choices": {"gold": "anwser", "distractors": 2}}, {}, "FC202", "did you mean 'answer'"),
        ({"choices": {"gold": "answer"}}, {}, "FC201", "exactly one of"),
        ({"exemplars": {"from": "reserved"}}, {}, "FC201", "needs `count`"),
        ({"where": "topc"}, {}, "FC202", "did you mean 'topic'"),
    ],
)  # fmt: skip
def test_an_author_s_mistakes(
    library: Library, task: Change, template: Change, code: str, text: str
) -> None:
    about = dataset_of("toy")
    about["tasks"]["qa"] = {**about["tasks"]["qa"], **task}
    about["tasks"]["qa"]["templates"] = [{**about["tasks"]["qa"]["templates"][0], **template}]
    library.write("datasets/toy.yaml", about)
    loaded, found = load_library([library.root])
    found += check_library(loaded)
    assert code in [d.code for d in found]
    shown = "\n".join(d.render() for d in found)
    assert text in shown
    assert all(d.span is not None and d.span.line > 1 for d in found)


def test_a_style_s_mistakes(library: Library) -> None:
    library.write("styles/s.yaml", {
        "options": {"a": {"item": "{{ txet }}"}},
        "shots": {"b": {"exemplar": "{{ input }}"}, "c": {"opening": "x"}},
    })  # fmt: skip
    assert sorted(c for c, _ in diagnostics(library.root)) == ["FC202", "FC209", "FC209"]


@pytest.mark.parametrize(
    ("each", "wrong"),
    [
        ({"lang": ["en", {"name": "en"}]}, "FC201.*named twice: en"),
        ({"lang": [{"title": "English"}]}, "FC201.*each value needs a `name`"),
        ({"file": {"files": "rows/**/*.jsonl"}}, "FC109.*two files are named 'one'"),
    ],
)
def test_for_each_gives_no_name_twice(library: Library, each: dict[str, Any], wrong: str) -> None:
    library.write("datasets/toy.yaml", {**dataset_of("toy"), "for_each": each})
    for folder in ("a", "b"):
        library.write(f"datasets/rows/{folder}/one.jsonl", [{}])
    with pytest.raises(FlancompileError, match=wrong):
        loaded, found = load_library([library.root])
        if found:
            raise FlancompileError(found)
        loaded.tasks()


def test_words_before_a_bracket_are_no_calls_outside_slots(tmp_path: Path) -> None:
    made = Library(tmp_path)
    about = dataset_of("toy")
    about["tasks"]["qa"]["instruction"] = "Answer the question (in a word) as the answer (short)."
    made.write("datasets/toy.yaml", about)
    made.write("datasets/toy.jsonl", [])
    assert check(tmp_path) == []


LANGUAGES = st.lists(
    st.from_regex(r"[a-z]{2,3}", fullmatch=True), min_size=1, max_size=6, unique=True
)


@settings(deadline=None, max_examples=20)
@given(names=LANGUAGES, fixed=st.booleans())
def test_a_task_has_the_language_of_its_value(names: list[str], fixed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        about = {**dataset_of("toy"), "for_each": {"lang": [{"name": n} for n in names]}}
        shown = ["{{ lang.name }}", *(["en-x"] if fixed else [])]
        about["source"] = {**about["source"], "languages": shown}
        library.write("datasets/toy.yaml", about)
        loaded, found = load_library([library.root], builtin=False)
        assert not found and not check_library(loaded)
        tasks = list(loaded.tasks().values())
        assert len(tasks) == len(names)
        for name in names:
            chosen = parse_selector(f"language:{name}").pick(tasks)
            assert chosen == [f"toy.{name}/qa"]
        assert len(parse_selector("language:en-x").pick(tasks)) == (len(names) if fixed else 0)


def test_a_language_may_show_the_variable_alone(library: Library) -> None:
    about = dataset_of("toy")
    about["source"] = {**about["source"], "languages": ["{{ lang.name }}"]}
    library.write("datasets/toy.yaml", about)
    loaded, _ = load_library([library.root], builtin=False)
    (fault,) = [d for d in check_library(loaded) if d.code == "FC202"]
    assert "'lang'" in fault.message and fault.span is not None and fault.span.line > 1
