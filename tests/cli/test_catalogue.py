"""`catalogue`: a page about each dataset of a library."""

from pathlib import Path

from commands import call
from toys import Library, dataset_of

from flancompile.cli.catalogue import catalogue
from flancompile.dsl.library.library import load_library


def made(root: Path) -> Library:
    library = Library(root)
    about = dataset_of("toy")
    about["source"] |= {"license": "MIT | Apache-2.0"}
    about["tasks"]["qa"] |= {"rungs": ["anli_r1"], "templates": [
        *about["tasks"]["qa"]["templates"],
        {"name": "steps", "cot": True, "input": "{{ question }}", "target": "{{ note }} {{ answer }}"},
    ]}  # fmt: skip
    about["tasks"]["reverse"] = {
        "cluster": "writing", "signature": "answer -> question", "inverted": True,
        "templates": [{"name": "t", "input": "{{ answer }}", "target": "{{ question }}"}],
    }  # fmt: skip
    library.write("datasets/toy.yaml", about)
    hub = {**dataset_of("other"), "source": {"hub": "some/other", "config": "main"}}
    library.write("datasets/other.yaml", hub)
    for name, sources in (
        ("one", {"other": {"files": {"train": "x.jsonl"}}}),
        ("two", {"toy": {"files": {"train": "y"}}}),
    ):
        library.write(f"overlays/{name}.yaml", {"overlay": name, "sources": sources})
    return library


def test_a_row_for_each_dataset(tmp_path: Path) -> None:
    library, found = load_library([made(tmp_path).root], builtin=False)
    assert found == []
    page = catalogue(library, ["one", "two"])
    assert page.startswith("# Catalogue\n\n2 datasets, 3 tasks, 6 templates, ")
    assert page.count("\n## ") == 1 and "## arithmetic" in page
    lines = [line for line in page.splitlines() if line.startswith("| ") and "licence" not in line]
    assert lines == [
        "| other | `some/other` `main` |  | qa (2) |  | one |",
        "| toy | files | MIT \\| Apache-2.0 | qa (3, 1 step by step), *reverse* (1) | anli_r1 | two |",
    ]
    assert catalogue(library).count("| two |") == 0


def test_the_command_prints_the_page(tmp_path: Path) -> None:
    made(tmp_path)
    page = call("catalogue", "--library", ".", "--overlay", "two", cwd=tmp_path)
    assert "| toy | files |" in page and page.endswith("|\n")
    assert "FC402" in call("catalogue", "--library", ".", "--overlay", "three", cwd=tmp_path, ok=2)
    (tmp_path / "datasets" / "toy.yaml").write_text("a: [\n")
    assert "FC101" in call("catalogue", "--library", ".", cwd=tmp_path, ok=2)
