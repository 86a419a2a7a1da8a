"""manifest.json: recipe, counts and files of a build, with their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import blake3
from pydantic import BaseModel, ConfigDict

__all__ = [
    "FORMAT_VERSION", "EvalEntry", "FileEntry", "Manifest", "TaskCount", "TokenizerAbout",
    "canonical", "file_entry", "root_digest_of",
]  # fmt: skip

FORMAT_VERSION = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Frozen):
    """A file of the build; `rows` are packs, examples or lines of the ledger."""

    path: str
    rows: int
    bytes: int
    blake3: str


class EvalEntry(FileEntry):
    """An evaluation set: a task's rows of one split under one arm, in a file of its own.

    rows + dropped + unused are the rows of the split. shots: realised number of exemplars -> rows;
    reasons: why rows were dropped -> rows, the most frequent first; unused: rows beyond `max_rows`;
    fewer_shots: why prompts have fewer exemplars than requested -> rows.
    """

    name: str
    task: str
    entry: str | None = None
    split: str
    metric: str
    group: str | None = None
    random_baseline: float | None = None
    shots_requested: int = 0
    shots: dict[int, int] = {}
    fewer_shots: dict[str, int] = {}
    options: bool = False
    cot: bool = False
    dropped: int = 0
    reasons: dict[str, int] = {}
    unused: int = 0


class TokenizerAbout(_Frozen):
    """The tokenizer that made the ids."""

    name: str
    kind: str
    digest: str
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    lossless: bool


class TaskCount(_Frozen):
    """Requested and realised counts of one task. Tokens include the frame.

    fewer_shots: why examples have fewer exemplars than requested -> examples.
    """

    task: str
    member: str
    source: str
    cluster: str | None
    category: str
    inverted: bool
    share_requested: float
    share_realised: float
    examples_requested: int
    examples: int
    rows: int
    passes: float
    prompt_tokens: int
    target_tokens: int
    shots_asked: dict[int, int]
    shots: dict[int, int]
    fewer_shots: dict[str, int] = {}
    with_options: int
    cot: int
    truncated: int
    inexact_targets: int
    unknown_prompts: int = 0
    special_in_data: int = 0
    templates: dict[str, int]


class Manifest(_Frozen):
    """Contents of a build. `root_digest` covers packs and examples, in order.

    `manifest_digest` covers the rest of the manifest itself, so that every change is detected.
    """

    format_version: int = FORMAT_VERSION
    flancompile_version: str
    recipe: dict[str, Any]
    recipe_digest: str
    layout: Literal["decoder", "encoder_decoder"]
    lengths: dict[str, int]
    token_dtype: Literal["uint16", "uint32"]
    tokenizer: TokenizerAbout
    frame: dict[str, int | None]
    pad_id: int
    counts: dict[str, int]
    rate_in: str
    tasks: tuple[TaskCount, ...]
    held_out: dict[str, str]
    left_out: dict[str, str] = {}
    unwritten_styles: dict[str, str] = {}
    empty: tuple[str, ...]
    packing: dict[str, Any]
    shards: tuple[FileEntry, ...] = ()
    examples: tuple[FileEntry, ...] = ()
    evaluation: tuple[EvalEntry, ...] = ()
    ledger: FileEntry | None = None
    others: tuple[FileEntry, ...] = ()
    root_digest: str = ""
    manifest_digest: str = ""

    def sealed(self) -> Manifest:
        """A copy with the digest of all its other entries."""
        text = canonical(self.model_dump(mode="json", exclude={"manifest_digest"}))
        digest = str(blake3.blake3(text.encode()).hexdigest())
        return self.model_copy(update={"manifest_digest": digest})

    def text(self) -> str:
        """Canonical JSON: sorted keys, two spaces, a newline at the end."""
        return canonical(self.model_dump(mode="json"), indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write the manifest's text."""
        path.write_text(self.text(), encoding="utf-8")

    def files(self) -> list[FileEntry]:
        """Every file that has a digest."""
        ledger = [self.ledger] if self.ledger else []
        return [*self.shards, *self.examples, *self.evaluation, *ledger, *self.others]


def canonical(value: Any, indent: int | None = None) -> str:
    """Canonical JSON: sorted keys, and no spaces unless `indent` is given."""
    separators = None if indent else (",", ":")
    return json.dumps(value, sort_keys=True, indent=indent, separators=separators)


def root_digest_of(
    layout: str,
    lengths: Mapping[str, int],
    shards: Sequence[FileEntry],
    examples: Sequence[FileEntry],
) -> str:
    """The digest of all packs and examples of a build."""
    files = [[f.path, f.rows, f.blake3] for f in (*shards, *examples)]
    text = canonical([FORMAT_VERSION, layout, dict(lengths), files])
    return str(blake3.blake3(text.encode()).hexdigest())


def file_entry(folder: Path, path: Path, rows: int) -> FileEntry:
    """The manifest's entry of a file: its name, size and digest."""
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
    size = path.stat().st_size
    if size:
        hasher.update_mmap(path)
    name = path.relative_to(folder).as_posix()
    return FileEntry(path=name, rows=rows, bytes=size, blake3=str(hasher.hexdigest()))
