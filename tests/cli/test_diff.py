"""`diff`: exit codes, text and JSON, of libraries and of builds."""

from pathlib import Path

from commands import call, call_json
from toys import Library, dataset_of


def libraries(folder: Path) -> None:
    """Libraries `a` and `b`; in `b` a template is longer and a dataset is new."""
    for name in ("a", "b"):
        library = Library(folder / name)
        about = dataset_of("toy")
        if name == "b":
            about["tasks"]["qa"]["templates"][0]["input"] = "Say: {{ question }}"
            library.write("datasets/more.yaml", dataset_of("more"))
        library.write("datasets/toy.yaml", about)


def test_libraries(tmp_path: Path) -> None:
    libraries(tmp_path)
    shown = call("diff", "a", "b", cwd=tmp_path, ok=1).splitlines()
    assert [line for line in shown if line[0] in "+-~"] == ["+ more/qa", "~ toy/qa"]
    assert "    template 'plain': input" in shown
    assert "- more/qa" in call("diff", "b", "a", cwd=tmp_path, ok=1)
    found = call_json("diff", "a", "b", cwd=tmp_path, ok=1)
    assert {(d["task"], d["kind"]) for d in found} == {("more/qa", "added"), ("toy/qa", "changed")}


def test_no_difference(tmp_path: Path, home: Path) -> None:
    libraries(tmp_path)
    assert call("diff", "a", "a", cwd=tmp_path) == "no difference\n"
    assert call_json("diff", "a", "a", cwd=tmp_path) == []
    assert call("diff", "build", "build", cwd=home) == "no difference\n"


def test_what_cannot_be_compared(tmp_path: Path, home: Path) -> None:
    libraries(tmp_path)
    assert "FC504" in call("diff", str(home / "build"), "a", cwd=tmp_path, ok=2)
    (tmp_path / "b" / "datasets" / "toy.yaml").write_text("a: [\n")
    told = call("diff", "a", "b", cwd=tmp_path, ok=2)
    assert "FC101" in told and "toy.yaml:1:" in told
