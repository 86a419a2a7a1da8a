"""Names in scope of one file: what `let` may use and show, and where diagnostics are marked."""

import pytest
from checks import file_of, loaded, marked
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.dsl.checks.scope import FileScope

NAMES = st.lists(
    st.lists(st.sampled_from(["q", "t", "x0", "x1", "x2", "pick"]), max_size=2),
    min_size=1,
    max_size=4,
)


def scope_of(let: dict[str, str]) -> FileScope:
    return FileScope(loaded(file_of({"let": let}, for_each={"lang": ["en"]})))


@settings(max_examples=25)
@given(NAMES)
def test_a_name_may_be_shown_if_all_that_it_uses_may(uses: list[list[str]]) -> None:
    """Brute force: follow each name to the fields that it comes of."""
    let = {f"x{n}": " ~ ".join(["lang", *used]) for n, used in enumerate(uses)}
    scope = scope_of(let)
    found = scope.lets(("tasks", "qa", "let"), let, scope.fields | scope.variable, {"q": True})

    def sources(name: str) -> set[str]:
        used = set(uses[int(name[1:])])
        later = {u for u in used if u[0] == "x" and u >= name}
        earlier = {u for u in used if u[0] == "x"} - later
        own = {u for u in used if u in ("q", "t")} | ({"unknown"} if later else set())
        return own.union(*(sources(u) for u in earlier))

    assert found == {name: sources(name) <= {"q"} for name in let}
    unknown = sum(u[0] == "x" and u >= f"x{n}" for n, used in enumerate(uses) for u in used)
    assert len(scope.found) == unknown
    assert {d.code for d in scope.found} <= {"FC202"}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("q ~ z ~ z", [("FC202", "z"), ("FC202", "z")]),
        ("q()", [("FC226", "q")]),
        ("q | regex_replace('\\bthe', '')", [("FC211", "'\\bthe'")]),
        ("lang.nme", [("FC222", "nme")]),
        ("q |", [("FC103", "q |")]),
    ],
)
def test_a_mistake_is_marked_in_its_text(text: str, marks: list[tuple[str, str]]) -> None:
    dataset = loaded(file_of({"where": text}, for_each={"lang": ["en"]}))
    scope = FileScope(dataset)
    scope.expression(("tasks", "qa", "where"), text, scope.fields | scope.variable)
    found = marked(dataset, scope.found)
    assert [code for code, _ in found] == [code for code, _ in marks]
    assert all(
        mark.strip("'") in shown or shown in mark
        for (_, mark), (_, shown) in zip(marks, found, strict=True)
    )


def test_names_are_given_back_in_spite_of_mistakes() -> None:
    scope = scope_of({})
    key = ("tasks", "qa", "where")
    assert scope.expression(key, "q ~ z", frozenset("q")) == {"q", "z"}
    assert scope.expression(key, "q | uper", None) == {"q"}
    assert scope.template(key, "{{ q }} {{ t }}", None) == {"q", "t"}
    assert scope.template(key, "{{ q", None) == frozenset()
    assert [d.code for d in scope.found] == ["FC202", "FC104", "FC103"]
