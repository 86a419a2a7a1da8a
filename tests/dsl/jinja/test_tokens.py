"""Words and places, held against Jinja's own names and against the files of the shipped library."""

from collections.abc import Iterator

import pytest
from jinja2 import meta

from flancompile.dsl.jinja.expression import environment
from flancompile.dsl.jinja.tokens import words
from flancompile.dsl.library.library import demo_library, load_library
from flancompile.dsl.yaml.document import Document, Key

LIBRARY, _ = load_library([demo_library()])


def texts(document: Document, key: Key = ()) -> Iterator[tuple[Key, str]]:
    value = document.value(key)
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from texts(document, (*key, name))


def free(text: str) -> set[str]:
    return {w.text for w in words(text) if w.part == "name"} - environment().globals.keys()


@pytest.mark.parametrize(
    "text",
    [
        "{% for o in o %}{{ o }}{% else %}{{ o }}{% endfor %}{{ o }}",
        "{% for a, b in m.items() if a != c %}{{ loop.index }}{{ b }}{% endfor %}",
        "{% set a = a | default(b) %}{{ a }}{% set c %}{{ d }}{% endset %}{{ c }}",
        "{% with a = b, c = d %}{{ a ~ c ~ e }}{% endwith %}{{ c }}",
        "{% macro f(a, b=c) %}{{ a }}{{ b }}{% endmacro %}{{ f(x, b=y) }}",
        "{% if a is defined and b is not none %}{{ {'k': {'l': c}} }}{% endif %}{# d #}",
        "{% raw %}{{ a }}{% endraw %}{{ 'b' ~ \"c\" }}{{ d['e'].f | g(h=i) if j else k }}",
        "{% filter upper %}{{ a }}{% endfilter %}{{ 1.5 }}{{ b.0 }}{{ true }}",
    ],
)
def test_names_are_those_that_jinja_finds_free(text: str) -> None:
    known = environment().overlay()
    known.filters = {**known.filters, "g": str}
    assert free(text) == meta.find_undeclared_variables(known.parse(text))


def test_names_of_the_shipped_templates() -> None:
    seen = 0
    for dataset in LIBRARY.datasets.values():
        for _, text in texts(dataset.document):
            if "{{" in text and "{{ text" not in text:
                found = meta.find_undeclared_variables(environment().parse(text))
                assert free(text) == found, text
                seen += 1
    assert seen > 150


def test_each_character_of_a_text_has_its_place() -> None:
    seen = 0
    for dataset in LIBRARY.datasets.values():
        document = dataset.document
        lines = document.index.lines
        for key, text in texts(document):
            for place in range(0, len(text), 7):
                span = document.spot(key, place)
                assert span.end_column == span.column + 1 or len(text) == 1, (key, text)
                written = lines[span.line - 1][span.column - 1 : span.column]
                assert text[place] in (written, "\n", " ") or written in "\\'", (key, text)
                seen += 1
    assert seen > 1500
