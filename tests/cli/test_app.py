"""The application: help, version, exit codes and errors with their code."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import CODE, call, run


def test_help_names_every_command(home: Path) -> None:
    text = call("--help", cwd=home)
    for command in (
        "check",
        "ls",
        "show",
        "new",
        "diff",
        "import",
        "fmt",
        "plan",
        "compile",
        "train",
        "eval",
        "demo",
        "inspect",
        "explain",
        "verify",
        "export",
        "schema",
        "cache",
    ):
        assert command in text
        assert "Usage" in call(command, "--help", cwd=home)
    assert call("--version", cwd=home).startswith("flancompile ")


def test_mistakes_on_the_command_line(home: Path) -> None:
    assert "No such option" in call("compile", "r", "--uot", "x", cwd=home, ok=2)
    assert "there is no recipe 'rr'" in call("compile", "rr", "--out", "x", cwd=home, ok=2)
    assert "there is no recipe file" in call("compile", "gone.yaml", "--out", "x", cwd=home, ok=2)
    assert "there is no library folder" in call("ls", "-l", "nowhere", cwd=home, ok=2)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("show toy/qa --row 900", "FC308"),
        ("compile r --out other --memory lots", "FC415"),
        ("ls taks", "FC416"),
        ("inspect build --pack 9999", "FC507"),
        ("export build --to csv -o x", "FC508"),
        ("explain build", "FC509"),
    ],
)
def test_a_wrong_value_on_the_command_line_has_its_code(
    home: Path, command: str, code: str
) -> None:
    words = command.split()
    more = ["--library", "."] if words[0] in ("show", "ls") else []
    assert code in call(*words, *more, cwd=home, ok=2)


def test_the_real_process(home: Path) -> None:
    assert run("--version", cwd=home).startswith("flancompile ")
    assert run("compile", "rr", "--out", "x", cwd=home, ok=2).startswith("error FC402")


def test_help_without_a_command(home: Path) -> None:
    assert "Usage" in call(cwd=home, ok=2)
    assert call("-h", cwd=home) == call("--help", cwd=home)
    assert "No such command 'chek'" in call("chek", cwd=home, ok=2)


def test_a_closed_pipe_is_no_error(home: Path) -> None:
    ls = [sys.executable, "-c", CODE, "ls", "styles"]
    with subprocess.Popen(ls, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
