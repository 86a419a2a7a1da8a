import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flancompile.errors import FlancompileError, Span
from flancompile.tokenizer import load as module
from flancompile.tokenizer.load import TokenizerRef, from_bytes, load_file, load_folder, load_hub
from flancompile.tokenizer.tokenizer import Tokenizer

SPAN = Span("recipe.yaml", 3, 5, 3, 9)


def failed(call: Callable[[], object]) -> str:
    with pytest.raises(FlancompileError) as caught:
        call()
    assert caught.value.code == "FC412"
    return str(caught.value)


@pytest.fixture
def folder(bpe: Tokenizer, tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer.json").write_bytes(bpe.data)
    return tmp_path / "model"


def test_a_file_its_folder_and_its_bytes_are_the_same(bpe: Tokenizer, folder: Path) -> None:
    one, other = load_file(folder / "tokenizer.json"), load_file(folder)
    assert one.digest == other.digest == bpe.digest
    assert one.name == other.name == "model"
    (folder / "mine.json").write_bytes(bpe.data)
    assert load_file(folder / "mine.json").name == "mine"


def test_the_kind_is_told_by_content(bpe: Tokenizer, pieces: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(bpe.data)
    (tmp_path / "b.bin").write_bytes(pieces.data)
    assert (load_file(tmp_path / "a.model").kind, load_file(tmp_path / "b.bin").kind) == (
        "hf",
        "sentencepiece",
    )


def test_specials_by_usual_names(bpe: Tokenizer) -> None:
    assert (bpe.pad_id, bpe.bos_id, bpe.eos_id) == (0, 1, 2)


def test_the_author_comes_before_files_beside_and_these_before_usual_names(folder: Path) -> None:
    config = {"eos_token": {"content": "<pad>"}, "bos_token": "</s>", "pad_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    found = load_file(folder)
    assert (found.bos_id, found.eos_id, found.pad_id) == (2, 0, 0)
    found = load_file(folder, {"eos": "<s>", "bos": None})
    assert (found.bos_id, found.eos_id) == (2, 1)


def test_a_token_declared_beside_but_absent_is_not_guessed(folder: Path) -> None:
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    assert load_file(folder).eos_id is None


def test_a_declared_token_that_is_not_there(folder: Path) -> None:
    message = failed(lambda: load_file(folder, {"eos": "</S>"}, SPAN))
    assert "eos: model has no token '</S>'" in message and "did you mean '</s>'?" in message
    assert "recipe.yaml:3:5" in message


def test_sentencepiece_declares_its_own(pieces: Tokenizer) -> None:
    assert (pieces.bos_id, pieces.eos_id, pieces.pad_id) == (1, 2, None)
    assert from_bytes("sentencepiece", pieces.data, "x", {"eos": "<s>"}).eos_id == 1
    assert "has no token '<eos>'" in failed(
        lambda: from_bytes("sentencepiece", pieces.data, "x", {"eos": "<eos>"})
    )


def test_bytes() -> None:
    found = from_bytes("bytes", b"", "bytes")
    assert (found.pad_id, found.bos_id, found.eos_id, found.vocab_size) == (0, 1, 2, 259)


def test_what_is_no_tokenizer(tmp_path: Path, bpe: Tokenizer) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": 1}')
    assert "is not a valid hf tokenizer:" in failed(lambda: load_file(tmp_path))
    (tmp_path / "a.model").write_bytes(b"\x0a\x03abc")
    assert "is not a valid sentencepiece tokenizer:" in failed(
        lambda: load_file(tmp_path / "a.model")
    )
    message = failed(lambda: load_file(tmp_path / "tokeniser.json"))
    assert "did you mean 'tokenizer.json'?" in message
    about = json.loads(bpe.data)
    about["model"]["dropout"] = 0.1
    data = json.dumps(about).encode()
    assert "makes ids random" in failed(lambda: from_bytes("hf", data, "x"))


def test_a_broken_file_beside(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text("{")
    assert "tokenizer_config.json: not JSON" in failed(lambda: load_file(folder))


@pytest.mark.parametrize("kind", ["bpe", "unigram", "bytes"])
def test_saved_and_loaded(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    saved: Tokenizer = (
        from_bytes("bytes", b"", "bytes") if kind == "bytes" else request.getfixturevalue(kind)
    )
    saved.save(tmp_path / "here")
    found = load_folder(tmp_path / "here")
    assert (found.digest, found.name, found.eos_id) == (saved.digest, saved.name, saved.eos_id)
    assert found.encode(["The fox"]).lists() == saved.encode(["The fox"]).lists()
    assert "does not contain a saved tokenizer" in failed(lambda: load_folder(tmp_path))


def test_a_ref_is_small_and_loads_once(bpe: Tokenizer, tmp_path: Path, monkeypatch: Any) -> None:
    ref = TokenizerRef.save(bpe, tmp_path)
    assert TokenizerRef.save(bpe, tmp_path) == ref
    assert ref.load() is bpe, "this process has it already"
    monkeypatch.setattr(module, "_loaded_here", {})
    found = pickle.loads(pickle.dumps(ref)).load()
    assert found is not bpe and found.digest == bpe.digest
    assert ref.load() is found
    assert "not the one that was saved" in failed(lambda: TokenizerRef(ref.folder, "0" * 64).load())


def test_a_hub_name_may_be_a_local_folder(folder: Path, bpe: Tokenizer) -> None:
    found = load_hub(str(folder))
    assert (found.digest, found.name) == (bpe.digest, str(folder))


@pytest.mark.parametrize("name", ["tokenizer.json", "spiece.model"])
def test_a_hub_repository_from_its_cache(
    name: str, bpe: Tokenizer, pieces: Tokenizer, tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    expected = bpe if name == "tokenizer.json" else pieces
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / name).write_bytes(expected.data)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    code = (
        "from flancompile.tokenizer.load import load_hub\n"
        "t = load_hub('org/name'); print(t.digest, t.name)\n"
        "try: load_hub('org/other')\n"
        "except Exception as e: print(e)"
    )
    env: dict[str, Any] = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    first, *rest = run.stdout.splitlines()
    assert first == f"{expected.digest} org/name"
    assert "FC412: the tokenizer of 'org/other' cannot be downloaded" in rest[0]
    assert "contains none" not in rest[0], "offline, its files are unknown"


def test_gpt2_is_told_from_its_file(real: Callable[[str], Tokenizer]) -> None:
    gpt2 = real("gpt2.json")
    assert (gpt2.name, gpt2.vocab_size, gpt2.eos_id) == ("gpt2", 50_257, 50_256)
    assert (gpt2.bos_id, gpt2.pad_id, gpt2.lossless) == (None, None, True)
    assert gpt2.encode(["Hello world"]).lists() == [[15496, 995]]


def test_a_folder_with_several_models_names_them(tmp_path: Path) -> None:
    for name in ("en.model", "de.model"):
        (tmp_path / name).write_bytes(b"\n")
    with pytest.raises(FlancompileError) as caught:
        load_file(tmp_path)
    (found,) = caught.value.diagnostics
    assert found.code == "FC412"
    assert "contains 2 tokenizers: de.model, en.model" in found.message
    assert found.hint == f"choose one of them: {tmp_path / 'de.model'}"
