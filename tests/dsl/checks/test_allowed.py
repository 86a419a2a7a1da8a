"""Warnings that a file or a task allows, with the author's reason."""

from dataclasses import replace
from typing import Any

import pytest
from checks import file_of, loaded, marked
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.checks.allowed import allow_diagnostics, mark_allowed
from flancompile.dsl.models.warnings import WARNINGS
from flancompile.errors import Diagnostic


@pytest.mark.parametrize(
    ("code", "hint"),
    [("FC202", "docs/diagnostics.md|did you mean"), ("FC2l3", "did you mean 'FC2"), ("213", "only warnings"),
     ("FC999", "only warnings")],
)  # fmt: skip
def test_a_code_that_is_no_warning_of_a_dataset_is_an_error(code: str, hint: str) -> None:
    dataset = loaded(file_of(allow={"FC213": "fine", code: "why"}))
    found = list(allow_diagnostics(dataset.document, ("allow",), dataset.model.allow))
    assert marked(dataset, found) == [("FC228", code)]
    assert any(part in str(found[0].hint) for part in hint.split("|"))


@given(st.sampled_from(sorted(WARNINGS)))
def test_every_warning_may_be_allowed(code: str) -> None:
    dataset = loaded(file_of(allow={code: "fine"}))
    assert not list(allow_diagnostics(dataset.document, ("allow",), dataset.model.allow))


OTHER = {
    "signature": "q -> a",
    "templates": [{"name": "t", "input": "{{ q }}", "target": "{{ a }}"}],
}


def reasons(allow: Any, of_task: Any, category: str | None = None) -> list[str | None]:
    """Reasons of one warning at the file, at each task, and of an error."""
    given_ = file_of({"allow": of_task}, allow=allow)
    given_["tasks"]["other"] = OTHER
    dataset = loaded(given_)
    keys = [("source",), ("tasks", "qa", "templates", 0, "input"), ("tasks", "other", "signature")]
    found = [
        Diagnostic("FC213", "x", dataset.document.span(key), severity="warning") for key in keys
    ]
    found.append(replace(found[1], severity="error"))
    return [d.allowed for d in mark_allowed(dataset, found, category)]


def test_a_reason_is_that_of_the_innermost_place_and_errors_have_none() -> None:
    assert reasons({}, {}) == [None] * 4
    assert reasons({"FC213": "file"}, {}) == ["file", "file", "file", None]
    assert reasons({}, {"FC213": "task"}) == [None, "task", None, None]
    assert reasons({"FC213": "file"}, {"FC213": "task"}) == ["file", "task", "file", None]
    assert reasons({"FC215": "file"}, {"FC216": "task"}) == [None] * 4


def test_diagnostics_of_rows_belong_to_the_task_that_is_named() -> None:
    assert reasons({}, {"FC213": "task"}, "qa") == ["task", "task", "task", None]
    assert reasons({"FC213": "file"}, {"FC213": "task"}, "other") == ["file", "file", "file", None]


def test_a_diagnostic_without_a_place_is_allowed_by_the_file_alone() -> None:
    dataset = loaded(file_of({"allow": {"FC213": "task"}}, allow={"FC215": "file"}))
    found = [Diagnostic(c, "x", None, severity="warning") for c in ("FC213", "FC215")]
    assert [d.allowed for d in mark_allowed(dataset, found)] == [None, "file"]
