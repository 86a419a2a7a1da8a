"""`check` reports a tokenizer's diagnostics as a compile does, without asking the Hub."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Library

import flancompile
from flancompile import check
from flancompile.errors import Diagnostic, FlancompileError
from flancompile.tokenizer.tokenizer import Tokenizer

SPECIALS = st.sampled_from(["</s>", "<|im_end|>", "<|nope|>"])
FILES = {"gpt2": "gpt2.json", "t5 json": "t5.json", "wordpiece": "wordpiece.json", "t5": "t5.model"}
STYLES = {
    "shots": {
        "fine": {"exemplar": "{{ input }} {{ target }}"},
        "braces": {"exemplar": "{ {{ input }} } {{ target }}"},
        "turns": {
            "zero": "{{ '<|nope|>' | special }}{{ instruction }} {{ input }}",
            "when": "zero",
        },
    },
    "options": {"plain": {"item": "{{ text }}"}, "curly": {"item": "{ {{ text }}"}},
}


def library_at(
    root: Path, zoo: dict[str, Tokenizer], prompt: str, styles: dict[str, Any]
) -> Library:
    """A library of one task with options, its tokenizers and its styles."""
    made = Library(root)
    for kind, name in FILES.items():
        (root / name).write_bytes(zoo[kind].data)
    rows = [
        {"id": i, "q": f"is the number {i * i} odd or even", "a": "no" if i % 2 else "yes"}
        for i in range(40)
    ]
    made.write("datasets/toy.jsonl", rows)
    task: dict[str, Any] = {
        "signature": "q -> a",
        "choices": {"gold": "a", "options": ["yes", "no"]},
        "templates": [{"name": "t", "input": prompt, "target": "{{ a }}"}],
    }
    if styles:
        task["styles"] = styles
    made.write("datasets/toy.yaml", {
        "source": {"files": {"train": "toy.jsonl", "validation": "toy.jsonl"}, "id": "id"},
        "fields": {"q": "q", "a": "a"}, "tasks": {"t": task},
    })  # fmt: skip
    made.write("styles/s.yaml", STYLES)
    made.mixture({"select": "source:toy"})
    return made


def errors_of(found: list[Diagnostic]) -> set[tuple[str, str, str, str | None]]:
    return {(d.code, str(d.span), d.message, d.hint) for d in found if d.severity == "error"}


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*FILES, "bytes"]),
    special=st.none() | SPECIALS,
    own=st.sampled_from([{}, {"shots": ["braces"]}, {"options": ["curly"]}]),
    chosen=st.sampled_from(
        [["fine"], ["braces"], ["braces", "fine"], ["turns"], ["fine", "turns"]]
    ),
    entry=st.sampled_from([None, {}, {"options": ["curly"]}, {"shots": ["turns", "braces"]}]),
    frame=st.dictionaries(st.sampled_from(["bos", "eos"]), st.booleans()),
    chat=st.booleans(),
)
def test_check_and_compile_agree(
    zoo: dict[str, Tokenizer],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    special: str | None,
    own: dict[str, Any],
    chosen: list[str],
    entry: dict[str, Any] | None,
    frame: dict[str, bool],
    chat: bool,
) -> None:
    root = tmp_path_factory.mktemp("library")
    prompt = "{{ q }}" if special is None else f"{{{{ '{special}' | special }}}}{{{{ q }}}}"
    library = library_at(root, zoo, prompt, own)
    tokenizer = {"bytes": True} if kind == "bytes" else {"file": f"../{FILES[kind]}"}
    styles = {"shots": chosen, **({"chat": ["tokenizer"], "wrap": True} if chat else {})}
    evaluate = [] if entry is None else [{"select": "toy/t", "styles": entry}]
    library.recipe(tokenizer=tokenizer, styles=styles, frame=frame, evaluate=evaluate)
    reported = errors_of(check(root))
    try:
        flancompile.plan("r", library=[root], cache=root / "cache")
        refused = set()
    except FlancompileError as error:
        refused = errors_of(list(error.diagnostics))
    assert reported == refused
    assert all(":1:1" not in place and place != "None" for _, place, _, _ in reported)


@pytest.fixture
def library(zoo: dict[str, Tokenizer], tmp_path: Path) -> Library:
    prompt = "{{ '</s>' | special }}{{ q }}{{ ('<|im_ent|>') | special }}"
    return library_at(tmp_path, zoo, prompt, {})


def reported(root: Path) -> list[tuple[str, str, str, str]]:
    return [(d.code, d.severity, str(d.span).rpartition("/")[2], d.hint or "") for d in check(root)]


def test_a_special_token_that_is_lacking_has_its_own_place(library: Library) -> None:
    library.recipe(tokenizer={"file": "../gpt2.json"}, frame={"eos": True})
    text = (library.root / "datasets" / "toy.yaml").read_text().splitlines()
    (line,) = [n for n, t in enumerate(text, 1) if "<|im_ent|>" in t]
    column = text[line - 1].index("<|im_ent|>") + 1
    assert reported(library.root) == [
        ("FC422", "error", f"toy.yaml:{line}:{column}", "did you mean '<|im_end|>'?")
    ]


@pytest.mark.parametrize(
    ("frame", "place"),
    [("frame: {bos: true}", "r.yaml:6:14"), ("frame: {bos: true, join: ' '}", "r.yaml:6:14")],
)
def test_a_frame_without_its_token(library: Library, frame: str, place: str) -> None:
    library.write("recipes/r.yaml", (
        "recipe: r\nmixture: m\nsize: {examples: 3}\ntokenizer: {file: ../t5.json}\n"
        f"lengths: {{pack: 64}}\n{frame}\nlayout: decoder\n"
    ))  # fmt: skip
    found = [d for d in reported(library.root) if d[0] != "FC422"]
    hint = "set `bos: TEXT` under the recipe's tokenizer, or `frame: {bos: false}`"
    assert found == [("FC410", "error", place, hint)]


def test_a_style_named_in_full_that_is_never_drawn(library: Library) -> None:
    library.write("recipes/r.yaml", (
        "recipe: r\nmixture: m\nsize: {examples: 3}\ntokenizer: {file: ../t5.json}\n"
        "layout: encoder_decoder\nlengths: {input: 64, target: 16}\n"
        "styles: {shots: [fine, braces], options: ['*']}\n"
    ))  # fmt: skip
    found = [d for d in reported(library.root) if d[0] == "FC421"]
    assert found == [
        ("FC421", "warning", "r.yaml:7:24", "remove it from the list, or choose another tokenizer")
    ]


def test_a_hub_is_never_asked(
    library: Library, monkeypatch: pytest.MonkeyPatch, zoo: dict[str, Tokenizer], tmp_path: Path
) -> None:
    """A repository that has been downloaded is looked at, another is left alone."""
    import huggingface_hub
    from huggingface_hub import constants

    def asked(*_: Any, **given: Any) -> Any:
        assert given["local_files_only"] is True
        return real(*_, **given)

    real = huggingface_hub.hf_hub_download
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", asked)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    library.recipe(tokenizer={"hub": "org/name"})
    assert not reported(library.root)
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    assert not reported(library.root), "only a part of it is here"
    (snapshot / "tokenizer.json").write_bytes(zoo["gpt2"].data)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    assert [d[0] for d in reported(library.root)] == ["FC422"]


def test_a_pinned_tokenizer_is_looked_at(library: Library, tmp_path: Path) -> None:
    library.write("datasets/toy.yaml", (library.root / "datasets" / "toy.yaml").read_text()
                  .replace("{{ ('<|im_ent|>') | special }}", ""))  # fmt: skip
    library.recipe(tokenizer={"train": "bpe", "vocab_size": 300}, size={"examples": 4})
    assert not reported(library.root), "it is still to be learnt"
    with pytest.raises(FlancompileError, match="FC422"):
        library.compile(tmp_path / "a", tmp_path / "cache")
    assert [d[0] for d in reported(library.root)] == ["FC422"]
