"""Truncation: over-long fields are cut to the budget, and to nothing less."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import PLAIN, Bytes, rows_of

from flancompile.compiler.objects.build import examples_of
from flancompile.compiler.objects.fit import Budget, fit
from flancompile.compiler.objects.truncate import Cutting, Measured, head, longest_fitting
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.dsl.models.style import ChatStyle, ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.tokenizer.tokenizer import Tokenizer

regex = pytest.importorskip("regex")
PACK = 1000
WORDS = ["the", "of", "rain", "Verwaltungsgericht", "1987", "née", "(see", "above),", "東京", "\n"]
DIRECT = ArmShares(((0, 1.0),), (0.0, 1.0), (0.0, 1.0))


def prose(characters: int, seed: int) -> str:
    rng = random.Random(seed)
    words = [rng.choice(WORDS) for _ in range(characters // 4 + 8)]
    return " ".join(words)[:characters].strip()


def task(truncate: list[str], **more: Any) -> Task:
    template = {"name": "t", "input": "{{ p }}\n\n{{ r }}\nQ: {{ q }}", "target": "{{ a }}"}
    given_ = {"signature": "p, r, q -> a", "templates": [template], "truncate": truncate, **more}
    return Task.model_validate(given_)


def spec_of(task_: Task, shares: ArmShares = DIRECT, **more: Any) -> RenderSpec:
    return RenderSpec("toy/qa", task_, {}, {"plain": PLAIN}, shares, 1, (0,), **more)


def fitted(
    task_: Task, columns: dict[str, list[Any]], encoder: Any, budget: Budget, **more: Any
) -> Any:
    rows = rows_of(task_, columns)
    renderer = Renderer(spec_of(task_, **more), rows, Pools(task_.exemplars, rows), {})
    return list(fit(renderer, encoder, budget)), renderer.reasons


def one(p: str, r: str = "none", q: str = "why?", a: str = "so") -> dict[str, list[Any]]:
    return {"p": [p], "r": [r], "q": [q], "a": [a]}


@pytest.mark.slow
@pytest.mark.parametrize("packs", [1.01, 1.5, 3, 10, 20, 44, 200, 1000])
@pytest.mark.parametrize("kind", ["bytes", "bpe", "unigram"])
def test_a_field_of_any_length_fills_the_budget(
    packs: float, kind: str, bpe: Tokenizer, unigram: Tokenizer
) -> None:
    encoder: Any = {"bytes": Bytes(), "bpe": bpe, "unigram": unigram}[kind]
    text = prose(int(packs * PACK * (1 if kind == "bytes" else 3)), 3)
    (found,), reasons = fitted(task(["p"]), one(text), encoder, Budget(total=PACK))
    assert not reasons and found.draft.shortened
    assert 0.95 * PACK <= sum(found.lengths) <= PACK
    assert found.draft.input.endswith("\n\nnone\nQ: why?")
    assert found.prompt.tolist() == encoder.encode([found.draft.input])[0].tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40_000), min_size=3, max_size=3),
    st.permutations(["p", "r", "q"]),
    st.integers(1, 3),
    st.booleans(),
)
def test_fields_are_cut_in_the_order_they_are_named(
    sizes: list[int], order: list[str], taken: int, coded: bool
) -> None:
    """The first that are enough; those before the last that is cut are cut to one length."""
    named = order[:taken]
    texts = {n: prose(s + 4, i) for i, (n, s) in enumerate(zip("prq", sizes, strict=True))}
    budget = Budget(input=PACK, target=50) if coded else Budget(total=PACK)
    room = PACK if coded else PACK - 2
    whole = len(f"{texts['p']}\n\n{texts['r']}\nQ: {texts['q']}".encode())
    fixed = whole - sum(len(texts[n].encode()) for n in named)
    found, reasons = fitted(
        task(named), {**{n: [t] for n, t in texts.items()}, "a": ["so"]}, Bytes(), budget
    )
    if whole <= room:
        assert found[0].draft.shortened is None
        return
    if fixed + 6 * len(named) > room:  # less than a character of each is left
        assert found or set(reasons.values()) == {"the prompt is over-long"}
        return
    (only,) = found
    shortened = only.draft.shortened
    assert len(only.prompt) <= room
    assert len(only.prompt) >= min(0.95 * PACK, room - 80)  # a word or a character of each
    cut = [n for n in named if shortened[n] != texts[n]]
    assert cut and all(texts[n].startswith(shortened[n]) for n in named)
    last = named.index(cut[-1])
    without = whole - sum(len(texts[n].encode()) for n in named[:last])
    assert last == 0 or without + 2 * last > room - 80, "fewer fields would not have been enough"


def test_two_fields_each_as_long_as_the_pack_share_it() -> None:
    (found,), _ = fitted(
        task(["p", "r"]), one(prose(PACK, 1), prose(20 * PACK, 2)), Bytes(), Budget(total=PACK)
    )
    lengths = [len(found.draft.shortened[n]) for n in ("p", "r")]
    assert 0.95 * PACK <= sum(found.lengths) <= PACK
    assert abs(lengths[0] - lengths[1]) < 30


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.sampled_from("ab \n漢é🙂"), min_size=5, max_size=120).filter(str.strip),
    st.integers(20, 90),
)
def test_the_search_finds_the_longest_head(text: str, total: int) -> None:
    """Against every length tried in turn."""
    found, _ = fitted(task(["p"]), one(text), Bytes(), Budget(total=total))

    def size(p: str) -> int:
        return len(f"{p}\n\nnone\nQ: why?so".encode())

    if size(text) <= total:
        assert found[0].draft.shortened is None
        return
    heads = [h for c in range(1, len(text)) if (h := head(text, c)) and size(h) <= total]
    assert [len(f.draft.shortened["p"]) for f in found] == ([max(map(len, heads))] if heads else [])


def test_a_search_takes_few_steps_whatever_the_length() -> None:
    """The measure is encoded each time, so steps are what truncation costs."""
    most = 0
    for size in (2_000, 50_000, 3_000_000):
        steps = 0

        def measure(heads: Any) -> dict[int, Measured[int]]:
            nonlocal steps
            steps += 1
            tokens = len(heads[0][0]) * 2 // 7
            return {0: Measured(tokens, tokens - 300, tokens)}

        text = prose(size, 1)
        whole = Measured(len(text) * 2 // 7, len(text) * 2 // 7 - 300, 0)
        cutting = Cutting([text], whole, len(text))
        longest_fitting({0: cutting}, measure)
        assert cutting.best is not None and cutting.best.tokens >= 290
        most = max(most, steps)
    assert 0 < most <= 14


PARTS = [
    "a",
    "b",
    " ",
    "é",
    "e\u0301",
    "漢",
    "👩‍👩‍👧",
    "🇫🇷",
    "🇩🇪",
    "👍🏽",
    "ก็",
    "नि",
    "\r\n",
    "각",
    "❤\ufe0f",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join), st.integers(1, 60))
def test_no_character_is_split(text: str, length: int) -> None:
    """Against the grapheme clusters of `regex`."""
    found = head(text, length)
    ends = np.cumsum([0, *(len(g) for g in regex.findall(r"\X", text))])
    assert text.startswith(found)
    assert len(found) in ends or text[len(found)].isspace()
    blank = len(text) - len(text.lstrip())
    first = next((int(e) for e in ends if e > blank), 0)
    assert len(found) <= max(blank + length, first)
    assert bool(found.strip()) == bool(text.strip())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS[:8]), min_size=1, max_size=40), st.integers(8, 300))
def test_a_word_is_whole_where_there_is_one(words: list[str], length: int) -> None:
    text = " ".join(words)
    cut = head(text, length)
    if len(words[0]) <= length:
        assert cut.split(" ") == words[: len(cut.split(" "))]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("shots", [0, 3])
def test_both_engines_cut_alike(wrap: bool, shots: int, bpe: Tokenizer) -> None:
    task_ = task(["p", "r"])
    n = 30
    columns = {
        "p": [prose(40 * 3 ** (i % 8), i) for i in range(n)],
        "r": [prose(30 * 4 ** (i % 6), i + 99) for i in range(n)],
        "q": [f"why {i}?" for i in range(n)],
        "a": [f"so {i}" for i in range(n)],
    }
    shares = ArmShares(((shots, 1.0),), (0.0, 1.0), (0.0, 1.0))
    chats = {"c": ChatStyle(user="User: {{ text }}", assistant="AI: {{ text }}")} if wrap else {}
    spec = spec_of(task_, shares, chat_styles=chats, wrap=wrap)
    ids = pa.array(map(str, range(n))), pa.array(range(n), pa.uint64())
    tables = []
    for by_columns in (True, False):
        rows = rows_of(task_, columns)
        rows.arrays = {k: pa.array(v) for k, v in columns.items()}
        tables.append(
            examples_of(spec, (rows, *ids), Pools(task_.exemplars, rows), bpe, Budget(total=PACK),
                        by_columns=by_columns)
        )  # fmt: skip
    assert tables[0].equals(tables[1])
    cut = tables[0]["truncated"].to_numpy(zero_copy_only=False)
    lengths = sum(tables[0][c].to_numpy().astype(int) for c in ("prompt_tokens", "target_tokens"))
    assert cut.sum() > 5 and tables[0]["reason"].null_count == n
    assert (lengths[cut] >= 0.95 * PACK).all() and (lengths <= PACK).all()
    assert not tables[0]["shots"].to_numpy()[cut].any()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["{{ said }}", "{{ p[:40] }} {{ said }}", "{{ loud }}"]),
    st.sampled_from(["task", "template", "instruction"]),
    st.integers(1_200, 30_000),
)
def test_a_field_that_only_a_let_name_shows_is_shortened(shown: str, place: str, size: int) -> None:
    let = {"said": "p | trim", "loud": "said | upper"}
    input_ = f"{shown}\nQ: {{{{ q }}}}"
    more: dict[str, Any] = {}
    if place == "instruction":
        input_, more = "Q: {{ q }}", {"instruction": shown}
    template: dict[str, Any] = {"name": "t", "input": input_, "target": "{{ a }}"}
    template |= {"let": let} if place == "template" else {}
    more |= {} if place == "template" else {"let": let}
    task_ = task(["p"], **more, templates=[template])
    layout = ShotsStyle(query="{{ instruction }}\n{{ input }}")
    rows = rows_of(task_, one(prose(size, 5)))
    spec = replace(spec_of(task_), shots_styles={"plain": layout})
    renderer = Renderer(spec, rows, Pools(task_.exemplars, rows), {})
    (found,) = fit(renderer, Bytes(), Budget(total=PACK))
    assert not renderer.reasons and found.draft.target == "so"
    assert 0.95 * PACK <= sum(found.lengths) <= PACK


def test_let_names_of_the_target_keep_their_values_in_a_shortened_prompt() -> None:
    words = [f"word{i:04}" for i in range(400)]
    let = {"word": "pick(p | words)", "line": "'Is ' ~ word ~ ' in it?'", "end": "p | words | last"}
    let["marker"] = "p | regex_search('word0399')"
    template = {
        "name": "t",
        "input": "{{ p }}\n{{ line }} {{ end }} {{ marker }} {{ q }}",
        "target": "{{ word }}",
    }
    task_ = task(["p"], templates=[template], let=let)
    columns = {k: v * 20 for k, v in one(" ".join(words)).items()}
    found, reasons = fitted(task_, columns, Bytes(), Budget(total=PACK))
    assert not reasons and len({f.draft.target for f in found}) > 5
    for one_ in found:
        text, last = one_.draft.input.split("\n")
        assert last.startswith(f"Is {one_.draft.target} in it?")
        assert last.split()[-3:] == [text.split()[-1], "word0399", "why?"]
        assert 0.95 * PACK <= sum(one_.lengths) <= PACK
