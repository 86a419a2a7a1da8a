"""Read a build: memory-mapped packs, examples, evaluation sets and ledger."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic import ValidationError

from flancompile.drop_reasons import Dropped
from flancompile.errors import FlancompileError, fail, nearest
from flancompile.store.expand import DecoderPart, decoder_batch, expand
from flancompile.store.loss_spans import LossSpans
from flancompile.store.manifest import FORMAT_VERSION, EvalEntry, FileEntry, Manifest
from flancompile.store.schema import EVAL_LEDGER, LEDGER, token_columns

__all__ = ["Build", "Pack", "PackStore"]


@dataclass(frozen=True)
class Pack:
    """One pack: token columns as views, the ids of its examples, and their loss spans."""

    tokens: dict[str, npt.NDArray[Any]]
    examples: npt.NDArray[np.uint64]
    loss_spans: LossSpans


class PackStore:
    """All packs of a build, as views of its memory-mapped shards.

    In random order, on one core: `tokens` 0.9 million packs a second, a whole `Pack` 0.24 million,
    and 0.14 million packs of 2,048 tokens expanded for a batch (288 million tokens).
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._layout, self.columns = manifest.layout, token_columns(manifest.layout)
        self.lengths = manifest.lengths
        self._views: dict[str, list[npt.NDArray[Any]]] = {c: [] for c in self.columns}
        self._examples: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
        self._runs: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
        firsts = [0]
        for entry in manifest.shards:
            for batch in _batches(folder / entry.path, entry.path):
                self._add(batch)
                firsts.append(firsts[-1] + len(batch))
        self._firsts = np.array(firsts, dtype=np.int64)
        self._edges = firsts

    def _add(self, batch: pa.RecordBatch) -> None:
        for name in self.columns:
            column = batch.column(name)
            flat = column.values.to_numpy(zero_copy_only=True)
            self._views[name].append(flat.reshape(len(batch), self.lengths[name]))
        ids, loss_spans = batch.column("example"), batch.column("runs")
        offsets = ids.offsets.to_numpy().astype(np.int64)
        self._examples.append((offsets, ids.values.to_numpy(zero_copy_only=True)))
        inner = loss_spans.values
        self._runs.append((inner.values.to_numpy(zero_copy_only=True), inner.offsets.to_numpy()))

    def __len__(self) -> int:
        return self._edges[-1]

    def _spot(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"pack {index} of {len(self)}")
        part = bisect_right(self._edges, index) - 1
        return part, index - self._edges[part]

    def tokens(self, index: int, column: str | None = None) -> npt.NDArray[Any]:
        """The tokens of a pack, as a read-only view. -> uint16 or uint32[length]."""
        part, row = self._spot(index)
        view: npt.NDArray[Any] = self._views[column or self.columns[0]][part][row]
        return view

    def views(self, indexes: npt.NDArray[np.int64]) -> dict[str, list[npt.NDArray[Any]]]:
        """The tokens of several packs, by column, as read-only views.

        Raises IndexError for an index out of range; a negative one does not count from the end.
        """
        parts, rows = self._spots(indexes)
        places = list(zip(parts.tolist(), rows.tolist(), strict=True))
        found = {}
        for name in self.columns:
            views = self._views[name]
            found[name] = [views[part][row] for part, row in places]
        return found

    def _spots(
        self, indexes: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        if len(indexes) and not (indexes.min() >= 0 and indexes.max() < len(self)):
            raise IndexError(f"packs {indexes.min()} to {indexes.max()} of {len(self)}")
        parts = self._firsts.searchsorted(indexes, side="right") - 1
        return parts, indexes - self._firsts[parts]

    def __getitem__(self, index: int) -> Pack:
        part, row = self._spot(index)
        offsets, ids = self._examples[part]
        start, end = int(offsets[row]), int(offsets[row + 1])
        tokens = {name: self._views[name][part][row] for name in self.columns}
        return Pack(tokens, ids[start:end], self._loss_spans_of(part, start, end))

    def _loss_spans_of(self, part: int, start: int, end: int) -> LossSpans:
        """The loss spans of examples `start` to `end` of a record batch."""
        values, edges = self._runs[part]
        low, high = edges[start], edges[end]
        return LossSpans(
            values[low:high].astype(np.int64), edges[start : end + 1].astype(np.int64) - low
        )

    def batch(self, indexes: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """The model's input for several packs: tokens int32[n, length], and the arrays of `expand`.

        Raises IndexError for an index out of range; a negative one does not count from the end.
        """
        if self._layout == "decoder":
            owner, rows = self._spots(indexes)
            return decoder_batch(self._decoder_parts, owner, rows, self.lengths["tokens"])
        tokens, loss_spans, offsets = self.gather(indexes)
        return {**tokens, **expand(self._layout, self.lengths, loss_spans, offsets)}

    @cached_property
    def _decoder_parts(self) -> list[DecoderPart]:
        packs = zip(self._views["tokens"], self._examples, self._runs, strict=True)
        return [(view, offsets, *loss_spans) for view, (offsets, _), loss_spans in packs]

    def gather(
        self, indexes: npt.NDArray[np.int64]
    ) -> tuple[dict[str, npt.NDArray[np.int32]], LossSpans, npt.NDArray[np.int64]]:
        """Tokens int32[n, length] of packs by column; loss spans; offsets [n + 1] into them.

        Raises IndexError for an index out of range; a negative one does not count from the end.
        """
        parts, rows = self._spots(indexes)
        tokens = {
            name: np.empty((len(indexes), self.lengths[name]), dtype=np.int32)
            for name in self.columns
        }
        loss_spans: list[LossSpans] = []
        for place, (part, row) in enumerate(zip(parts.tolist(), rows.tolist(), strict=True)):
            for name in self.columns:
                tokens[name][place] = self._views[name][part][row]
            offsets = self._examples[part][0]
            loss_spans.append(self._loss_spans_of(part, int(offsets[row]), int(offsets[row + 1])))
        counts = np.array([len(r) for r in loss_spans], dtype=np.int64)
        edges = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        return tokens, LossSpans.joined(loss_spans), edges

    def parts(self) -> Iterator[tuple[int, dict[str, Any], Any, Any, LossSpans]]:
        """(first pack, token views, offsets, example ids, loss spans) of each record batch."""
        for part, (offsets, ids) in enumerate(self._examples):
            views = {name: self._views[name][part] for name in self.columns}
            yield (
                int(self._firsts[part]),
                views,
                offsets,
                ids,
                self._loss_spans_of(part, 0, len(ids)),
            )


class Build:
    """A build on disk."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest

    @classmethod
    def open(cls, path: str | Path) -> Build:
        """Open a build's folder.

        Raises FC504 for another folder, FC505 for a newer format, FC506 for a missing file.
        """
        folder = Path(path)
        file = folder / "manifest.json"
        if not file.is_file():
            near = [p.parent.name for p in folder.parent.glob("*/manifest.json")]
            hint = nearest(folder.name, near) or "a build is a folder with a manifest.json"
            raise fail("FC504", f"{str(folder)!r} is not a build", hint=hint)
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            version = data.get("format_version", 0)
            if version > FORMAT_VERSION:
                hint = "upgrade flancompile to read it"
                message = (
                    f"{str(folder)!r} has format {version}; this version reads {FORMAT_VERSION}"
                )
                raise fail("FC505", message, hint=hint)
            manifest = Manifest.model_validate(data)
        except (ValueError, ValidationError, AttributeError, TypeError) as error:
            first = str(error).splitlines()[0]
            raise fail("FC504", f"{str(file)!r} is damaged: {first}") from None
        for entry in manifest.files():
            if not (folder / entry.path).is_file():
                hint = "copy the build again, or compile it"
                raise fail("FC506", f"{str(folder)!r} has lost {entry.path}", hint=hint)
        return cls(folder, manifest)

    @cached_property
    def packs(self) -> PackStore:
        """The packs, mapped at the first access."""
        return PackStore(self.path, self.manifest)

    @cached_property
    def _examples(self) -> tuple[list[list[pa.RecordBatch]], npt.NDArray[np.int64]]:
        files = [list(self.batches_of(e)) for e in self.manifest.examples]
        firsts = np.cumsum([0, *(e.rows for e in self.manifest.examples)])
        return files, firsts

    def example(self, index: int) -> dict[str, Any]:
        """The provenance of an example, by id. Raises FC507."""
        files, firsts = self._examples
        if not 0 <= index < firsts[-1]:
            raise fail("FC507", f"there is no example {index}; the build has {firsts[-1]}")
        part = int(firsts.searchsorted(index, side="right")) - 1
        row = index - int(firsts[part])
        found: dict[str, Any] = files[part][0].slice(row, 1).to_pylist()[0]
        return found

    def examples(self) -> Iterator[pa.RecordBatch]:
        """The provenance of all examples, in order of their ids."""
        for index in range(len(self.manifest.examples)):
            yield from self.examples_of(index)

    def examples_of(self, index: int) -> Iterator[pa.RecordBatch]:
        """The provenance in file `index` of the examples, from 0."""
        yield from self._examples[0][index]

    def batches_of(self, entry: FileEntry) -> Iterator[pa.RecordBatch]:
        """The record batches of an Arrow file of the build. Raises FC506."""
        return _batches(self.path / entry.path, entry.path)

    def example_ids(self, pack: int, segment: int) -> tuple[int, dict[str, npt.NDArray[Any]]]:
        """The example of a pack's segment (from 0): id, and tokens by column. Raises FC507."""
        if not 0 <= pack < len(self.packs):
            raise fail("FC507", f"there is no pack {pack}; the build has {len(self.packs)}, from 0")
        found = self.packs[pack]
        if not 0 <= segment < len(found.examples):
            message = f"pack {pack} has {len(found.examples)} segments, from 0"
            raise fail("FC507", f"there is no segment {segment}: {message}")
        sides = found.loss_spans.sides
        sides = sides if self.manifest.layout == "encoder_decoder" else sides.sum(1)[:, None]
        ends = np.cumsum(sides, axis=0)
        tokens = {}
        for place, (name, ids) in enumerate(found.tokens.items()):
            end = int(ends[segment, place])
            tokens[name] = ids[end - int(sides[segment, place]) : end]
        return int(found.examples[segment]), tokens

    def content(self, pack: int, segment: int) -> list[npt.NDArray[Any]]:
        """Token ids of an example's loss spans, without the frame: prompt, target, prompt, ..."""
        _, tokens = self.example_ids(pack, segment)
        frame, loss_spans = self.manifest.frame, self.packs[pack].loss_spans[segment]
        if self.manifest.layout == "decoder":
            parts = np.split(tokens["tokens"], np.cumsum(loss_spans)[:-1])
        else:
            parts = [tokens["inputs"], tokens["targets"]]
        ends = (frame["after_prompt"] is not None, frame["after_target"] is not None)
        found = [part[: len(part) - ends[place % 2]] for place, part in enumerate(parts)]
        found[0] = found[0][int(frame["before"] is not None) :]
        return found

    def ledger(self) -> pa.Table:
        """The disposition of every row of the sources. Raises FC506."""
        try:
            return parquet.read_table(self.path / "ledger.parquet")
        except (pa.ArrowException, OSError) as error:
            raise _damaged("ledger.parquet", error) from None

    def exemplar_names(self, task: str) -> dict[int, str]:
        """Ids of the rows and exemplars of a task, by digest."""
        names: dict[int, str] = {}
        for file, column in (("ledger.parquet", "row_id"), ("exemplars.parquet", "name")):
            if (self.path / file).is_file():
                means = {"columns": ["row", column], "filters": [("task", "=", task)]}
                table = parquet.read_table(self.path / file, **means)
                names |= zip(table["row"].to_pylist(), table[column].to_pylist(), strict=True)
        return names

    def dropped(self) -> list[dict[str, Any]]:
        """Drop reasons of the first epoch: task, reason and rows, the most frequent first.

        Reasons that differ only in quoted values or numbers are counted together, under their
        common text; a reason that differs from all others keeps its own.
        """
        ledger = self.ledger()
        first = pc.and_(pc.equal(ledger["disposition"], "dropped"), pc.equal(ledger["pass"], 0))
        counts: Counter[tuple[str, str]] = Counter()
        texts: dict[tuple[str, str], set[str]] = {}
        groups = ledger.filter(first).group_by(["task", "reason"]).aggregate([("rows", "sum")])
        for group in groups.to_pylist():
            key = group["task"], Dropped.of(group["reason"]).general
            counts[key] += group["rows_sum"]
            texts.setdefault(key, set()).add(group["reason"])
        found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        reasons = {
            key: key[1] if len(same) > 1 else next(iter(same)) for key, same in texts.items()
        }
        return [{"task": key[0], "reason": reasons[key], "rows": rows} for key, rows in found]

    def evaluation(self, name: str) -> tuple[pa.Table, dict[str, Any]]:
        """The rows of an evaluation set, and its metric, extraction, stop strings and baseline.

        name: as in the manifest, the task's id, or `TASK@ENTRY`. Raises FC507, FC506.
        """
        path = self.evaluation_entry(name).path
        try:
            with pa.memory_map(str(self.path / path)) as source:
                table = pa.ipc.open_file(source).read_all()
            return table, json.loads(table.schema.metadata[b"flancompile"])
        except (pa.ArrowException, OSError, TypeError, KeyError, ValueError) as error:
            raise _damaged(path, error) from None

    def evaluation_entry(self, name: str) -> EvalEntry:
        """The manifest's entry of an evaluation set. Raises FC507."""
        entries = {e.name: e for e in self.manifest.evaluation}
        if name not in entries:
            near = [n for n in entries if n.split("@")[0] == name]
            hint = (
                ", ".join(near) or nearest(name, entries) or f"here: {', '.join(entries) or 'none'}"
            )
            raise fail("FC507", f"the build has no evaluation set {name!r}", hint=hint)
        return entries[name]

    def template_places(self, task: str) -> dict[str, str]:
        """Template -> `file:line` of its definition, from the recipe's lock. Raises FC506."""
        try:
            lock = json.loads((self.path / "recipe.lock").read_text(encoding="utf-8"))
            return dict(lock["templates"].get(task, {}))
        except (OSError, ValueError, KeyError) as error:
            raise _damaged("recipe.lock", error) from None

    def eval_ledger(self) -> pa.Table:
        """The disposition of each row of each evaluation set; `task` is the set's name."""
        path = self.path / EVAL_LEDGER
        if not path.is_file():
            return LEDGER.empty_table()
        try:
            return parquet.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(EVAL_LEDGER, error) from None

    def fewer_shots(self, task: str, row: int, epoch: int = 0, *, evaluated: bool = False) -> str:
        """Why the example of a row has fewer exemplars than requested; empty where it has not.

        task: for `evaluated`, the name of the evaluation set; row: the row's digest.
        Raises FC506.
        """
        ledger = self.eval_ledger() if evaluated else self.ledger()
        own = pc.and_(pc.equal(ledger["task"], task), pc.equal(ledger["pass"], epoch))
        own = pc.and_(own, pc.equal(ledger["row"], pa.scalar(row, pa.uint64())))
        used = pc.is_in(ledger["disposition"], pa.array(["kept", "truncated"]))
        return next(iter(ledger.filter(pc.and_(own, used))["reason"].to_pylist()), None) or ""

    def evaluation_names(self, name: str) -> dict[int, str]:
        """The ids of the rows of an evaluation set, by their digests."""
        ledger = self.eval_ledger()
        own = ledger.filter(pc.and_(pc.equal(ledger["task"], name), pc.is_valid(ledger["row"])))
        return dict(zip(own["row"].to_pylist(), own["row_id"].to_pylist(), strict=True))

    @property
    def tokenizer_folder(self) -> Path:
        """The folder of the tokenizer's files."""
        return self.path / "tokenizer"


def _batches(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from None
    yield from batches


def _damaged(name: str, error: Exception) -> FlancompileError:
    hint = "`flancompile verify` lists all damaged files; compile the build again, or copy it again"
    return fail("FC506", f"{name} is damaged: {error}", hint=hint)
