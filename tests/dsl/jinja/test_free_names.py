"""Names that a text reads from without, against Jinja's own rendering without them."""

from itertools import product

import jinja2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flancompile.dsl.jinja.expression import compile_template
from flancompile.dsl.jinja.free_names import free_names

ENV = jinja2.Environment(undefined=jinja2.StrictUndefined)
NAMES, TESTS = ("a", "b", "x"), ("c", "d", "e")

read = st.sampled_from(NAMES).map(lambda n: f"{{{{ {n} }}}}")
assign = st.tuples(st.sampled_from(NAMES), st.sampled_from((*NAMES, "'t'"))).map(
    lambda pair: f"{{% set {pair[0]} = {pair[1]} ~ '' %}}"
)


def _blocks(body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    test, name = st.sampled_from(TESTS), st.sampled_from(NAMES)
    return st.one_of(
        st.tuples(body, body).map("".join),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, test, body),
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, test, body, body),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format,
            test, body, test, body, body,
        ),
        st.builds("{{% for {} in l %}}{}{{% endfor %}}".format, name, body),
        st.builds("{{% for {} in l if {} %}}{}{{% else %}}{}{{% endfor %}}".format,
                  name, test, body, body),
        st.builds("{{% set {} %}}{}{{% endset %}}".format, name, body),
        st.builds("{{% with {} = {} ~ '' %}}{}{{% endwith %}}".format, name, name, body),
        st.builds("{{% filter upper %}}{}{{% endfilter %}}".format, body),
    )  # fmt: skip


texts = st.recursive(read | assign, _blocks, max_leaves=8)


def _fails(template: jinja2.Template, without: str | None) -> bool:
    """Whether some choice of branches reads a name that is not there."""
    for values in product((False, True), repeat=len(TESTS)):
        given = dict.fromkeys(NAMES, "v") | dict(zip(TESTS, values, strict=True))
        if without is not None:
            del given[without]
        try:
            template.render(**given, l=[1, 2])
        except jinja2.UndefinedError:
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(texts)
def test_a_name_is_free_where_some_row_needs_it(text: str) -> None:
    template = ENV.from_string(text)
    assume(not _fails(template, None))  # Jinja reads a name that its own block sets as unset
    needed = {name for name in NAMES if _fails(template, name)}
    found = free_names(ENV.parse(text)).names & set(NAMES)
    assert needed <= found
    dead = "for" in text or "if" in text  # a branch that no row takes may read more
    assert dead or found == needed


@pytest.mark.parametrize(
    ("text", "names", "sometimes"),
    [
        ("{% if c %}{% set v = 1 %}{% else %}{% set v = 2 %}{% endif %}{{ v }}", {"c"}, set()),
        ("{% if c %}{% set v = 1 %}{% endif %}{{ v }}", {"c", "v"}, {"v"}),
        ("{% if c %}{% set v = 1 %}{% elif d %}{% set v = 3 %}{% else %}{% set v = 2 %}{% endif %}{{ v }}",
         {"c", "d"}, set()),
        ("{% set v = v + 1 %}{{ v }}", {"v"}, set()),
        ("{% for v in v %}{{ v }}{% endfor %}", {"v"}, set()),
        ("{% for x in l %}{% set v = x %}{% endfor %}{{ v }}", {"l", "v"}, set()),
        ("{% set ns = namespace(n=a) %}{% set ns.n = b %}{{ ns.n }}", {"namespace", "a", "b"}, set()),
    ],
)  # fmt: skip
def test_branches_are_followed(text: str, names: set[str], sometimes: set[str]) -> None:
    found = free_names(ENV.parse(text))
    assert (found.names, found.sometimes) == (names, sometimes)


def test_a_template_may_set_a_name_in_each_branch() -> None:
    text = "{% if c %}{% set v = 'x' %}{% else %}{% set v = 'y' %}{% endif %}{{ v }} {{ q }}"
    template = compile_template(text)
    assert template.names == {"c", "q"}
    assert template.render({"c": True, "q": "?"}) == "x ?"
    assert template.render({"c": False, "q": "?"}) == "y ?"
