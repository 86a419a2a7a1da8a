"""Verify a build: the digests of all files, then the agreement of their contents.

A digest detects any changed byte. The other checks detect a build that was written wrong. They are
vectorised by record batch, and take 16 bytes of memory for each example.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from flancompile.errors import FlancompileError
from flancompile.store.build import Build
from flancompile.store.loss_spans import LossSpans
from flancompile.store.manifest import file_entry, root_digest_of
from flancompile.store.schema import EVAL, EVAL_LEDGER, EXAMPLES, LEDGER, packs_schema

__all__ = ["Problem", "verify"]

_FOLDERS = ("packs", "examples", "eval", "tokenizer")
Ints = npt.NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """A disagreement between a file and the manifest."""

    file: str
    message: str


def verify(
    build: Build, progress: Callable[[int, int], None] | None = None, *, deep: bool = True
) -> list[Problem]:
    """Problems of a build; an empty list for a sound one.

    All files are hashed. deep: if all digests are right, check every pack, example and line of the
    ledger too.
    """
    found = [*_manifest(build), *_unlisted(build), *_digests(build, progress)]
    if deep and not found:
        try:
            found += _forms(build)
            found += [] if found else [*_packs(build), *_sums(build), *_ledger(build)]
            found += [] if found else [*_eval_ledger(build)]
        except (FlancompileError, pa.ArrowInvalid, ValueError, IndexError) as error:
            found.append(Problem("packs", f"cannot be read: {error}"))
    return found


def _manifest(build: Build) -> Iterator[Problem]:
    m, name = build.manifest, "manifest.json"
    if m.sealed().manifest_digest != m.manifest_digest:
        yield Problem(name, "an entry was changed: the manifest's own digest differs")
    elif (build.path / name).read_text(encoding="utf-8") != m.text():
        yield Problem(name, "the text was changed, though no entry was")
    if root_digest_of(m.layout, m.lengths, m.shards, m.examples) != m.root_digest:
        yield Problem(name, "the root digest is not that of the shards")


def _unlisted(build: Build) -> Iterator[Problem]:
    """Files that the manifest does not list, in the folders of a build."""
    named = {entry.path for entry in build.manifest.files()}
    for folder in _FOLDERS:
        for path in sorted((build.path / folder).rglob("*")):
            name = path.relative_to(build.path).as_posix()
            if path.is_file() and name not in named:
                yield Problem(name, "the manifest does not name it")


def _digests(build: Build, progress: Callable[[int, int], None] | None) -> Iterator[Problem]:
    files = build.manifest.files()
    for done, entry in enumerate(files, 1):
        actual = file_entry(build.path, build.path / entry.path, entry.rows)
        if actual.bytes != entry.bytes:
            yield Problem(entry.path, f"{actual.bytes} bytes, {entry.bytes} expected")
        elif actual.blake3 != entry.blake3:
            message = f"digest {actual.blake3[:16]}…, {entry.blake3[:16]}… expected"
            yield Problem(entry.path, message)
        if progress is not None:
            progress(done, len(files))


def _forms(build: Build) -> Iterator[Problem]:
    """Check schema and number of rows of each file."""
    m = build.manifest
    packs = packs_schema(m.layout, m.lengths, m.token_dtype)
    for entries, schema in ((m.shards, packs), (m.examples, EXAMPLES), (m.evaluation, EVAL)):
        for entry in entries:
            with pa.memory_map(str(build.path / entry.path)) as source:
                reader = pa.ipc.open_file(source)
                rows = sum(len(reader.get_batch(i)) for i in range(reader.num_record_batches))
                yield from _form(entry.path, reader.schema, schema, rows, entry.rows)
    if m.ledger is not None:
        metadata = parquet.read_metadata(build.path / m.ledger.path)
        here = metadata.schema.to_arrow_schema()
        yield from _form(m.ledger.path, here, LEDGER, metadata.num_rows, m.ledger.rows)


def _form(
    path: str, here: pa.Schema, schema: pa.Schema, rows: int, expected: int
) -> Iterator[Problem]:
    if not here.equals(schema, check_metadata=False):
        yield Problem(path, f"columns are {here.names}, or of other types than {schema.names}")
    if rows != expected:
        yield Problem(path, f"{rows} rows, {expected} expected")


def _packs(build: Build) -> Iterator[Problem]:
    n = build.manifest.counts["examples"]
    pack_of, segment_of = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    lengths, pairs = np.zeros((n, 2), dtype=np.int32), np.zeros(n, dtype=np.int32)
    for first, views, offsets, ids, loss_spans in build.packs.parts():
        part = slice(int(offsets[0]), int(offsets[-1]))
        known, sides, edges = ids[part].astype(np.int64), loss_spans.sides, offsets - offsets[0]
        if (known >= n).any():
            bad = int(np.searchsorted(edges, int(np.argmax(known >= n)), side="right")) - 1
            yield _at(build, first + bad, f"has an example beyond the {n} of the build")
            return
        packs = np.repeat(np.arange(first, first + len(edges) - 1), np.diff(edges))
        segments = np.arange(len(known)) - np.repeat(edges[:-1], np.diff(edges))
        repeated = pack_of[known] >= 0
        pack_of[known], segment_of[known], lengths[known] = packs, segments, sides
        pairs[known] = loss_spans.counts // 2
        repeated |= (pack_of[known] != packs) | (segment_of[known] != segments)
        if repeated.any():
            at = int(np.argmax(repeated))
            yield _at(build, int(packs[at]), f"has example {known[at]}, which occurs twice")
            return
        if (loss_spans.counts % 2 == 1).any() or (loss_spans.counts == 0).any():
            odd = int(np.argmax((loss_spans.counts % 2 == 1) | (loss_spans.counts == 0)))
            yield _at(
                build, int(packs[odd]), f"example {known[odd]} has an odd number of loss spans"
            )
            return
        yield from _tokens(build, first, views, edges, loss_spans)
    if (pack_of < 0).any():
        missing = np.flatnonzero(pack_of < 0)
        yield Problem("packs", f"{len(missing)} examples are in no pack, the first is {missing[0]}")
    yield from _examples(build, pack_of, segment_of, lengths - _framing(build, pairs))
    found = {"packs": len(build.packs), "tokens": int(lengths.sum(dtype=np.int64))}
    found["target_tokens"] = int(lengths[:, 1].sum(dtype=np.int64))
    for name, value in found.items():
        if build.manifest.counts[name] != value:
            message = f"{build.manifest.counts[name]} {name}, {value} found"
            yield Problem("manifest.json", message)


def _tokens(
    build: Build, first: int, views: dict[str, Ints], edges: Ints, loss_spans: LossSpans
) -> Iterator[Problem]:
    """Check the tokens of one record batch. edges: int64[packs + 1] into the examples."""
    m = build.manifest
    is_decoder = m.layout == "decoder"
    sides = loss_spans.sides.sum(axis=1, keepdims=True) if is_decoder else loss_spans.sides
    ends = np.concatenate([np.zeros((1, sides.shape[1]), np.int64), np.cumsum(sides, axis=0)])
    used = np.diff(ends[edges], axis=0)
    for side, (name, view) in enumerate(views.items()):
        is_long = used[:, side] > m.lengths[name]
        if is_long.any():
            message = f"loss spans of {name} are longer than {m.lengths[name]}"
            yield _at(build, first + int(np.argmax(is_long)), message)
            continue
        is_padding = np.arange(m.lengths[name]) >= used[:, side : side + 1]
        checks = {
            f"{name} has an id beyond the vocabulary": ~is_padding
            & (view >= m.tokenizer.vocab_size),
            f"{name} has tokens after its last loss span": is_padding & (view != m.pad_id),
        }
        for message, wrong in checks.items():
            if wrong.any():
                yield _at(build, first + int(np.argmax(wrong.any(axis=1))), message)
        pack = np.repeat(np.arange(len(view)), np.diff(edges))
        starts = ends[:-1, side] - ends[edges][pack, side]
        is_last = side == len(views) - 1
        for name_, owner, at, token in _frame(build, is_last, is_decoder, starts, loss_spans):
            wrong_ = view[pack[owner], at.clip(0, view.shape[1] - 1)] != token
            if wrong_.any():
                yield _at(build, first + int(pack[owner[np.argmax(wrong_)]]), name_)


def _frame(
    build: Build, is_last: bool, is_decoder: bool, starts: Ints, loss_spans: LossSpans
) -> Iterator[tuple[str, Ints, Ints, int]]:
    """Expected tokens of the frame on one side: (message, examples, places, token id).

    starts: int64[examples], the first place of each example in its pack.
    """
    frame = build.manifest.frame
    before, join, end = frame["before"], frame["after_prompt"], frame["after_target"]
    every = np.arange(len(loss_spans))
    if before is not None and (is_decoder or not is_last):
        yield "a prompt does not begin with its frame", every, starts, before
    if not is_decoder:
        token = end if is_last else join
        name = (
            "a target does not end with eos" if is_last else "a prompt does not end with its frame"
        )
        if token is not None:
            yield name, every, starts + loss_spans.sides[:, int(is_last)] - 1, token
        return
    owner = np.repeat(every, loss_spans.counts)
    ends = np.cumsum(loss_spans.values)
    ends -= np.repeat(
        ends[loss_spans.edges[:-1]] - loss_spans.values[loss_spans.edges[:-1]], loss_spans.counts
    )
    ends += starts[owner] - 1  # the last token of each span
    place = np.arange(len(loss_spans.values)) - loss_spans.edges[owner]
    for name, token, side in (
        ("a prompt does not end with its frame", join, 0),
        ("a target does not end with eos", end, 1),
    ):
        if token is not None:
            on_side = place % 2 == side
            yield name, owner[on_side], ends[on_side], token


def _framing(build: Build, pairs: Ints) -> Ints:
    """Tokens of the frame without and with loss. pairs: int64[n] of spans. -> int64[n, 2]"""
    counts = build.manifest.counts
    before = int(build.manifest.frame["before"] is not None)
    prompt = before + pairs * (counts["frame_prompt"] - before)
    return np.stack([prompt, pairs * counts["frame_target"]], axis=1)


def _examples(build: Build, pack_of: Ints, segment_of: Ints, lengths: Ints) -> Iterator[Problem]:
    """Check provenance against the packs. lengths: int64[n, 2], tokens without the frame."""
    m, first = build.manifest, 0
    for index, entry in enumerate(m.examples):
        for batch in build.examples_of(index):
            at = slice(first, first + len(batch))
            expected = {
                "example": np.arange(first, first + len(batch)),
                "pack": pack_of[at],
                "segment": segment_of[at],
                "prompt_tokens": lengths[at, 0],
                "target_tokens": lengths[at, 1],
            }
            for name, values in expected.items():
                wrong = batch.column(name).to_numpy().astype(np.int64) != values
                if wrong.any():
                    place = f"example {first + int(np.argmax(wrong))}"
                    yield Problem(entry.path, f"{place}: {name} does not agree with the packs")
            first += len(batch)
    if first != m.counts["examples"]:
        yield Problem("examples", f"{first} examples, {m.counts['examples']} expected")


def _sums(build: Build) -> Iterator[Problem]:
    """Check that the counts of the tasks add up to those of the build."""
    m = build.manifest
    sums = {
        "examples": sum(t.examples for t in m.tasks),
        "tokens": sum(t.prompt_tokens + t.target_tokens for t in m.tasks),
        "target_tokens": sum(t.target_tokens for t in m.tasks),
    }
    for name, value in sums.items():
        if m.counts[name] != value:
            yield Problem("manifest.json", f"{m.counts[name]} {name}, the tasks have {value}")


def _ledger(build: Build) -> Iterator[Problem]:
    """Check that every epoch of every task accounts for all rows of its source."""
    table, path = build.ledger(), "ledger.parquet"
    rows = {t.task: t.rows for t in build.manifest.tasks}
    keys = ["task", "split", "pass"]
    sums = (
        table.group_by(keys).aggregate([("rows", "sum")]).sort_by([(k, "ascending") for k in keys])
    )
    for line in sums.to_pylist():
        if line["rows_sum"] != rows.get(line["task"]):
            message = f"{line['task']}: pass {line['pass']} accounts for {line['rows_sum']} rows"
            yield Problem(path, f"{message} of {rows.get(line['task'])}")
    for task in sorted({t for t, n in rows.items() if n} - {*sums["task"].to_pylist()}):
        yield Problem(path, f"{task}: no line accounts for its {rows[task]} rows")
    used = table.filter(pc.is_in(table["disposition"], pa.array(["kept", "truncated"])))
    by_task = used.group_by("task").aggregate([("rows", "sum")]).to_pylist()
    counts = {r["task"]: r["rows_sum"] for r in by_task}
    for entry in build.manifest.tasks:
        if counts.get(entry.task, 0) != entry.examples:
            message = f"{counts.get(entry.task, 0)} rows used, {entry.examples} examples"
            yield Problem(path, f"{entry.task}: {message}")


def _eval_ledger(build: Build) -> Iterator[Problem]:
    """Check the ledger of each evaluation set against its entry in the manifest."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    sums = build.eval_ledger().group_by(["task", "disposition"]).aggregate([("rows", "sum")])
    for line in sums.to_pylist():
        counts[line["task"]][line["disposition"]] = line["rows_sum"]
    for entry in build.manifest.evaluation:
        expected = {"kept": entry.rows, "dropped": entry.dropped, "unused": entry.unused}
        expected = {k: n for k, n in expected.items() if n}
        if counts[entry.name] != expected:
            message = f"{entry.name}: {counts[entry.name]} rows, {expected} expected"
            yield Problem(EVAL_LEDGER, message)


def _at(build: Build, pack: int, message: str) -> Problem:
    """A problem of one pack, reported for its shard."""
    ends = np.cumsum([s.rows for s in build.manifest.shards])
    shard = build.manifest.shards[int(ends.searchsorted(pack, side="right"))]
    return Problem(shard.path, f"pack {pack}: {message}")
