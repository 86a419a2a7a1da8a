"""Static checks of templates: what inputs and targets show, options, turns and equal texts."""

from typing import Any

import pytest
from checks import checked, file_of
from hypothesis import given, settings
from hypothesis import strategies as st

CHOICES = {"choices": {"options": ["x", "y"], "gold": "a"}}


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ({"input": "{{ q }} {{ t }}"}, [("FC207", "t")]),
        ({"input": "{{ q }} {{ z }}"}, [("FC202", "z")]),
        ({"input": "{{ q }} {{ a }} {{ a }}"}, [("FC206", "a"), ("FC206", "a")]),
        ({"input": "{{ q }} {{ x }}", "let": {"x": "q"}}, []),
        ({"input": "{{ q }} {{ x }}", "let": {"x": "t"}}, [("FC206", "x")]),
        ({"input": "{{ q }} {{ y }}", "let": {"x": "a", "y": "x ~ q"}}, [("FC206", "y")]),
        ({"input": "{{ q }} {{ x }}", "let": {"x": "pick(['u', 'v'])"}}, []),
        ({"target": "{{ t }}"}, [("FC202", "t"), ("FC214", "{{ t }}")]),
        ({"target": "so"}, [("FC214", "so")]),
        ({"target": "so", "when": "a == 'so'"}, []),
        ({"target": "so", "when": "a in {'so': 1}"}, []),
        ({"let": {"t": "'x'"}}, [("FC205", "t")]),
        ({"when": "z"}, [("FC202", "z")]),
        ({"choices": {"options": "z", "gold": "a", "labels": "y"}}, [("FC202", "z"), ("FC202", "y")]),
    ],
)  # fmt: skip
def test_names_of_a_template(template: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert sorted(checked(file_of(template=template))) == sorted(found)


@settings(max_examples=40)
@given(st.lists(st.sampled_from("qat"), max_size=4), st.lists(st.sampled_from("qat"), max_size=2))
def test_an_input_shows_the_signature_s_inputs_alone(shown: list[str], lets: list[str]) -> None:
    """Each other field of the input is reported at its position, also through `let`."""
    let = {f"x{n}": name for n, name in enumerate(lets)}
    text = "".join(f"{{{{ {name} }}}}" for name in ["q", *shown, *let])
    wanted = [("FC206" if n == "a" else "FC207", n) for n in sorted(shown) if n != "q"]
    wanted += [("FC206", name) for name, of in let.items() if of != "q"]
    assert sorted(checked(file_of(template={"input": text, "let": let}))) == sorted(wanted)


@pytest.mark.parametrize(
    ("options", "input_", "task", "found"),
    [
        ("none", "{{ q }}", {}, []),
        ("optional", "{{ q }}\n{{ options }}", CHOICES, []),
        ("required", "{{ q }}\n{{ options }}", CHOICES, []),
        ("none", "{{ q }}\n{{ options }}", CHOICES, ["FC208"]),
        ("required", "{{ q }}", CHOICES, ["FC208"]),
        ("required", "{{ q }}\n{{ options }}", {}, ["FC208"]),
    ],
)
def test_options_are_shown_as_they_are_declared(
    options: str, input_: str, task: dict[str, Any], found: list[str]
) -> None:
    codes = [c for c, _ in checked(file_of(task, {"options": options, "input": input_}))]
    assert codes == found


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("{{ r }} {{ a }}", []),
        ("{{ a }} {{ r }}", [("FC218", "a")]),
        ("{{ a }}", [("FC218", "{{ a }}")]),
        ("{{ r }} So {{ gold }}", []),
        ("{{ gold }}: {{ r }}", [("FC218", "gold")]),
        ("{{ r }}{{ r }}", [("FC218", "{{ r }}{{ r }}")]),
    ],
)
def test_a_rationale_comes_before_its_answer(target: str, found: list[tuple[str, str]]) -> None:
    given_ = file_of(
        {"signature": "q -> r, a", **CHOICES}, {"cot": True, "target": target},
        fields={"q": "q", "a": "a", "r": "r"},
    )  # fmt: skip
    assert checked(given_) == found


def turns(task: dict[str, Any] | None = None, **more: Any) -> list[tuple[str, str]]:
    """Diagnostics of a task with a dialogue."""
    given_ = file_of({"signature": "-> q", **(task or {})})
    template = {"name": "t", "turns": {"each": "q", **more.pop("turns", {})}, **more}
    given_["tasks"]["qa"]["templates"] = [template]
    return checked(given_)


def test_a_dialogue_shows_an_output() -> None:
    assert turns() == []
    assert turns(turns={"each": "t"}) == [("FC214", "t")]
    assert turns(turns={"each": "t", "text": "q"}) == []
    assert turns(let={"x": "q"}, turns={"each": "x"}) == []


def test_names_of_a_dialogue_s_texts() -> None:
    assert turns(turns={"text": "turn.x ~ n ~ count ~ last", "loss": "role == 'x'"}) == []
    assert turns(turns={"role": "role"}) == [("FC202", "role")]
    assert turns(turns={"each": "[q, turn]"}) == [("FC202", "turn")]


@pytest.mark.parametrize(
    ("task", "template", "marked"),
    [({}, {"options": "required"}, "required"), ({}, {"cot": True}, "true"),
     ({"eval": {"metric": "squad_f1"}}, {}, "metric: squad_f1"), ({"instruction": "x"}, {}, "x")],
)  # fmt: skip
def test_settings_of_texts_do_not_go_with_a_dialogue(
    task: dict[str, Any], template: dict[str, Any], marked: str
) -> None:
    assert turns(task, **template) == [("FC225", marked)]


def several(*templates: tuple[str, str, str], **task: Any) -> list[tuple[str, str]]:
    given_ = file_of(task)
    made = [{"name": n, "input": i, "target": t} for n, i, t in templates]
    given_["tasks"]["qa"]["templates"] = made
    return checked(given_)


def test_templates_of_one_name_or_one_text() -> None:
    assert several(("t", "Q: {{ q }}", "{{ a }}"), ("t", "Ask {{ q }}", "{{ a }}")) == [
        ("FC212", "t")
    ]
    equal = several(
        ("t", "{{ q }}", "{{ a }}"), ("u", "{{ q }}", "{{ a }}"), ("v", "{{ q }}", "It is {{ a }}")
    )
    assert equal == [("FC213", "{{ q }}")]
    near = several(("t", "Q: {{ q }}", "{{ a }}"), ("u", "q {{ q }}!", "{{ a }}"))
    assert near == [("FC213", "q {{ q }}!")]


@pytest.mark.parametrize(
    ("task", "told"),
    [({}, True), ({"let": {"x": "t | lookup({1: 2})"}}, False), ({"instruction": "{{ t }}"}, False),
     ({"choices": {"distractors": 2, "same": "t", "gold": "a"}}, False)],
)  # fmt: skip
def test_an_input_that_nothing_shows_is_told_of(task: dict[str, Any], told: bool) -> None:
    assert checked(file_of({"signature": "q, t -> a", **task})) == [("FC215", "t")] * told
