"""Render specs and the styles that they choose."""

import pytest

from flancompile.authoring.preview import PreviewSettings, spec_of
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.spec import chosen_styles, render_spec
from flancompile.compiler.request import bare_request
from flancompile.dsl.library.library import builtin_library, load_library
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.errors import FlancompileError

LIBRARY, _ = load_library([builtin_library()])
STYLES = {"a/x": OptionStyle(), "a/y": OptionStyle(only_where_named=True), "b": OptionStyle()}


def test_styles_are_chosen_by_id_or_glob() -> None:
    assert list(chosen_styles(STYLES, ["a/*"], "option")) == ["a/x"]
    assert list(chosen_styles(STYLES, ["b", "a/y"], "option")) == ["a/y", "b"]
    with pytest.raises(FlancompileError, match="no option style matches 'c'"):
        chosen_styles(STYLES, ["*", "c"], "option")


@pytest.mark.parametrize(
    ("whens", "added"),
    [
        ("any", []), ("zero few", []), ("few", ["plain, without exemplars"]),
        ("zero", ["plain, with exemplars"]),
        ("", ["plain, without exemplars", "plain, with exemplars"]),
    ],
)  # fmt: skip
def test_prompts_with_and_without_exemplars_have_a_layout(whens: str, added: list[str]) -> None:
    task = next(iter(LIBRARY.tasks(None).values()))
    layouts = {w: ShotsStyle.model_validate({"when": w}) for w in whens.split()}
    spec = render_spec(task, ArmShares(), [0], {}, layouts, seed=1)
    assert list(spec.shots_styles) == [*layouts, *added]


def test_a_preview_has_the_arms_of_the_templates_that_it_shows() -> None:
    request = bare_request((builtin_library(),), None)
    seen: set[str] = set()
    for _, task in sorted(request.tasks.items()):
        for index, template in enumerate(task.task.templates):
            if template.options not in seen:
                spec = spec_of(request, task, PreviewSettings(template=template.name))
                assert spec.templates == (index,)
                assert spec.shares == ArmShares().within([template])
                seen.add(template.options)
    assert {"none", "optional"} <= seen
