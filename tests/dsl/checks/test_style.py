"""Static checks of styles: names of their texts, slots of layouts, patterns that match none."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import Library

from flancompile.dsl.checks.style import check_styles, name_hint, unknown_styles
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.style import ShotsStyle, StyleNames


def found(root: Path, **styles: Any) -> list[tuple[str, str]]:
    """(code, message) of the diagnostics of a file of styles."""
    path = Library(root).write("styles/s.yaml", styles)
    library, diagnostics = load_library([root], builtin=False)
    assert not diagnostics
    (document,) = (d for d in library.documents if d.path == str(path))
    made = list(check_styles(library, document))
    assert all(d.span is not None and d.span.path == str(path) and d.span.line > 1 for d in made)
    return [(d.code, d.message) for d in made]


OPTION_TEXTS = [("label", "text", "FC202"), ("label", "count", "FC202"), ("item", "count", "FC202"),
                ("item", "label", None), ("opening", "count", None), ("opening", "n", "FC202"),
                ("gold", "letter", None), ("gold", "options", "FC202"), ("ending", "label", "FC202")]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "code"), OPTION_TEXTS)
def test_texts_of_an_option_style_see_their_names(
    tmp_path: Path, text: str, name: str, code: str | None
) -> None:
    made = found(tmp_path, options={"a": {text: f"{{{{ {name} }}}}"}})
    assert made == ([] if code is None else [(code, f"there is no {name!r} here")])


SHOTS = {"exemplar": "{{ input }}{{ target }}", "query": "{{ input }}"}
FULL = "{{ instruction }} {{ input }}"


@pytest.mark.parametrize(
    ("style", "messages"),
    [
        ({}, []),
        ({"exemplar": "{{ input }}"}, ["exemplar of the layout 'a' has no {{ target }}"]),
        ({"query": "so"}, ["query of the layout 'a' has no {{ input }}"]),
        ({"zero": "{{ instruction }}"}, ["zero of the layout 'a' has no {{ input }}"]),
        ({"zero": "{{ input }}"}, ["zero of the layout 'a' does not show the instruction"]),
        ({"zero": "{{ input }}", "when": "few"}, []),
        ({"opening": ""}, ["the layout 'a' shows the instruction 0 times with exemplars"]),
        ({"opening": "", "when": "zero"}, []),
        ({"query": FULL}, ["the layout 'a' shows the instruction 2 times with exemplars"]),
        ({"query": FULL, "opening": ""}, []),
        ({"query": "{{ inptu }}"}, ["there is no 'inptu' here"]),
        ({"query": "{input}"}, None),
    ],
)
def test_a_layout_shows_its_parts(
    tmp_path: Path, style: dict[str, str], messages: list[str] | None
) -> None:
    made = found(tmp_path, shots={"a": {**SHOTS, **style}})
    if messages is None:
        assert made == [("FC210", "'{input}' is printed literally")]
    else:
        assert [message for _, message in made] == messages
        assert {code for code, _ in made} <= {"FC209", "FC202"}


@pytest.mark.parametrize(
    ("text", "code"),
    [("{{ text }}", None), ("<a>{{- text -}}</a>", None), ("{{ text | trim }}", None), ("plain", "FC209"),
     ("{{ text }}{{ text }}", "FC209"), ("{% if n %}{{ text }}{% endif %}", "FC209"), ("A: {{ text }}", "FC216"),
     ("{{ txt }}", "FC202"), ("{{ text", "FC103")],
)  # fmt: skip
def test_a_turn_has_one_slot_at_which_the_loss_starts(
    tmp_path: Path, text: str, code: str | None
) -> None:
    assert [c for c, _ in found(tmp_path, chat={"a": {"assistant": text}})] == (
        [code] if code else []
    )


@pytest.mark.parametrize(
    ("patterns", "missing"),
    [(["*"], []), (["plain*", "no_such*"], ["no_such*"]), (["PLAIN"], ["PLAIN"]), ([], [])],
)
def test_a_pattern_matches_some_style(
    tmp_path: Path, patterns: list[str], missing: list[str]
) -> None:
    library = Library(tmp_path)
    library.dataset(rows=1)
    loaded, _ = load_library([tmp_path], builtin=False)
    loaded.shots_styles.clear()
    loaded.shots_styles["plain_text"] = ShotsStyle()
    given_ = StyleNames.model_validate({"shots": patterns})
    document = loaded.datasets["toy"].document
    made = list(unknown_styles(loaded, document, ("tasks", "qa", "styles"), given_))
    assert [d.message for d in made] == [f"no shots style matches {p!r}" for p in missing]
    besides = unknown_styles(loaded, document, (), given_, ("shots", "no_such*"))
    assert "no_such*" not in "".join(d.message for d in besides)


@given(
    st.lists(st.text("abc", min_size=3, max_size=5), max_size=5, unique=True),
    st.text("abc", max_size=5),
)
def test_a_hint_names_the_nearest_or_all(known: list[str], name: str) -> None:
    hint = name_hint(name, known)
    if not known:
        assert hint is None
    elif name in known:
        assert hint == f"did you mean {name!r}?"
    else:
        assert hint is not None and (
            hint == f"known here: {', '.join(sorted(known))}" or "did you" in hint
        )
