"""Diagnostics as GitHub's workflow commands and as SARIF."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flancompile._version import __version__
from flancompile.cli.formats import github, sarif
from flancompile.errors import Diagnostic, Span

PLACED = Diagnostic("FC105", "unknown key", Span("lib/a.yaml", 2, 3, 2, 9), "did you mean 'b'?")
BARE = Diagnostic("FC107", "there is no file", severity="warning")
ALLOWED = Diagnostic(
    "FC332", "same rows", Span("a.yaml", 1, 1, 4, 2), severity="warning", allowed="known"
)


def undone(text: str) -> str:
    """GitHub's own unescaping, in its order."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_lines_for_github() -> None:
    place = "file=lib/a.yaml,line=2,col=3,endLine=2,endColumn=9,title=FC105"
    assert github([PLACED, BARE]).splitlines() == [
        f"::error {place}::unknown key%0Adid you mean 'b'?",
        "::warning::there is no file",
    ]
    assert github([]) == ""


ODD = st.text(st.sampled_from("a:,%\n\r0ADC23 é"), min_size=1, max_size=12)


@given(ODD, ODD, ODD)
def test_texts_and_paths_are_escaped(path: str, message: str, hint: str) -> None:
    line = github([Diagnostic("FC101", message, Span(path, 1, 2, 3, 4), hint)])
    assert line.count("\n") == 1 and "\r" not in line
    match = re.fullmatch(
        r"::error file=([^,:]*),line=1,col=2,endLine=3,endColumn=4,title=FC101::(.*)\n", line
    )
    assert match is not None
    assert undone(match[1]) == path
    assert undone(match[2]) == f"{message}\n{hint}"


def test_a_sarif_log() -> None:
    log: dict[str, Any] = json.loads(json.dumps(sarif([PLACED, ALLOWED, BARE, PLACED])))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("flancompile", __version__)
    assert driver["rules"] == [{"id": "FC105"}, {"id": "FC107"}, {"id": "FC332"}]
    results = run["results"]
    assert [r["ruleId"] for r in results] == ["FC105", "FC332", "FC107", "FC105"]
    assert all(driver["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
    assert [r["level"] for r in results] == ["error", "warning", "warning", "error"]
    assert results[0]["message"] == {"text": "unknown key. did you mean 'b'?"}
    (place,) = results[0]["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "lib/a.yaml"}
    region = {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 9}
    assert place["physicalLocation"]["region"] == region
    assert results[1]["suppressions"] == [{"kind": "inSource", "justification": "known"}]
    assert "locations" not in results[2] and "suppressions" not in results[2]
    assert sarif([])["runs"][0]["results"] == []


def test_uris_of_windows_and_posix_paths() -> None:
    given_ = [Diagnostic("FC101", "x", Span(str(Path("a b") / "c.yaml"), 1, 1, 1, 1))]
    location = sarif(given_)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a b/c.yaml"
