"""Load a tokenizer from a file, a Hub repository, bytes, or a saved folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from flancompile.errors import Span, fail, nearest
from flancompile.tokenizer.chat import CHAT_FILES, ChatTemplate, chat_beside
from flancompile.tokenizer.tekken import converted, is_tekken
from flancompile.tokenizer.tokenizer import FILES, METADATA_FILE, Kind, Specials, Tokenizer
from flancompile.unfinished import making_folder, remove

__all__ = [
    "TokenizerRef", "from_bytes", "load_file", "load_folder", "load_hub", "with_chat_file",
]  # fmt: skip

Role = Literal["bos", "eos", "pad"]

_ROLES: tuple[Role, ...] = ("bos", "eos", "pad")
_NAMES = ("tokenizer.json", "spiece.model", "tokenizer.model", "tekken.json")
_BESIDE = ("special_tokens_map.json", "tokenizer_config.json")
_USUAL = {
    "eos": ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|eot_id|>", "[SEP]"),
    "bos": ("<s>", "<|begin_of_text|>", "<bos>", "[CLS]"),
    "pad": ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"),
}


@dataclass(frozen=True)
class TokenizerRef:
    """Reference to a saved tokenizer: small to pickle, loaded once per process."""

    folder: str
    digest: str

    def load(self) -> Tokenizer:
        """Load the tokenizer. Raises FC412 if the folder's tokenizer has another digest."""
        return _loaded(self.folder, self.digest)

    @classmethod
    def save(cls, tokenizer: Tokenizer, root: Path) -> TokenizerRef:
        """Save a tokenizer in the folder `root`/DIGEST, unless it is saved already."""
        folder = root / tokenizer.digest[:32]
        if _is_saved(folder, tokenizer.digest):
            os.utime(folder)
        else:
            with making_folder(folder) as work:
                tokenizer.save(work)
                remove(folder)
                with suppress(OSError):  # another process has saved it meanwhile
                    work.rename(folder)
        _loaded_here[tokenizer.digest] = tokenizer
        return cls(str(folder), tokenizer.digest)


def _is_saved(folder: Path, digest: str) -> bool:
    try:
        metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
        kind = metadata["kind"]
        return metadata["digest"] == digest and (
            kind not in FILES or (folder / FILES[kind]).is_file()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


# Tokenizers of this process by digest: loading one costs up to half a second.
_loaded_here: dict[str, Tokenizer] = {}


def _loaded(folder: str, digest: str) -> Tokenizer:
    if digest not in _loaded_here:
        tokenizer = load_folder(Path(folder))
        if tokenizer.digest != digest:
            raise fail("FC412", f"the tokenizer in {folder} is not the one that was saved there")
        _loaded_here[digest] = tokenizer
    return _loaded_here[digest]


def load_folder(folder: Path) -> Tokenizer:
    """Load a tokenizer from a folder that `Tokenizer.save` wrote. Raises FC412."""
    try:
        metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
        kind: Kind = metadata["kind"]
        data = (folder / FILES[kind]).read_bytes() if kind in FILES else b""
        specials = Specials(metadata["bos_id"], metadata["eos_id"], metadata["pad_id"])
        known = metadata.get("chat_template")
        chat = None if known is None else ChatTemplate(known["text"], known["tokens"])
        return Tokenizer(
            kind, data, metadata["name"], specials, chat, metadata.get("reads_special", False)
        )
    except (OSError, ValueError, KeyError) as error:
        message = f"{folder} does not contain a saved tokenizer: {type(error).__name__}: {error}"
        raise fail("FC412", message) from None


def load_file(
    path: Path,
    declared: Mapping[str, str | None] | None = None,
    span: Span | None = None,
    name: str | None = None,
) -> Tokenizer:
    """Load a tokenizer.json, tekken.json or SentencePiece .model, or a folder with one of them.

    declared: texts of bos, eos and pad from the recipe; a missing one is taken from the files
    beside the tokenizer, else from its vocabulary by a usual name. name: for display; default the
    file's name, or its folder's name if the file has a usual name. Raises FC412.
    """
    if path.is_dir():
        path = _in_folder(path, span)
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"the tokenizer file {str(path)!r} cannot be read: {error.strerror}"
        raise fail("FC412", message, span=span, hint=_path_hint(path)) from None
    name = name or (path.absolute().parent.name if path.name in _NAMES else path.stem)
    chat = _chat_of(path, span)
    if not data.lstrip().startswith(b"{"):
        return from_bytes("sentencepiece", data, name, declared, span).with_chat(chat)
    data = _as_hub_json(data, name, span)
    declared = {k: v for k, v in (declared or {}).items() if v is not None}
    from_config = {k: v for k, v in _config_tokens(path, span).items() if k not in declared}
    return from_bytes("hf", data, name, declared, span, from_config).with_chat(chat)


def _in_folder(folder: Path, span: Span | None) -> Path:
    """Tokenizer file in a folder: one with a usual name, else its only .model. Raises FC412."""
    usual = next((folder / n for n in _NAMES if (folder / n).is_file()), None)
    models = sorted(p.name for p in folder.glob("*.model") if p.is_file())
    if usual is None and len(models) > 1:
        message = f"{str(folder)!r} contains {len(models)} tokenizers: {', '.join(models)}"
        hint = f"choose one of them: {folder / models[0]}"
        raise fail("FC412", message, span=span, hint=hint)
    return usual or folder / (models[0] if models else _NAMES[0])


def _path_hint(path: Path) -> str:
    """Hint for a missing file: the nearest name in its folder, or that the folder is missing."""
    here = path.parent
    if not here.is_dir():
        return f"there is no folder {str(here)!r}; paths are relative to the file that names them"
    near = nearest(path.name, [p.name for p in here.iterdir()])
    return near or f"give a file ({', '.join(_NAMES)}, any .model) or a folder with one of them"


@lru_cache(maxsize=2)
def _converted(data: bytes) -> bytes:
    content = json.loads(data)
    return converted(content) if is_tekken(content) else data


def _as_hub_json(data: bytes, name: str, span: Span | None) -> bytes:
    """Convert a tekken.json; return a tokenizer.json as it is."""
    try:
        return _converted(data)
    except (KeyError, TypeError, ValueError) as error:
        message = f"{name} is not a tokenizer: {type(error).__name__}: {error}"
        raise fail("FC412", message, span=span) from None


def with_chat_file(tokenizer: Tokenizer, path: Path, span: Span | None = None) -> Tokenizer:
    """Tokenizer with the chat template of a file. Raises FC412."""
    try:
        text = path.read_text(encoding="utf-8")
        roles = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id, "pad": tokenizer.pad_id}
        tokens = {f"{r}_token": tokenizer.token_text(i) for r, i in roles.items() if i is not None}
        known = tokenizer.chat.tokens if tokenizer.chat is not None else {}
        chat = ChatTemplate(text, {**tokens, **known})
        chat.check()
    except OSError as error:
        near = nearest(path.name, [p.name for p in path.parent.glob("*")])
        message = f"the chat template {str(path)!r} cannot be read: {error.strerror}"
        raise fail("FC412", message, span=span, hint=near) from None
    except ValueError as error:
        raise fail("FC412", f"{path.name} is not a chat template: {error}", span=span) from None
    return tokenizer.with_chat(chat)


def _chat_of(path: Path, span: Span | None) -> ChatTemplate | None:
    """Chat template beside a tokenizer file, if the file has a usual name."""
    if path.name not in _NAMES:
        return None
    try:
        return chat_beside(path.parent)
    except ValueError as error:
        raise fail("FC412", f"{path.parent}: {error}", span=span) from None


def load_hub(
    repository: str,
    revision: str | None = None,
    declared: Mapping[str, str | None] | None = None,
    span: Span | None = None,
    *,
    offline: bool = False,
) -> Tokenizer:
    """Load the tokenizer of a Hub repository, or of a local folder of that name. Raises FC412.

    offline: use only files that were downloaded before; they need no network in any case.
    """
    if Path(repository).is_dir():
        return load_file(Path(repository), declared, span, repository)
    missed = ""
    for name in _NAMES:
        path, why = _download(repository, name, revision, span, offline)
        if path is not None:
            for extra in {*_BESIDE, *CHAT_FILES}:
                _download(repository, extra, revision, span, offline)
            return load_file(path, declared, span, repository)
        missed = missed or why
    why = missed or f"it contains none of {', '.join(_NAMES)}"
    message = f"the tokenizer of {repository!r} cannot be downloaded: {why}"
    hint = "check the name and the network; a `file:` needs no network"
    raise fail("FC412", message, span=span, hint=hint)


def from_bytes(
    kind: Kind,
    data: bytes,
    name: str,
    declared: Mapping[str, str | None] | None = None,
    span: Span | None = None,
    from_config: Mapping[str, str] | None = None,
) -> Tokenizer:
    """Make a tokenizer from its file's bytes. Raises FC412 if invalid, or a token is missing.

    declared: texts of bos, eos and pad that must be tokens; from_config: texts from other files,
    used if they are tokens.
    """
    bare = Tokenizer(kind, data, name, Specials())
    try:
        size = bare.vocab_size
    except Exception as error:  # the libraries raise RuntimeError, bare Exception, ...
        message = f"{name} is not a valid {kind} tokenizer: {error}"
        hint = f"tokenizer files are {', '.join(_NAMES)}, and others of these formats"
        raise fail("FC412", message, span=span, hint=hint) from None
    bos, eos, pad = (
        _special(bare, role, declared or {}, from_config or {}, span) for role in _ROLES
    )
    assert all(i is None or i < size for i in (bos, eos, pad))
    return bare.with_specials(Specials(bos, eos, pad))


def _special(
    tokenizer: Tokenizer,
    role: Role,
    declared: Mapping[str, str | None],
    from_config: Mapping[str, str],
    span: Span | None,
) -> int | None:
    if (text := declared.get(role)) is not None:
        if (token := tokenizer.token_id(text)) is None:
            usual = [t for t in _USUAL[role] if tokenizer.token_id(t) is not None]
            hint = nearest(text, usual) or (f"it has {', '.join(usual)}" if usual else None)
            message = f"{role}: {tokenizer.name} has no token {text!r}"
            raise fail("FC412", message, span=span, hint=hint)
        return token
    if tokenizer.kind != "hf":
        return tokenizer.own_special(role)
    if role in from_config:
        return tokenizer.token_id(from_config[role])
    return next((i for t in _USUAL[role] if (i := tokenizer.token_id(t)) is not None), None)


def _config_tokens(path: Path, span: Span | None) -> dict[str, str]:
    """Texts of bos, eos and pad from the files beside a tokenizer.json."""
    found: dict[str, str] = {}
    for name in _BESIDE:
        file = path.parent / name
        if not file.is_file():
            continue
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise fail("FC412", f"{file}: not JSON: {error}", span=span) from None
        for role in _ROLES:
            token = config.get(f"{role}_token") if isinstance(config, dict) else None
            text = token.get("content") if isinstance(token, dict) else token
            if isinstance(text, str):
                found[role] = text
    return found


def _download(
    repository: str, name: str, revision: str | None, span: Span | None, offline: bool
) -> tuple[Path | None, str]:
    """Download a repository's file. -> (path, or None if missing; reason if it is unknown)"""
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError:
        hint = "pip install 'flancompile[hub]'"
        raise fail("FC412", "a Hub tokenizer needs huggingface_hub", span=span, hint=hint) from None
    try:
        return Path(
            hf_hub_download(repository, name, revision=revision, local_files_only=offline)
        ), ""
    except errors.LocalEntryNotFoundError as error:
        return None, _first_line(error)  # offline and not in the cache
    except errors.EntryNotFoundError:
        return None, ""
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        return None, _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
