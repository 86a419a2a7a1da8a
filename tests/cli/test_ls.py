"""`ls`: tasks by selector, and the other kinds."""

from pathlib import Path

from commands import call, call_json


def test_ls(home: Path) -> None:
    (task,) = call_json("ls", cwd=home)
    assert (task["task"], task["templates"]) == ("toy/qa", 2)
    assert call_json("ls", "-s", "inverted", cwd=home) == []
    assert "r" in call("ls", "recipes", cwd=home)
    assert "paren_letter" in call("ls", "styles", cwd=home)
    assert "did you mean 'tasks'" in call("ls", "task", cwd=home, ok=2)


def test_each_kind_as_json_and_as_a_table(home: Path) -> None:
    for kind, key in (("mixtures", "mixture"), ("recipes", "recipe"), ("styles", "style")):
        rows = call_json("ls", kind, cwd=home)
        lines = call("ls", kind, cwd=home).splitlines()
        assert len(lines) == len(rows) + 2 and lines[-1] == f"{len(rows)} {kind}"
        assert lines[0].split()[0] == key
        shown = [line.split()[0] for line in lines[1:-1]]
        assert shown == [str(row[key]) for row in rows] and rows
    assert call("ls", "overlays", cwd=home) == "0 overlays\n"


def test_cells_are_aligned(home: Path) -> None:
    head, line, *_ = call("ls", "-l", ".", cwd=home).splitlines()
    assert line.index("arithmetic") == head.index("cluster")
    assert line.index("question -> answer") == head.index("signature")
