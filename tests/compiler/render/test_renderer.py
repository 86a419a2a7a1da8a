from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LETTERS, PLAIN, renderer, rows_of

from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task

FIVE_SHOT = ArmShares(((5, 1.0),), (0.0, 1.0), (0.0, 1.0))
OPTIONS = ArmShares(((0, 1.0),), (1.0, 0.0), (0.0, 1.0))


def qa(**more: Any) -> Task:
    plain = [{"name": "plain", "input": "Q: {{ question }}", "target": "{{ answer }}"}]
    return Task.model_validate({"signature": "question -> answer", "templates": plain, **more})


def columns(n: int) -> dict[str, list[Any]]:
    return {
        "question": [f"what is {i}?" for i in range(n)],
        "answer": [f"number {i}" for i in range(n)],
    }


def test_a_row_becomes_input_and_target() -> None:
    drafts = list(renderer(qa(), columns(3)))
    assert [(d.input, d.target) for d in drafts] == [
        (f"Q: what is {i}?", f"number {i}") for i in range(3)
    ]
    assert all(d.pieces({"plain": PLAIN}) == (d.input,) for d in drafts)


def test_exemplars_are_never_the_query_nor_its_duplicate() -> None:
    given_columns = columns(40)
    given_columns["question"][7] = "What  is 3?"  # a duplicate of row 3, written otherwise
    given_columns["answer"][7] = "Number 3"
    made = renderer(qa(), given_columns, FIVE_SHOT)
    drafts = list(made)
    assert len(drafts) == 40
    for draft in drafts:
        texts = [" ".join(shot[0].lower().split()) for shot in draft.shots]
        assert len(draft.shots) == 5
        assert len(set(texts)) == 5
        assert " ".join(draft.input.lower().split()) not in texts
        assert int(made.rows.digests[draft.row]) not in draft.exemplars


def test_exemplars_may_have_to_differ_in_a_field() -> None:
    given_columns = {**columns(40), "passage": [f"passage {i // 10}" for i in range(40)]}
    made = renderer(qa(exemplars={"unlike": "passage"}), given_columns, FIVE_SHOT)
    place = {int(d): i for i, d in enumerate(made.rows.digests)}
    drafts = list(made)
    assert len(drafts) == 40
    for draft in drafts:
        assert len(draft.shots) == 5
        assert draft.row // 10 not in {place[e] // 10 for e in draft.exemplars}


def test_a_set_too_small_gives_fewer_shots() -> None:
    drafts = list(renderer(qa(), columns(3), FIVE_SHOT))
    assert [len(d.shots) for d in drafts] == [2, 2, 2]
    assert all(d.choice.shots == 5 for d in drafts)


def test_a_lone_row_falls_back_to_no_shots() -> None:
    styles = {"few": ShotsStyle(when="few", query="FEW {{ input }}"), "zero": PLAIN}
    (draft,) = renderer(qa(), columns(1), FIVE_SHOT, shots_styles=styles)
    assert draft.shots == []
    assert draft.shots_style == "zero"
    assert "".join(draft.pieces(styles)) == "Q: what is 0?"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(2, 6))
def test_each_pass_meets_another_template(epoch: int, templates: int) -> None:
    task = qa(
        templates=[
            {"name": f"t{i}", "input": f"{i} {{{{ question }}}}", "target": "{{ answer }}"}
            for i in range(templates)
        ]
    )

    def of(number: int) -> list[int]:
        rows = rows_of(task, columns(50), epoch=number)
        shares = ArmShares(options=(0.0, 1.0), cot=(0.0, 1.0))
        spec = RenderSpec("toy/qa", task, {}, {"plain": PLAIN}, shares, 1, tuple(range(templates)))
        return [d.choice.template for d in Renderer(spec, rows, Pools(task.exemplars, rows), {})]

    first, second = of(epoch), of(epoch + 1)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert set(first) == set(range(templates))


def test_draws_do_not_depend_on_the_other_rows() -> None:
    task = qa(
        choices={"options": ["a", "b", "c", "d"], "gold": "answer"},
        templates=[
            {"name": f"t{i}", "options": "optional",
             "input": f"{i} {{{{ question }}}}\n{{{{ options }}}}", "target": "{{ gold }}"}
            for i in range(4)
        ],
    )  # fmt: skip
    answers = ["a", "b", "c", "d"] * 5
    whole = {"question": [f"q{i}" for i in range(20)], "answer": answers}
    half = {k: v[10:] for k, v in whole.items()}
    shares = ArmShares(((0, 1.0),), (1.0, 1.0), (0.0, 1.0))
    all_rows = [(d.input, d.target) for d in renderer(task, whole, shares)]
    some = [(d.input, d.target) for d in renderer(task, half, shares, ids=range(10, 20))]
    assert all_rows[10:] == some


def test_one_text_serves_both_arms() -> None:
    task = qa(
        choices={"options": ["yes", "no"], "gold": "answer", "shuffle": False},
        templates=[
            {"name": "t", "options": "optional",
             "input": "{{ question }}\n\n{{ options }}\n\nAnswer:", "target": "{{ gold }}"}
        ],
    )  # fmt: skip
    rows = {"question": ["is it?"], "answer": ["no"]}
    (shown,) = renderer(task, rows, OPTIONS)
    assert (shown.input, shown.target) == ("is it?\n\n(A) yes\n(B) no\n\nAnswer:", "(B)")
    (hidden,) = renderer(task, rows)
    assert (hidden.input, hidden.target) == ("is it?\n\nAnswer:", "no")


@pytest.mark.parametrize(
    ("choices", "row", "gold"),
    [
        ({"options": ["yes", "no"], "gold": "x"}, "no", "no"),
        ({"options": {"0": "no", "1": "yes"}, "gold": "x"}, 1, "yes"),
        ({"options": ["a", "b"], "gold": "x", "by": "index"}, 1, "b"),
        ({"options": ["a", "b"], "gold": "x - 1", "by": "index"}, 1, "a"),
        ({"options": "o.text", "labels": "o.label", "gold": "o.key"},
         {"text": ["p", "q"], "label": ["A", "B"], "key": "B"}, "q"),
    ],
)  # fmt: skip
def test_gold_by_text_label_and_index(choices: dict[str, Any], row: Any, gold: str) -> None:
    task = Task.model_validate(
        {
            "signature": "q -> x",
            "choices": {**choices, "gold": choices["gold"].replace("o.", "x.")}
            | ({"options": "x.text", "labels": "x.label"} if isinstance(row, dict) else {}),
            "templates": [{"name": "t", "input": "{{ q }}", "target": "{{ gold }}"}],
        }
    )
    (draft,) = renderer(task, {"q": ["?"], "x": [row]})
    assert draft.target == gold


def test_gold_outside_the_options_drops_the_row_with_a_reason() -> None:
    task = qa(
        choices={"options": ["yes", "no"], "gold": "answer"},
        templates=[{"name": "t", "input": "{{ question }}", "target": "{{ gold }}"}],
    )
    made = renderer(task, {"question": ["a", "b"], "answer": ["yes", "maybe"]})
    assert [d.row for d in made] == [0]
    assert made.reasons == {1: "choices: gold 'maybe' is not among the texts"}


def test_a_null_is_no_option_and_of_many_the_right_one_is_shown() -> None:
    task = qa(
        choices={"options": "listed", "gold": "answer"},
        templates=[{"name": "t", "options": "optional", "input": "{{ question }}\n{{ options }}",
                    "target": "{{ gold }}"}],
    )  # fmt: skip
    many = [f"option {i}" for i in range(40)]
    listed = [["yes", None], ["yes", "no"], many]
    given_: dict[str, list[Any]] = {
        "question": ["a", "b", "c"],
        "answer": ["yes", "no", "option 39"],
        "listed": listed,
    }
    made = renderer(task, given_, OPTIONS)
    drafts = list(made)
    assert made.reasons == {0: "choices: one of the options is null"}
    assert [len(d.options.texts) for d in drafts if d.options] == [2, 26]
    last = drafts[1].options
    assert last is not None
    assert (last.texts[last.gold], last.left_out) == ("option 39", 14)


def test_distractors_come_from_rows_with_the_same_value() -> None:
    task = qa(
        choices={"gold": "answer", "distractors": 3, "same": "topic"},
        templates=[
            {"name": "t", "options": "required",
             "input": "{{ question }}\n{{ options }}", "target": "{{ gold }}"}
        ],
    )  # fmt: skip
    rows = {**columns(40), "topic": ["even" if i % 2 == 0 else "odd" for i in range(40)]}
    drafts = list(renderer(task, rows, OPTIONS))
    assert len(drafts) == 40
    for draft in drafts:
        assert draft.options is not None
        numbers = [int(t.split()[1]) for t in draft.options.texts]
        assert len(numbers) == len(set(numbers)) == 4
        assert {n % 2 for n in numbers} == {draft.row % 2}
        assert numbers[draft.options.gold] == draft.row


def test_too_few_distractors_fall_back_to_the_arm_without_options() -> None:
    task = qa(
        choices={"gold": "answer", "distractors": 3},
        templates=[
            {"name": "t", "options": "optional",
             "input": "{{ question }}\n{{ options }}", "target": "{{ gold }}"}
        ],
    )  # fmt: skip
    (draft,) = renderer(task, columns(1), OPTIONS)
    assert (draft.input, draft.target, draft.choice.options) == ("what is 0?", "number 0", False)


def test_let_draws_one_value_for_both_sides() -> None:
    task = qa(
        let={"word": "pick(['red', 'green', 'blue'])"},
        templates=[{"name": "t", "input": "say {{ word }}", "target": "{{ word }}"}],
    )
    drafts = list(renderer(task, columns(30)))
    assert all(d.input == f"say {d.target}" for d in drafts)
    assert {d.target for d in drafts} == {"red", "green", "blue"}


def test_a_row_without_a_rationale_takes_a_direct_template() -> None:
    task = qa(
        signature="question -> rationale, answer",
        templates=[
            {"name": "direct", "input": "{{ question }}", "target": "{{ answer }}"},
            {"name": "steps", "cot": True, "input": "{{ question }} Think.",
             "target": "{{ rationale }} So {{ answer }}"},
        ],
    )  # fmt: skip
    rows = {**columns(3), "rationale": ["r", None, "  "]}
    shares = ArmShares(((0, 1.0),), (0.0, 1.0), (1.0, 0.0))
    assert [d.choice.cot for d in renderer(task, rows, shares)] == [True, False, False]


def test_chain_of_thought_exemplars_are_shown_by_the_same_template() -> None:
    task = qa(
        signature="question -> rationale, answer",
        templates=[
            {"name": f"steps{i}", "cot": True, "input": f"{i}: {{{{ question }}}}",
             "target": f"{i}: {{{{ rationale }}}} So {{{{ answer }}}}"}
            for i in range(3)
        ],
    )  # fmt: skip
    rows = {**columns(30), "rationale": [f"r{i}" if i % 3 else None for i in range(30)]}
    made = renderer(task, rows, ArmShares(((5, 1.0),), (0.0, 1.0), (1.0, 0.0)))
    drafts = list(made)
    assert len(drafts) == 20
    for draft in drafts:
        marks = {t.split(":")[0] for shot in draft.shots for t in shot[:2]}
        assert marks == {str(draft.choice.template)}
    assert set(made.reasons.values()) == {"no template applies: rationale is empty"}


def test_where_and_when() -> None:
    task = qa(
        where="question != 'what is 1?'",
        templates=[
            {"name": "t", "when": "answer != 'number 2'", "input": "{{ question }}", "target": "x"}
        ],
    )
    made = renderer(task, columns(4))
    assert [d.row for d in made] == [0, 3]
    assert made.reasons == {1: "where", 2: "no template applies"}


def test_exemplars_from_a_column_with_their_own_fields() -> None:
    task = qa(
        signature="question -> answer",
        exemplars={
            "from": "column", "rows": "examples", "order": "file",
            "fields": {"question": "item.input", "answer": "item.output"},
            "explanation": "item.why",
        },
        instruction="Do this.",
    )  # fmt: skip
    items = [{"input": f"i{k}", "output": f"o{k}"} for k in range(4)]
    items[1]["why"] = "sure"
    rows: dict[str, list[Any]] = {
        "question": ["q", "i1"],
        "answer": ["a", "o1"],
        "examples": [items, items],
    }
    first, second = renderer(task, rows, ArmShares(((2, 1.0),), (0.0, 1.0), (0.0, 1.0)))
    assert first.shots == [("Q: i0", "o0", None), ("Q: i1", "o1", "sure")]
    assert second.shots == [("Q: i0", "o0", None), ("Q: i2", "o2", None)]  # i1 is the query
    text = "".join(first.pieces({"plain": PLAIN}))
    assert text == "Do this.\n\nQ: i0\no0\n\nQ: i1\no1\n\nQ: q"
    reasons = ShotsStyle(exemplar="{{ input }}\n{{ target }}\n{{ explanation }}")
    explained = "".join(first.pieces({"plain": reasons}))
    assert explained == "Do this.\n\nQ: i0\no0\n\nQ: i1\no1\nsure\n\nQ: q"


@pytest.mark.parametrize("why", [["a", "b"], {"k": 1}])
def test_an_exemplar_whose_explanation_is_no_text_is_left_out(why: object) -> None:
    task = qa(
        exemplars={
            "from": "column", "rows": "examples", "order": "file",
            "fields": {"question": "item.q", "answer": "item.q"}, "explanation": "item.why",
        },
    )  # fmt: skip
    items = [{"q": "i0", "why": why}, {"q": "i1", "why": 2.5}, {"q": "i2", "why": float("nan")}]
    rows: dict[str, list[Any]] = {"question": ["q"], "answer": ["a"], "examples": [items]}
    (draft,) = renderer(task, rows, ArmShares(((2, 1.0),), (0.0, 1.0), (0.0, 1.0)))
    assert draft.shots == [("Q: i1", "i1", "2.5"), ("Q: i2", "i2", None)]


def test_candidates_are_whole_targets() -> None:
    task = qa(
        choices={"options": ["yes", "no"], "gold": "answer", "shuffle": False},
        templates=[
            {"name": "t", "options": "optional",
             "input": "{{ question }}\n{{ options }}", "target": "It is {{ gold }}."}
        ],
    )  # fmt: skip
    made = renderer(task, {"question": ["?"], "answer": ["no"]}, OPTIONS)
    (draft,) = made
    assert made.candidates(draft) == (["It is (A).", "It is (B)."], 1)


def test_candidates_take_the_place_of_the_field_that_is_gold() -> None:
    task = qa(
        choices={"options": ["yes", "no"], "gold": "answer", "shuffle": False},
        templates=[{"name": "t", "input": "{{ question }}", "target": "{{ answer }}!"}],
    )
    made = renderer(task, {"question": ["?"], "answer": ["no"]})
    (draft,) = made
    assert made.candidates(draft) == (["yes!", "no!"], 1)
    assert draft.target == "no!"


def test_a_target_that_is_not_of_the_options_has_no_candidates() -> None:
    task = qa(
        choices={"options": ["yes", "no"], "gold": "answer | int", "by": "index"},
        templates=[
            {"name": "t", "input": "{{ question }}", "target": "{{ 'no' if answer else 'yes' }}"}
        ],
    )
    made = renderer(task, {"question": ["?"], "answer": [1]})
    (draft,) = made
    assert made.candidates(draft) == (None, None)


def test_what_changes_no_text_is_not_in_the_key() -> None:
    def spec(task: Task) -> dict[str, Any]:
        styles: dict[str, OptionStyle] = {"letters": LETTERS}
        return RenderSpec("t", task, styles, {"p": PLAIN}, ArmShares(), 1, (0,)).as_json()

    assert spec(qa()) == spec(
        qa(cluster="rc", tags=["a"], rungs=["b"], eval={"metric": "squad_f1"})
    )
    assert spec(qa()) == spec(qa(allow={"FC331": "most are positive"}))
    assert spec(qa()) != spec(qa(where="true"))
