"""Answers after a chain of thought, by where the template's target says them."""

import pytest

from flancompile.dsl.jinja.conclusion import literals_around_answer
from flancompile.evaluate.task import conclusion

SAID = [
    ("{{ why }} So the answer is {{ gold }}.", "It floats. So the answer is 3.5.", "3.5"),
    ("{{ why }} So the answer is {{ gold }}.", "No idea", "No idea"),
    ("<t>{{ why }}</t>\n<a>{{ gold }}</a>", "<t>x</t>\n<a>(b) yes</a> and more", "(b) yes"),
    ("{{ why }}\n{{ gold }}", "First.\nSecond.\n\nB", "B"),
    ("{{ why }}\nAnswer: {{ gold }}", "Answer: no? Well.\nAnswer: yes\nQuestion: next", "yes"),
    ('{{ why }} So "{{ gold }}".', 'He said "so". So "a b".', "a b"),
    ("{% for s in steps %}- {{ s }}\n{% endfor %}**{{ gold }}**", "- one\n**two**", "two"),
    ("{{ answer | capitalize }}", "Yes", "Yes"),
]


@pytest.mark.parametrize(("target", "text", "answer"), SAID)
def test_an_answer_is_found_where_the_target_says_it(target: str, text: str, answer: str) -> None:
    before, after, _ = literals_around_answer(target)
    assert conclusion(text, before, after) == answer


def test_how_much_a_target_prints() -> None:
    assert [literals_around_answer(t)[2] for t in ("{{ a }}", "Yes.", "{{ a }}: {{ b }}")] == [
        1,
        0,
        2,
    ]
