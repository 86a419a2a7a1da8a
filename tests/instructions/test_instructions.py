"""Every Natural Instructions file at hand is read and renders, examples and reasons included."""

from collections import Counter
from pathlib import Path

import pytest

import flancompile
from flancompile.authoring.preview import PreviewSettings, preview
from flancompile.compiler.request import bare_request
from flancompile.lint.reading import Reading

LIBRARY = Path(__file__).parent
TASKS = {
    "niv1": 48,
    "niv2": 213,
    "niv2_early": 24,
    "niv2_fi": 40,
    "niv2_splits": 15,
    "niv2_definitions": 2,
}


@pytest.mark.slow
def test_all_files_read_and_render(shared: Path) -> None:
    found = flancompile.check(LIBRARY, overlay="shared", data=Reading(rows=40, write_lock=False))
    unread = {"FC319", "FC320", "FC321"}
    assert [d.render() for d in found if d.severity == "error" or d.code in unread] == []


@pytest.mark.slow
def test_each_task_gives_a_prompt_with_its_own_examples(shared: Path) -> None:
    request = bare_request((LIBRARY,), "shared", 0)
    count = Counter(task.dataset.id for task in request.tasks.values())
    assert count == TASKS
    explained = 0
    for id_, task in request.tasks.items():
        if task.dataset.id == "niv2_definitions":
            continue
        wanted = PreviewSettings(count=1, shots=1, shots_style="because")
        (found,), _ = preview(request, task, "train", wanted)
        assert found.spans[0].startswith("# Instructions\n"), id_
        assert found.shots == 1, id_
        explained += found.spans[0].split("\n\n")[-2] != found.spans[1]
    assert explained == sum(TASKS.values()) - 2
