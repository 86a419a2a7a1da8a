"""Options that commands share, and the help of every command."""

from pathlib import Path
from typing import Any

import pytest
from commands import COMMANDS, parsed


def options(command: Any) -> dict[str, Any]:
    """The parameters of a command by their flags."""
    return {flag: p for p in command.params for flag in p.opts if flag.startswith("-")}


def test_every_command_and_option_has_its_help() -> None:
    assert len(COMMANDS) >= 20
    for name, command in COMMANDS.items():
        assert command.help and command.help.endswith((".", ")")), name
        for flag, option in options(command).items():
            assert flag == "--help" or option.help, f"{name} {flag}"
            assert option.help is None or option.help.endswith("."), f"{name} {flag}"


def test_an_option_means_the_same_in_each_command() -> None:
    """Where commands share a flag, it has one short form and one kind of value."""
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for command in COMMANDS.values():
        for option in options(command).values():
            if len(option.opts) > 1:
                long = max(option.opts, key=len)
                kinds.setdefault(long, set()).add(tuple(sorted(option.opts)))
    assert {"--library", "--out", "--count", "--workers"} <= set(kinds)
    assert {k: v for k, v in kinds.items() if len(v) > 1} == {}
    short = [min(v, key=len) for found in kinds.values() for v in found]
    assert len(short) == len(set(short))


@pytest.mark.parametrize("name", ["ls", "plan", "compile", "train", "show", "ladder", "catalogue"])
def test_libraries_may_be_repeated(name: str) -> None:
    required = {"plan": ["r"], "compile": ["r", "-o", "b"], "train": ["r"], "show": ["t"]}
    words = [name, *required.get(name, []), "-l", "a", "--library", "b/c"]
    assert parsed(*words)["library"] == [Path("a"), Path("b/c")]
    assert parsed(*words[:-4])["library"] == []


@pytest.mark.parametrize("name", ["plan", "compile"])
def test_settings_of_a_recipe(name: str) -> None:
    out = ["-o", "b"] if name == "compile" else []
    found = parsed(name, "r", *out, "--hold-out", "nli", "--hold-out", "sums", "--missing", "error")
    assert (found["hold_out"], found["missing"]) == (["nli", "sums"], "error")
    bare = parsed(name, "r", *out)
    assert (bare["hold_out"], bare["missing"], bare["overlay"], bare["cache"]) == (
        [],
        None,
        None,
        None,
    )


def test_a_missing_argument_is_a_usage_error() -> None:
    counted = 0
    for name, command in COMMANDS.items():
        if any(p.required for p in command.params):
            counted += 1
            with pytest.raises(Exception, match="Missing parameter"):
                parsed(name)
    assert counted > 10
