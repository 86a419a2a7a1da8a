"""Diagnostics as GitHub workflow commands and SARIF 2.1.0.

Sources: docs.github.com "Workflow commands"; OASIS SARIF 2.1.0, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flancompile._version import __version__
from flancompile.errors import Diagnostic

__all__ = ["github", "sarif"]


def github(found: Sequence[Diagnostic]) -> str:
    """One workflow command per line; GitHub shows it beside the changed lines."""
    lines = []
    for one in found:
        place = ""
        if one.span is not None:
            span = one.span
            place = (
                f" file={_property(span.path)},line={span.line},col={span.column},"
                f"endLine={span.end_line},endColumn={span.end_column},title={one.code}"
            )
        text = one.message if one.hint is None else f"{one.message}\n{one.hint}"
        lines.append(f"::{one.severity}{place}::{_data(text)}\n")
    return "".join(lines)


def sarif(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """A SARIF log of one run; allowed diagnostics are results with a source suppression."""
    codes = sorted({one.code for one in found})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "flancompile",
                        "version": __version__,
                        "rules": [{"id": code} for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, codes.index(one.code)) for one in found],
            }
        ],
    }


def _result(one: Diagnostic, rule: int) -> dict[str, Any]:
    text = one.message if one.hint is None else f"{one.message}. {one.hint}"
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.severity,
        "message": {"text": text},
    }
    if one.allowed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": one.allowed}]
    if one.span is not None:
        span = one.span
        result["locations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": Path(span.path).as_posix()},
                    "region": {
                        "startLine": span.line,
                        "startColumn": span.column,
                        "endLine": span.end_line,
                        "endColumn": span.end_column,
                    },
                }
            }
        ]
    return result


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
