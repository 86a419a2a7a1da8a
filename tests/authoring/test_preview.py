"""Previews of a task: choice of row, template and styles; dropped rows."""

from pathlib import Path
from typing import Any

import pytest
from toys import Library, dataset_of

from flancompile.authoring.preview import SAMPLE_ROWS, Preview, PreviewSettings, preview
from flancompile.compiler.request import CompileRequest, bare_request
from flancompile.errors import FlancompileError

ROWS = 260  # more than a sample


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("library"))
    made.dataset("toy", rows=ROWS)
    about = dataset_of("noted")
    task = about["tasks"]["qa"]
    task |= {"signature": "question, note -> answer", "choices": None, "eval": None}
    task["templates"] = [
        {"name": "asks", "input": "{{ question }} {{ note }}", "target": "{{ answer }}"},
        {"name": "why", "cot": True, "input": "{{ question }}", "target": "{{ note }} {{ answer }}"},
        {"name": "drawn", "let": {"word": "pick(['Say', 'Tell'])"}, "when": "topic == 'topic 1'",
         "input": "{{ word }}: {{ question }}", "target": "{{ answer }}"},
    ]  # fmt: skip
    about["tasks"]["qa"] = {k: v for k, v in task.items() if v is not None}
    made.write("datasets/noted.jsonl", (made.root / "datasets" / "toy.jsonl").read_text())
    made.write("datasets/noted.yaml", about)
    made.write(
        "datasets/none.yaml", {**dataset_of("none"), "source": {"files": {"train": "none.jsonl"}}}
    )
    made.write("datasets/none.jsonl", "")
    made.mixture({"select": "source:toy"})
    made.recipe(size={"passes": 1}, seed=5)
    return made


@pytest.fixture(scope="module")
def request_(library: Library) -> CompileRequest:
    return bare_request((library.root,), None, 5)


def shown(
    request: CompileRequest, task: str = "toy/qa", split: str = "train", **wanted: Any
) -> tuple[list[Preview], dict[str, int]]:
    return preview(request, request.tasks[task], split, PreviewSettings(**wanted))


def test_a_preview_is_what_a_build_has(
    library: Library, request_: CompileRequest, tmp_path: Path
) -> None:
    """The same seed and arms give the same template, options and text for each row."""
    build = library.compile(tmp_path / "b", tmp_path / "c")
    found = {p.row_id: p for p in shown(request_, count=ROWS)[0]}
    assert len(found) == SAMPLE_ROWS
    compared = 0
    for number in range(build.manifest.counts["examples"]):
        about = build.example(number)
        if (one := found.get(about["row_id"])) is None:
            continue
        compared += 1
        for key in ("template", "option_style", "shots_style", "cot", "shots"):
            assert getattr(one, key) == about[key]
        if one.option_style is not None:  # distractors come from the rows of the sample
            continue
        sizes = [len(text.encode()) for text in one.spans]
        assert sizes == [about["prompt_tokens"], about["target_tokens"]]
    assert compared == SAMPLE_ROWS


def test_a_row_by_its_id_and_by_its_place(request_: CompileRequest) -> None:
    everything = shown(request_, count=ROWS)[0]
    ids = [p.row_id for p in everything]
    for row in ("4", ids[0], "259"):  # ids, of which some are also places in the sample
        (one,) = shown(request_, row=row)[0]
        assert one.row_id == row
    assert "259" not in ids or "258" not in ids  # an id beyond the sample is found as well
    named = shown(request_, "noted/qa", row="199", template="why")[0]
    assert [p.row_id for p in named] == ["199"]


def test_a_place_in_the_sample(library: Library, request_: CompileRequest) -> None:
    rows = [
        {"id": f"r{i}", "question": f"q{i}", "answer": "a", "topic": "t", "note": "n"}
        for i in range(5)
    ]
    library.write("datasets/places.jsonl", rows)
    library.write("datasets/places.yaml", {**dataset_of("places"), "id": "places"})
    request = bare_request((library.root,), None, 5)
    ids = [p.row_id for p in shown(request, "places/qa", count=9)[0]]
    assert sorted(ids) == [f"r{i}" for i in range(5)]
    assert [shown(request, "places/qa", row=str(n))[0][0].row_id for n in range(5)] == ids
    for row, hint in (("5", "rows 0 to 4"), ("row-r1", "rows 0 to 4"), ("r11", "did you mean")):
        with pytest.raises(FlancompileError, match="there is no row") as caught:
            shown(request, "places/qa", row=row)
        assert caught.value.code == "FC308"
        assert hint in (caught.value.diagnostics[0].hint or "")
    (library.root / "datasets" / "places.yaml").unlink()


def test_a_row_of_an_empty_split(request_: CompileRequest) -> None:
    assert shown(request_, "none/qa") == ([], {})
    with pytest.raises(FlancompileError, match="there is no row 'x'") as caught:
        shown(request_, "none/qa", row="x")
    assert caught.value.diagnostics[0].hint == "the split has no rows"


def test_rows_that_give_no_example_are_counted(request_: CompileRequest) -> None:
    found, reasons = shown(request_, "noted/qa", template="asks", count=ROWS)
    assert reasons == {"a null value would be printed": SAMPLE_ROWS - len(found)}
    assert SAMPLE_ROWS * 0.7 < len(found) < SAMPLE_ROWS * 0.9  # a fifth of the rows has no note
    found, reasons = shown(request_, "noted/qa", template="drawn", count=2)
    assert len(found) == 2 and {p.template for p in found} == {"drawn"}
    assert max(reasons.values()) > SAMPLE_ROWS / 2
    assert shown(request_, "noted/qa", template="asks", row="0")[0] == []


def test_a_row_that_is_dropped_when_it_is_read(library: Library) -> None:
    rows = [
        {"id": f"r{i}", "question": "q", "answer": f"a{i}", "topic": "t" if i else "x", "note": "n"}
        for i in range(6)
    ]
    library.write("datasets/lacks.jsonl", rows)
    library.write("datasets/lacks.yaml", {**dataset_of("lacks"), "where": "topic == 't'"})
    request = bare_request((library.root,), None, 5)
    with pytest.raises(FlancompileError, match="row 'r0' is dropped when it is read: ") as caught:
        shown(request, "lacks/qa", row="r0")
    assert caught.value.code == "FC308"
    found, reasons = shown(request, "lacks/qa", count=9)
    assert ({p.row_id for p in found}, reasons) == ({f"r{i}" for i in range(1, 6)}, {"where": 1})
    (library.root / "datasets" / "lacks.yaml").unlink()


def test_the_template_that_is_wanted(request_: CompileRequest) -> None:
    for name in ("plain", "pick"):
        assert {p.template for p in shown(request_, template=name, count=20)[0]} == {name}
    with pytest.raises(FlancompileError) as caught:
        shown(request_, template="pikc")
    assert caught.value.code == "FC203"
    assert caught.value.diagnostics[0].hint == "did you mean 'pick'?"
    with pytest.raises(FlancompileError) as caught:
        shown(request_, template="zzzzzz")
    assert caught.value.diagnostics[0].hint == "templates: plain, pick"


def test_options_and_rationales_as_wanted(request_: CompileRequest) -> None:
    for options in (True, False):
        found = shown(request_, template="pick", options=options, count=30)[0]
        assert {p.option_style is not None for p in found} == {options}
    for cot in (True, False):
        found = shown(request_, "noted/qa", cot=cot, count=30)[0]
        assert {p.cot for p in found} == {cot} == {p.template == "why" for p in found}
    found = shown(request_, cot=True, count=5)[0]  # the task has no such template
    assert len(found) == 5


def test_exemplars_and_their_row_ids(request_: CompileRequest) -> None:
    found = shown(request_, shots=3, count=10)[0]
    assert {p.shots for p in found} == {3}
    for one in found:
        assert len(set(one.exemplars)) == 3 and one.row_id not in one.exemplars
        assert all(f"What is {row} plus" in one.spans[0] for row in (*one.exemplars, one.row_id))


def test_one_option_style_or_a_pattern_of_them(request_: CompileRequest) -> None:
    found = shown(request_, template="pick", options=True, option_style="dash", count=9)[0]
    assert {p.option_style for p in found} == {"dash"}
    styles = {
        p.option_style for p in shown(request_, options=True, option_style="*letter*", count=60)[0]
    }
    assert len(styles - {None}) > 1 and all(s is None or "letter" in s for s in styles)
    with pytest.raises(FlancompileError) as caught:
        shown(request_, option_style="dsh")
    assert caught.value.code == "FC411"
    with pytest.raises(FlancompileError) as caught:
        shown(request_, chat_style="tokenizer")
    assert caught.value.code == "FC417"


def test_draws_name_what_was_drawn(request_: CompileRequest) -> None:
    found = shown(request_, "noted/qa", template="drawn", count=30)[0]
    assert {p.draws["word"] for p in found} == {"Say", "Tell"}
    assert all(f"{p.draws['word']}: What" in p.spans[0] for p in found)
    assert {p.draws["template"] for p in found} == {"drawn of 1"}
    (one,) = shown(request_, template="pick", options=True, row="7")[0]
    texts = one.draws["order"].split(" | ")
    assert len(texts) == 4 and len(set(texts)) == 4 and all(text in one.spans[0] for text in texts)


def test_epochs_and_seeds_draw_anew(library: Library, request_: CompileRequest) -> None:
    first = shown(request_, count=40)[0]
    assert shown(request_, count=40)[0] == first
    again = shown(request_, count=40, epoch=1)[0]
    assert [p.row_id for p in again] == [p.row_id for p in first] and again != first
    other = bare_request((library.root,), None, 6)
    assert shown(other, count=40)[0] != first
