from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from toys import PLAIN, Bytes, rows_of

from flancompile.compiler.objects.fit import Budget, fit
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.dsl.models.task import Task

FIVE = ArmShares(((5, 1.0),), (0.0, 1.0), (0.0, 1.0))


def task(**more: Any) -> Task:
    template = {"name": "t", "input": "{{ passage }}\nQ: {{ question }}", "target": "{{ answer }}"}
    given_ = {"signature": "passage, question -> answer", "templates": [template], **more}
    return Task.model_validate(given_)


def made(task_: Task, columns: dict[str, list[Any]], shares: ArmShares = FIVE) -> Renderer:
    rows = rows_of(task_, columns)
    spec = RenderSpec(rows.task_id, task_, {}, {"plain": PLAIN}, shares, 1, (0,))
    return Renderer(spec, rows, Pools(task_.exemplars, rows), {})


texts = st.text("ab c\n", min_size=1, max_size=60).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=12), st.integers(8, 200))
def test_everything_fits_or_is_accounted_for(rows: list[Any], total: int) -> None:
    passages, questions, answers = map(list, zip(*rows, strict=True))
    renderer = made(
        task(truncate=["passage"]),
        {"passage": passages, "question": questions, "answer": answers},
    )
    fitted = list(fit(renderer, Bytes(), Budget(total=total)))
    assert {f.draft.row for f in fitted} | set(renderer.reasons) == set(range(len(rows)))
    assert not {f.draft.row for f in fitted} & set(renderer.reasons)
    for f in fitted:
        assert len(f.prompt) + len(f.target) <= total
        assert bytes(f.target.astype("u1")).decode() == answers[f.draft.row]
        shown = "".join(f.draft.pieces({"plain": PLAIN}))
        assert bytes(f.prompt.astype("u1")).decode() == shown
        if f.draft.shortened:
            assert not f.draft.shots


def columns(n: int, passage: str) -> dict[str, list[Any]]:
    return {
        "passage": [f"{i} {passage}" for i in range(n)],
        "question": [f"q{i}" for i in range(n)],
        "answer": [f"a{i}" for i in range(n)],
    }


def test_exemplars_go_before_text_is_cut() -> None:
    renderer = made(task(truncate=["passage"]), columns(8, "word " * 10))
    found = list(fit(renderer, Bytes(), Budget(total=150)))
    assert len(found) == 8
    for f in found:
        assert 0 < len(f.draft.shots) < 5
        assert len(f.draft.exemplars) == len(f.draft.shots)
        assert f.draft.shortened is None


def test_a_marked_field_is_cut_at_a_word() -> None:
    renderer = made(task(truncate=["passage"]), columns(4, "word " * 40), ArmShares())
    found = list(fit(renderer, Bytes(), Budget(input=100, target=20)))
    assert len(found) == 4
    for f in found:
        head, _, question = f.draft.input.partition("\n")
        assert question == f"Q: q{f.draft.row}"
        assert head.split() == [str(f.draft.row)] + ["word"] * (len(head.split()) - 1)
        assert 60 < len(f.prompt) <= 100


def test_without_a_marked_field_the_row_is_dropped() -> None:
    renderer = made(task(), columns(4, "word " * 40), ArmShares())
    assert list(fit(renderer, Bytes(), Budget(total=100))) == []
    assert set(renderer.reasons.values()) == {"the prompt is over-long"}


def test_a_target_is_never_cut() -> None:
    given_columns = columns(3, "p")
    given_columns["answer"][1] = "long " * 30
    renderer = made(task(), given_columns, ArmShares())
    assert [f.draft.row for f in fit(renderer, Bytes(), Budget(total=500, target=100))] == [0, 2]
    assert renderer.reasons == {1: "the target is over-long"}
