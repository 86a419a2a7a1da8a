"""The canonical form: the same data, comments kept, and stable."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.yaml import document as yaml
from flancompile.dsl.yaml.formatting import formatted
from flancompile.errors import FlancompileError

ROOT = Path(__file__).parents[3]
FILES = [*(ROOT / "templates").rglob("*.yaml"), *(ROOT / "tests" / "real").rglob("*.yaml")]


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_file_keeps_its_data_and_comments_and_is_then_stable(path: Path) -> None:
    before = path.read_text()
    after = formatted(before)
    assert yaml.parse(after, "").data == yaml.parse(before, "").data
    assert formatted(after) == after
    for line in before.splitlines():
        if line.lstrip().startswith("#"):
            assert line.strip() in after


def test_texts_of_several_lines_become_blocks() -> None:
    before = "# first\ntasks:\n    qa:\n        input: \"{{ q }}\\n\\nA:\"\n        n: '1'\n"
    assert formatted(before) == (
        '# first\ntasks:\n  qa:\n    input: |-\n      {{ q }}\n\n      A:\n    n: "1"\n'
    )


def test_quotes_about_quotes_are_single() -> None:
    assert formatted('a: "\\"yes\\" if x"\nb: \'x\\d\'\n') == "a: '\"yes\" if x'\nb: 'x\\d'\n"


def test_flow_stays_flow_and_white_space_that_matters_stays() -> None:
    text = '- {name: a, input: "{{ x }}\\n{{ y }}", target: "{{ z }} "}\n'
    assert yaml.parse(formatted(text), "").data == yaml.parse(text, "").data
    odd = 'a: "ends in a blank \\nand more"\n'
    assert formatted(odd) == odd


def test_folded_texts_stay_folded() -> None:
    before = "a:   >-  # kept\n    one {{ x }}\n    two\n\n    three\nb:   |  # kept\n    four\n"
    assert formatted(before) == (
        "a: >-  # kept\n  one {{ x }}\n  two\n\n  three\nb: |  # kept\n  four\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "tags: [ # why\n alpha, # TODO\n beta # keep\n ]\n",
        "a:   &x 1\nb: *x # c2\nc: 2 # c3\n",
        "# of comments\n# alone\n",
        "",
    ],
)
def test_a_file_whose_comments_would_be_lost_or_moved_is_left_as_it_is(text: str) -> None:
    assert formatted(text) == text


def test_what_is_no_yaml_is_told() -> None:
    with pytest.raises(FlancompileError, match="FC101"):
        formatted("a: [1")


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.text(max_size=30), max_size=4)
)
def test_any_texts_read_back(data: dict[str, str]) -> None:
    import yaml as pyyaml

    text = pyyaml.safe_dump(data, allow_unicode=True)
    try:
        before = yaml.parse(text, "").data
    except FlancompileError:
        return
    after = formatted(text)
    assert yaml.parse(after, "").data == before
    assert formatted(after) == after
