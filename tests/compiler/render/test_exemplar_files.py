"""Exemplar files of every format, and their errors."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from toys import Library, change, dataset_of

from flancompile.compiler.check.libraries import check_libraries
from flancompile.compiler.render.exemplar_files import exemplar_items, exemplar_name, exemplar_path
from flancompile.dsl.library.library import TaskDef, load_library
from flancompile.errors import FlancompileError
from flancompile.store.verify import verify

ROWS = [{"question": "x; y?", "answer": "X"}, {"question": "é?", "answer": "null"}]


def written(folder: Path, name: str, read: dict[str, Any]) -> None:
    path = folder / "datasets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".csv", ".tsv"):
        encoding, delimiter = read.get("encoding", "utf-8"), read.get("delimiter", ",")
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else delimiter)
            writer.writerows([list(ROWS[0]), *(list(r.values()) for r in ROWS)])
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    else:  # JSON is YAML
        path.write_text(json.dumps({"rows": ROWS} if read else ROWS))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("shots_{{ lang.name }}.csv", {"delimiter": ";", "encoding": "utf-16"}),
        ("{{ lang.name }}/shots.tsv", {}), ("shots.jsonl", {}), ("shots.yaml", {}),
        ("shots.json", {}), ("{{ lang.name }}.json", {"rows": "rows"}),
    ],
)  # fmt: skip
def test_exemplar_files_of_every_format_and_value(
    tmp_path: Path, name: str, read: dict[str, Any]
) -> None:
    made = Library(tmp_path)
    made.dataset(rows=4)
    about = dataset_of("toy")
    about["for_each"] = {"lang": [{"name": "en"}, {"name": "de"}]}
    exemplars: dict[str, Any] = {"from": "file", "file": name, **({"read": read} if read else {})}
    about["tasks"]["qa"]["exemplars"] = exemplars
    made.write("datasets/toy.yaml", about)
    for lang in ("en", "de"):
        written(tmp_path, name.replace("{{ lang.name }}", lang), read)
    assert [d for d in check_libraries([tmp_path]) if d.severity == "error"] == []
    library, _ = load_library([tmp_path])
    tasks = [t for t in library.tasks().values() if t.variable is not None]
    assert len(tasks) == 2
    for task in tasks:
        assert exemplar_items(task) == ROWS
    made.mixture({"select": "all", "shots": {2: 1}})
    made.recipe(size={"examples": 6})
    build = made.compile(tmp_path / "build", tmp_path / "cache")
    assert build.manifest.counts["examples"] > 0
    if "{{" in name:
        exemplars["file"] = name.replace("lang", "language")
        made.write("datasets/toy.yaml", about)
        assert "FC202" in [d.code for d in check_libraries([tmp_path])]


@pytest.mark.parametrize(
    ("text", "why"),
    [("question,answer\nx\n", "1 values for 2 columns"), ("question,answer\n", "no exemplars")],
)
def test_an_exemplar_file_with_a_bad_row_or_none_is_an_error(
    tmp_path: Path, text: str, why: str
) -> None:
    made = Library(tmp_path)
    made.dataset(rows=4)
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {"from": "file", "file": "shots.csv"}
    made.write("datasets/toy.yaml", about)
    made.write("datasets/shots.csv", text)
    library, _ = load_library([tmp_path])
    with pytest.raises(FlancompileError, match=why) as caught:
        exemplar_items(next(iter(library.tasks().values())))
    assert caught.value.code == "FC303"


def task_with(root: Path, files: dict[str, str], **exemplars: Any) -> TaskDef:
    """A task of a dataset with exemplars `from: file`. files: texts beside the dataset file."""
    made = Library(root)
    made.dataset(rows=4)
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {"from": "file", **exemplars}
    made.write("datasets/toy.yaml", about)
    for name, text in files.items():
        made.write(f"datasets/{name}", text)
    library, _ = load_library([root])
    return next(iter(library.tasks().values()))


def error_of(task: TaskDef) -> FlancompileError:
    with pytest.raises(FlancompileError) as caught:
        exemplar_items(task)
    return caught.value


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("shot.yaml", "did you mean 'shots.yaml'?"),
        ("few/shots.yaml", "there is no folder 'few' beside the dataset file"),
        ("nothing.like.it", "looked in {folder}"),
    ],
)
def test_a_missing_file_has_the_nearest_name(tmp_path: Path, name: str, hint: str) -> None:
    error = error_of(task_with(tmp_path, {"shots.yaml": "[]"}, file=name))
    (found,) = error.diagnostics
    assert (found.code, found.message) == ("FC301", f"there is no exemplar file {name!r}")
    assert found.hint == hint.format(folder=tmp_path / "datasets")
    assert found.span is not None and Path(found.span.path).name == "toy.yaml"
    line = Path(found.span.path).read_text().splitlines()[found.span.line - 1]
    assert line.strip() == f"file: {name}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("question: x?\nanswer: X\n", "a YAML file of exemplars must be a list of rows"),
        ("", "a YAML file of exemplars must be a list of rows"),
        ("[]", "the file has no exemplars"),
    ],
)
def test_a_yaml_file_is_a_list_of_rows(tmp_path: Path, text: str, why: str) -> None:
    error = error_of(task_with(tmp_path, {"shots.yaml": text}, file="shots.yaml"))
    assert (error.code, error.diagnostics[0].message) == ("FC303", f"shots.yaml: {why}")


def test_rows_of_yaml_are_plain_values(tmp_path: Path) -> None:
    text = "- {q: 1, on: 2001-02-03, of: [a, null, true, 1.5]}\n- text\n- 5\n- null\n"
    items = exemplar_items(task_with(tmp_path, {"shots.yml": text}, file="shots.yml"))
    assert items == [
        {"q": 1, "on": "2001-02-03", "of": ["a", None, True, 1.5]}, "text", 5, None,
    ]  # fmt: skip
    assert json.loads(json.dumps(items)) == items


def test_a_format_overrides_the_name(tmp_path: Path) -> None:
    """A file that is named as YAML, and is read as its format says."""
    text = '{"q": "1?"}\n\n{"q": "2?"}\n'
    task = task_with(tmp_path, {"shots.yaml": text}, file="shots.yaml", format="jsonl")
    assert exemplar_items(task) == [{"q": "1?"}, {"q": "2?"}]
    assert exemplar_name(task) == "shots.yaml"
    assert exemplar_path(task) == tmp_path / "datasets" / "shots.yaml"


def test_exemplars_from_a_fixed_file(library: Library, cache: Path, tmp_path: Path) -> None:
    library.write("datasets/fixed.yaml.txt", "")
    library.write(
        "datasets/shots/fixed.jsonl",
        '\ufeff{"q": "one plus one?\u2028", "a": "2"}\n{"q": "two plus two?", "a": "4"}\n',
    )
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"] = about["tasks"]["qa"]["templates"][:1]
    about["tasks"]["qa"]["exemplars"] = {
        "from": "file", "file": "shots/fixed.jsonl", "order": "file",
        "fields": {"question": "item.q", "answer": "item.a"},
    }  # fmt: skip
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    _, tokens = build.example_ids(0, 0)
    text = bytes(int(t) - 3 for t in tokens["tokens"] if t > 2).decode()
    assert text.index("one plus one?") < text.index("two plus two?")
    shown = {e for b in build.examples() for r in b.to_pylist() for e in r["exemplars"]}
    names = build.exemplar_names("toy/qa")
    assert {names[e].split(":")[0] for e in shown} == {"shots/fixed.jsonl"}
    assert verify(build) == []


def test_a_missing_exemplar_file_has_a_place(library: Library, cache: Path, tmp_path: Path) -> None:
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {"from": "file", "file": "gone.jsonl"}
    library.write("datasets/toy.yaml", about)
    with pytest.raises(FlancompileError, match=r"toy\.yaml:\d+:\d+: error FC301"):
        library.compile(tmp_path / "a", cache)


def test_an_exemplar_file_is_read_as_lines_of_unicode(
    library: Library, cache: Path, tmp_path: Path
) -> None:
    items = [{"question": f"odd\u2028{i}?", "answer": str(i)} for i in range(4)]
    lines = "".join(json.dumps(i, ensure_ascii=False) + "\r\n" for i in items)
    library.write("datasets/shots.jsonl", "\ufeff" + lines)
    about = dataset_of("toy")
    about["tasks"]["qa"]["exemplars"] = {
        "from": "file", "file": "shots.jsonl",
        "fields": {"question": "item.question", "answer": "item.answer"},
    }  # fmt: skip
    library.write("datasets/toy.yaml", about)
    change(library, "mixtures/m.yaml", members=[{"select": "source:toy"}], shots={2: 1})
    build = library.compile(tmp_path / "a", cache)
    assert build.manifest.tasks[0].shots[2] > 200
