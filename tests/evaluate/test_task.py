"""Prompts of a task, and scores of a model's answers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from flancompile.dsl.jinja.conclusion import literals_around_answer
from flancompile.errors import FlancompileError
from flancompile.evaluate.task import PromptFrame, answers, conclusion, score_of
from flancompile.store.schema import EVAL

FRAME = PromptFrame(1, 3, 2)
METADATA: dict[str, Any] = {"metric": "exact_match", "extract": None, "stop": []}


class Parrot:
    """Model with fixed answers that prefers long options; records its inputs."""

    def __init__(self, texts: list[str] | None = None) -> None:
        self.texts = texts or []
        self.given: list[Any] = []

    def generate(
        self,
        prompts: Sequence[npt.ArrayLike],
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Any]:
        self.given += prompts
        progress(len(prompts))
        return [np.frombuffer(t.encode(), np.uint8) for t in self.texts]

    def score(
        self,
        prompts: Sequence[npt.ArrayLike],
        targets: Sequence[npt.ArrayLike],
        progress: Callable[[int], None] = lambda _: None,
    ) -> np.ndarray:
        self.given += list(zip(prompts, targets, strict=True))
        progress(len(prompts))
        return np.array([float(np.size(t)) for t in targets])


def rows(count: int, **more: Any) -> pa.Table:
    line = {
        "row": 0, "row_id": "r", "template": "t", "prompt": "p", "prompt_ids": [9, 8], "target": "x",
        "target_ids": [5], "options": None, "option_ids": None, "gold": None, "accepted": ["x"],
        "shots": 0, "exemplars": [], **more,
    }  # fmt: skip
    return pa.Table.from_pylist([{**line, "example": i} for i in range(count)], schema=EVAL)


def decode(ids: Any) -> str:
    return bytes(ids).decode()


def test_prompts_are_given_in_the_build_s_frame() -> None:
    parrot = Parrot(["x", "y"])
    seen: list[int] = []
    found = answers(rows(2), METADATA, parrot, FRAME, decode, 8, seen.append)
    assert parrot.given == [[1, 9, 8, 3]] * 2
    assert found["score"].to_pylist() == [1.0, 0.0]
    assert seen == [2]


def test_stops_cut_and_extract_takes_the_last_match_of_both_sides() -> None:
    about = {"metric": "exact_match", "extract": r"(\d+)", "stop": ["\n\n"]}
    parrot = Parrot(["first 3 then 12.\n\n99", "none"])
    table = rows(2, accepted=["The answer is 12"])
    found = answers(table, about, parrot, FRAME, decode, 8)
    assert found["answer"].to_pylist() == ["12", ""]
    assert found["score"].to_pylist() == [1.0, 0.0]
    assert found["output"].to_pylist()[0] == "first 3 then 12.\n\n99"


def test_the_most_likely_option_is_the_answer() -> None:
    options = {"options": ["no", "maybe"], "option_ids": [[4], [5, 6]], "gold": 1}
    parrot = Parrot()
    found = answers(
        rows(3, **options), {**METADATA, "metric": "accuracy"}, parrot, FRAME, decode, 8
    )
    assert parrot.given[:2] == [([1, 9, 8, 3], [4, 2]), ([1, 9, 8, 3], [5, 6, 2])]
    assert found["output"].to_pylist() == ["maybe"] * 3
    assert found["option_scores"].to_pylist()[0] == [2.0, 3.0]
    assert score_of(found).mean == 1.0


def test_equal_options_differ_by_place() -> None:
    options = {"options": ["no", "no"], "option_ids": [[4], [5, 6]], "gold": 0}
    found = answers(
        rows(1, **options), {**METADATA, "metric": "accuracy"}, Parrot(), FRAME, decode, 8
    )
    assert found["score"].to_pylist() == [0.0]


def test_a_row_without_options_cannot_be_ranked() -> None:
    parrot = Parrot(["x"])
    with pytest.raises(FlancompileError, match=r"FC613.*row r[\s\S]*compile the recipe again"):
        answers(rows(1), {**METADATA, "metric": "accuracy"}, parrot, FRAME, decode, 8)
    assert parrot.given == []


def test_a_prompt_of_nothing_is_an_error() -> None:
    with pytest.raises(FlancompileError, match="FC610"):
        answers(
            rows(1, prompt_ids=[]), METADATA, Parrot(["x"]), PromptFrame(None, None, 2), decode, 8
        )


CONCLUSIONS = [
    ("{{ why }} So the answer is {{ gold }}.", "It floats. So the answer is 3.5.", "3.5"),
    ("{{ why }} So the answer is {{ gold }}.", "No idea", "No idea"),
    ("<t>{{ why }}</t>\n<a>{{ gold }}</a>", "<t>x</t>\n<a>(b) yes</a> and more", "(b) yes"),
    ("{{ why }}\n{{ gold }}", "First.\nSecond.\n\nB", "B"),
    ("{{ why }}\nAnswer: {{ gold }}", "Answer: no? Well.\nAnswer: yes\nQuestion: next", "yes"),
    ('{{ why }} So "{{ gold }}".', 'He said "so". So "a b".', "a b"),
    ("{% for s in steps %}- {{ s }}\n{% endfor %}**{{ gold }}**", "- one\n**two**", "two"),
    ("{{ answer | capitalize }}", "Yes", "Yes"),
]


@pytest.mark.parametrize(("target", "text", "answer"), CONCLUSIONS)
def test_the_answer_after_a_rationale_is_found_by_the_template_s_target(
    target: str, text: str, answer: str
) -> None:
    before, after, _ = literals_around_answer(target)
    assert conclusion(text, before, after) == answer


def test_how_much_a_target_prints() -> None:
    assert [literals_around_answer(t)[2] for t in ("{{ a }}", "Yes.", "{{ a }}: {{ b }}")] == [
        1,
        0,
        2,
    ]
