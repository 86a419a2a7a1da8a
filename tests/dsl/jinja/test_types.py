"""Types of values: merged over rows, and kept as JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flancompile.dsl.jinja.types import common_type, from_json, type_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_type_survives_its_json(values: list[Any]) -> None:
    found = common_type(map(type_of, values))
    assert found is not None
    assert from_json(json.loads(json.dumps(found.as_json()))).as_json() == found.as_json()


@pytest.mark.parametrize("given", ["texts", {"lists": "text"}, 3, {"map": []}, None])
def test_what_is_no_type_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="no type"):
        from_json(given)


def test_types_over_rows() -> None:
    rows = [{"a": 1, "b": [1]}, {"a": 2.5, "b": [], "c": None}, {"a": None, "b": ["x"], "c": "y"}]
    found = common_type(map(type_of, rows))
    assert found is not None
    assert found.as_json() == {
        "map": {"a": "number?", "b": {"list": "any"}, "c": "text?"},
        "absent": ["c"],
    }
