from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from flancompile.dsl.library.select import parse_selector
from flancompile.errors import FlancompileError


@dataclass
class Task:
    id: str
    labels: dict[str, Sequence[str]] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()


TASKS = [
    Task("squad/qa", {"source": ["squad"], "cluster": ["rc"], "category": ["qa"]}),
    Task("squad/ask", {"source": ["squad"], "cluster": ["rc"]}, frozenset({"inverted"})),
    Task("rte/nli", {"source": ["rte"], "cluster": ["nli"], "tag": ["glue", "cot"]}),
]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("all", ["squad/qa", "squad/ask", "rte/nli"]),
        ("cluster:rc and not inverted", ["squad/qa"]),
        ("tag:cot or inverted", ["squad/ask", "rte/nli"]),
        ("not (source:squad or tag:cot)", []),
        ("squad/*", ["squad/qa", "squad/ask"]),
        ("task:*/nli", ["rte/nli"]),
        ("source:squad and category:qa or tag:glue", ["squad/qa", "rte/nli"]),
    ],
)
def test_selectors_pick(text: str, ids: list[str]) -> None:
    assert parse_selector(text).pick(TASKS) == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clutser:rc", "did you mean 'cluster'"),
        ("inverterd", "did you mean 'inverted'"),
        ("cluster:rc and", "missing at the end"),
        ("(cluster:rc", "closing bracket"),
        ("cluster:rc tag:x", "join terms"),
        ("and x:y", "not expected"),
    ],
)
def test_mistakes_say_what_is_right(text: str, message: str) -> None:
    with pytest.raises(FlancompileError, match=message) as caught:
        parse_selector(text)
    assert caught.value.code == "FC401"
