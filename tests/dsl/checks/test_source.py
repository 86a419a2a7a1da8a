"""Static checks of places: their paths, their expressions, and the variable of `for_each`."""

from typing import Any

import pytest
from checks import file_of, loaded, marked

from flancompile.dsl.checks.calls import variable_type
from flancompile.dsl.checks.source import check_sources

PLAIN: dict[str, Any] = {"files": "d.jsonl"}
IN_PATHS: dict[str, dict[str, Any]] = {
    "files": {"source": {"files": "{{ lang }}.jsonl"}},
    "a split": {"source": {"files": {"train": ["a.jsonl", "{{ lang }}.jsonl"]}}},
    "hub": {"source": {"hub": "x/{{ lang }}", "config": "plain"}},
    "config": {"source": {"hub": "x/y", "config": "{{ lang }}"}},
    "splits": {"source": {"hub": "x/y", "splits": {"train": "train_{{ lang }}"}}},
    "join": {"source": {**PLAIN, "join": {"files": "{{ lang }}.csv"}}},
    "places": {"source": {"places": {"disk": {"files": "{{ lang }}.jsonl"}}}},
    "languages": {"source": {**PLAIN, "languages": ["en", "{{ lang }}"]}},
    "rungs": {"task": {"rungs": ["{{ lang }}"]}},
    "exemplars": {"task": {"exemplars": {"from": "file", "file": "{{ lang }}.yaml"}}},
}
EACH = {"for_each": {"lang": ["en", {"name": "de", "x": "y"}]}}


def found(given: dict[str, Any]) -> list[tuple[str, str]]:
    dataset = loaded(given)
    variable = variable_type(dataset.model.for_each)
    return marked(dataset, check_sources(dataset.model, dataset.document, variable))


@pytest.mark.parametrize("place", IN_PATHS)
def test_a_path_shows_the_variable_alone(place: str) -> None:
    given = IN_PATHS[place]
    assert found(file_of(**given)) == [("FC202", "lang")]
    assert found(file_of(**given, **EACH)) == []


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("{{ lang.name }}.jsonl", []),
        ("{{ lang.nam }}.jsonl", [("FC222", "nam")]),
        ("{{ lang.x }}.jsonl", [("FC222", "x")]),
        ("{{ lnag }}.jsonl", [("FC202", "lnag")]),
        ("{{ lang }}/{{ q }}.jsonl", [("FC202", "q")]),
        ("{{ lang", [("FC103", "{{ lang")]),
        ("{{ lang | uper }}.jsonl", [("FC104", "uper")]),
        ("{lang}.jsonl", []),
    ],
)
def test_mistakes_in_a_path_are_marked(text: str, marks: list[tuple[str, str]]) -> None:
    assert found(file_of(source={"files": text}, **EACH)) == marks


@pytest.mark.parametrize(
    ("source", "mark"),
    [
        ({"id": "x +"}, "x +"),
        ({"where": "x +"}, "x +"),
        ({"columns": {"y": "x +"}}, "x +"),
        ({"explode": {"y": "x +"}}, "x +"),
        ({"places": {"disk": {"files": "e.jsonl", "columns": {"y": "x +"}}}}, "x +"),
        ({"places": {"disk": {"files": "e.jsonl", "where": "x | uper"}}}, "uper"),
        ({"explode": "a.b"}, None),
        ({"id": "any ~ column"}, None),
    ],
)
def test_expressions_of_a_place_compile(source: dict[str, Any], mark: str | None) -> None:
    codes = {"x +": "FC103", "uper": "FC104"}
    wanted = [] if mark is None else [(codes[mark], mark)]
    assert found(file_of(source={**PLAIN, **source})) == wanted
