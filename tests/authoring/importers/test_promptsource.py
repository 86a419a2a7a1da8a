"""promptsource's files: nearly all come in, check clean, and render what jinja2 renders."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_rows import made_rows
from promptsource_reference import ENV, ours, reference

from flancompile import check
from flancompile.authoring.importers.promptsource import Imported, _Loader, import_file
from flancompile.authoring.preview import PreviewSettings, spec_of
from flancompile.compiler.columns.unlowered import unlowered
from flancompile.compiler.request import bare_request
from flancompile.dsl.jinja.expression import RowError
from flancompile.dsl.yaml.formatting import formatted

ROWS = 5  # that fit, for each template
TRIES = 400

WRITTEN: dict[str, dict[str, Any]] = {  # rows for templates that want more than can be guessed
    "conv_ai": {
        "context": "Two people talk.",
        "evaluation": [
            {"userId": "Alice", "engagement": 3, "breadth": 2, "quality": 4},
            {"userId": "Bob", "engagement": 2, "breadth": 1, "quality": 5},
        ],
        "thread": [{"userId": "Alice", "text": "Hello!"}, {"userId": "Bob", "text": "Good day."}],
    },
    "mdd_task1_qa": {
        "dialogue_turns": {"speaker": [0, 1], "utterance": ["Who made Avalanche?", "Corey Allen"]}
    },
    "qasc": {
        "question": "What forms beads of water?",
        "formatted_question": "What forms beads? (A) heat (B) vapor",
        "choices": {"label": ["A", "B"], "text": ["heat", "vapor"]},
        "answerKey": "B",
        "fact1": "beads of water are formed by vapor condensing",
        "fact2": "clouds are made of vapor",
        "combinedfact": "beads of water can be formed by clouds",
    },
    "math_dataset": {"question": "Solve 3*x = 2*x + 5 for x.", "answer": "5"},
    "openai_humaneval": {
        "test": 'def check(f):\n    assert f(2) == 4, "twice"\n    assert f(0) == 0\n',
        "prompt": "def double(n):",
        "canonical_solution": "    return 2 * n",
        "entry_point": "double",
    },
    "scientific_papers": {
        "article": "One. \nTwo. \nThree. \nFour. \nFive. \nSix. \n",
        "abstract": "In short. \nVery short. \n",
    },
    "species_800": {
        "tokens": ["We", "grew", "Homo", "sapiens", "cells", "."],
        "ner_tags": [0, 0, 1, 2, 0, 0],
    },
    "trec": {"text": "How many legs has a spider?", "coarse_label": 5, "fine_label": 39},
}


def files(shared: Path) -> list[Path]:
    return sorted((shared / "promptsource").rglob("templates.yaml"))


def fitting_rows(
    dataset: str, template: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Rows that promptsource's own way renders, with what it makes of them."""
    tree = ENV.parse(f"{template['jinja']} {template.get('answer_choices') or ''}")
    written = [row for name, row in WRITTEN.items() if dataset.startswith(name)]
    for row in (*written, *made_rows(tree, TRIES)):
        row = {n: value for n, value in row.items() if n != "answer_choices"}
        want = reference(template, row)
        if want is not None and all(want) and "<built-in" not in "".join(want):
            yield row, want


@pytest.fixture(scope="module")
def imported(shared: Path) -> list[tuple[Path, Imported]]:
    return [(path, import_file(path)) for path in files(shared)]


def written(imported: list[tuple[Path, Imported]], folder: Path) -> None:
    """A library of what came in."""
    (folder / "datasets").mkdir()
    for _, one in imported:
        if one.templates:
            (folder / "datasets" / f"{one.id}.yaml").write_text(one.text)


@pytest.mark.slow
def test_at_least_99_of_100_templates_come_in(imported: list[tuple[Path, Imported]]) -> None:
    made = sum(len(one.templates) for _, one in imported)
    left = [x for _, one in imported for x in one.left_out]
    assert len(imported) == 126
    assert made / (made + len(left)) >= 0.99
    assert all(x.reason for x in left)


@pytest.mark.slow
def test_imported_files_are_in_canonical_form(imported: list[tuple[Path, Imported]]) -> None:
    some = imported[::8]
    assert len(some) == 16
    for _, one in some:
        assert formatted(one.text) == one.text


@pytest.mark.slow
def test_imported_files_have_no_errors(
    imported: list[tuple[Path, Imported]], tmp_path: Path
) -> None:
    written(imported, tmp_path)
    errors = [d.render() for d in check(tmp_path) if d.severity == "error"]
    assert errors == []


@pytest.mark.slow
def test_at_least_95_of_100_go_by_columns(
    imported: list[tuple[Path, Imported]], tmp_path: Path
) -> None:
    written(imported, tmp_path)
    request = bare_request((tmp_path,), None)
    specs = [spec_of(request, task, PreviewSettings()) for task in request.tasks.values()]
    total = sum(len(spec.templates) for spec in specs)
    left = [u for spec in specs for u in unlowered(spec)]
    assert total > 900
    assert len(left) <= 0.05 * total, left[:5]


STRICTER = re.compile("^the index -[0-9]+ is negative$|is no number; write a default")
LISTED = re.compile(
    "^a (list|map) (would be printed|reaches) "
)  # which Jinja prints as Python text


@pytest.mark.slow
def test_each_renders_what_jinja_renders(imported: list[tuple[Path, Imported]]) -> None:
    untried: list[tuple[str, str]] = []
    differ: list[Any] = []
    compared = stricter = listed = 0
    for path, one in imported:
        read = yaml.load(path.read_text(), Loader=_Loader)["templates"].values()
        given = {t["id"]: t for t in read}
        data = yaml.safe_load(one.text)
        for id_, (category, name) in one.templates.items():
            template = next(t for t in data["tasks"][category]["templates"] if t["name"] == name)
            fitting = 0
            for row, want in fitting_rows(one.id, given[id_]):
                if fitting == ROWS:
                    break
                try:
                    got = ours(template, data["fields"], row)
                except RowError as error:
                    if LISTED.search(str(error)):
                        listed += 1
                        continue
                    if STRICTER.search(str(error)):  # Jinja takes the last item, or 0, in silence
                        fitting += 1
                        stricter += 1
                        continue
                    got = [repr(error)]
                except Exception as error:
                    got = [repr(error)]
                fitting += 1
                if got != want:
                    differ.append((one.id, given[id_]["name"], row, want, got))
                    break
            compared += fitting > 0
            if not fitting:
                untried.append((one.id, given[id_]["name"]))
    assert differ == []
    assert untried == []
    assert compared == sum(len(one.templates) for _, one in imported)
    assert 0 < stricter < 0.05 * compared
    assert listed > 0
