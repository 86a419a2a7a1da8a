"""How the library is evaluated: a task's own target is a right answer in each of its arms."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from flancompile.authoring.preview import PreviewSettings, pools_for, row_set, spec_of
from flancompile.compiler.evaluation.rows import _accepted, eval_metadata
from flancompile.compiler.read import split_spec
from flancompile.compiler.render.renderer import Renderer
from flancompile.compiler.request import CompileRequest, bare_request
from flancompile.dsl.library.library import TaskDef, builtin_library
from flancompile.errors import FlancompileError
from flancompile.evaluate.metrics import metric
from flancompile.evaluate.task import _score_row
from flancompile.sources.blocks import sample

HERE = Path(__file__).parent
ROWS = 12


def rows_of(request: CompileRequest, task: TaskDef) -> tuple[str, list[dict[str, object]]]:
    """Some rows of the first split on hand."""
    for split in ("train", "validation", "test"):
        try:
            return split, sample(split_spec(request, task, split), ROWS)[0]
        except FlancompileError:
            continue
    return "", []


def scores(request: CompileRequest, task: TaskDef, *, options: bool, cot: bool) -> list[float]:
    """What the targets of some rows score under an arm; nothing where the task has no such arm."""
    about = task.task.eval
    arm = [t for t in task.task.templates if t.cot == cot]
    arm = [t for t in arm if t.options != ("none" if options else "required")]
    split, rows = rows_of(request, task)
    if about is None or not arm or not rows:
        return []
    found: list[float] = []
    for template in arm:
        spec = spec_of(
            request, task, PreviewSettings(template=template.name, options=options, cot=cot)
        )
        set_ = row_set(spec, rows, 0, split)
        renderer = Renderer(spec, set_, pools_for(request, task, spec, set_, split), {})
        how = eval_metadata(about, pa.chunked_array([pa.array([], pa.null())]), spec)
        if how["metric"] == "accuracy":
            continue
        for draft in renderer:
            line = {"output": draft.target, "template": template.name,
                    "accepted": _accepted(renderer, set_, draft)}  # fmt: skip
            _score_row(line, metric(how["metric"]), how)
            found.append(float(str(line["score"])))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("overlay", ["shared", "fixtures"])
def test_a_task_s_own_target_is_a_right_answer(
    overlay: str, request: pytest.FixtureRequest
) -> None:
    if overlay == "shared":
        request.getfixturevalue("shared")
    made = bare_request((builtin_library(), HERE), overlay)
    low: list[str] = []
    for id_, task in made.tasks.items():
        for options, cot in product((False, True), (False, True)):
            found = scores(made, task, options=options, cot=cot)
            mean = sum(found) / len(found) if found else 1.0
            if mean < 0.97:
                low.append(f"{id_} options={options} cot={cot}: {mean:.2f} of {len(found)}")
    assert low == []


def test_rows_are_scored_without_a_model() -> None:
    line = {"output": "Since it is. So the answer is (b).", "template": "t", "accepted": ["(b)"]}
    how: dict[str, Any] = {"stop": [], "extract": None, "between": {"t": ["So the answer is", "."]}}
    _score_row(line, metric("exact_match"), how)
    assert SimpleNamespace(**line).score == 1.0
