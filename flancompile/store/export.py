"""Export builds as Parquet, JSON Lines, or a folder for `datasets.load_from_disk`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flancompile.errors import fail, nearest
from flancompile.store.build import Build
from flancompile.store.schema import packs_schema

__all__ = ["EVAL_FORMATS", "FORMATS", "export", "export_evaluation"]

Decode = Callable[[Sequence[int]], str]


def export(
    build: Build,
    out: Path,
    format_: str,
    *,
    decode: Decode | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a build's packs (parquet, hf-disk) or examples (jsonl) to `out`. -> rows written.

    decode: turns ids into the texts of a jsonl line. Raises FC508 for an unknown format, FC501 if
    `out` exists.
    """
    if format_ not in FORMATS:
        hint = nearest(format_, FORMATS) or f"known: {', '.join(FORMATS)}"
        raise fail("FC508", f"there is no export format {format_!r}", hint=hint)
    return _published(out, lambda partial: FORMATS[format_](build, partial, decode, progress))


def export_evaluation(build: Build, out: Path, format_: str, name: str) -> int:
    """Write an evaluation set to `out` as parquet or jsonl. -> rows written.

    Raises FC508 for another format, FC501 if `out` exists, FC507 for an unknown set.
    """
    rows, _ = build.evaluation(name)
    if format_ not in EVAL_FORMATS:
        hint = f"evaluation sets can be exported as {' or '.join(EVAL_FORMATS)}"
        raise fail("FC508", f"evaluation sets cannot be exported as {format_!r}", hint=hint)
    return _published(out, lambda partial: EVAL_FORMATS[format_](rows, partial))


def _eval_parquet(rows: pa.Table, out: Path) -> int:
    parquet.write_table(rows.replace_schema_metadata(None), out, compression="zstd")
    return len(rows)


def _eval_jsonl(rows: pa.Table, out: Path) -> int:
    with out.open("w", encoding="utf-8") as sink:
        for batch in rows.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                sink.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(rows)


def _published(out: Path, write: Callable[[Path], int]) -> int:
    """Write under a partial name, then rename. Raises FC501 if `out` exists."""
    if out.exists():
        raise fail("FC501", f"{str(out)!r} already exists", hint="choose another name")
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    _remove(partial)
    try:
        rows = write(partial)
        partial.replace(out)
    finally:
        _remove(partial)
    return rows


def _remove(path: Path) -> None:
    """Remove a file or folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _parquet(build: Build, out: Path, decode: Decode | None, progress: Any) -> int:
    rows, manifest = 0, build.manifest
    schema = packs_schema(manifest.layout, manifest.lengths, manifest.token_dtype)
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for entry in manifest.shards:
            for batch in build.batches_of(entry):
                writer.write_batch(batch, row_group_size=1024)
                rows += len(batch)
                if progress is not None:
                    progress(rows, manifest.counts["packs"])
    return rows


def _jsonl(build: Build, out: Path, decode: Decode | None, progress: Any) -> int:
    rows = 0
    with out.open("w", encoding="utf-8") as sink:
        for batch in build.examples():
            for example in batch.to_pylist():
                sink.write(json.dumps(_line(build, example, decode), ensure_ascii=False) + "\n")
                rows += 1
                if progress is not None and rows % 1000 == 0:
                    progress(rows, build.manifest.counts["examples"])
    return rows


def _line(build: Build, example: dict[str, Any], decode: Decode | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": example["example"],
        "task": example["task"],
        "template": example["template"],
        "row": example["row_id"],
    }
    parts = [p.tolist() for p in build.content(example["pack"], example["segment"])]
    texts = [decode(ids) if decode is not None else None for ids in parts]
    if len(parts) > 2:
        loss_spans = zip(parts, texts, strict=True)
        line["runs"] = [
            {"loss": place % 2 == 1, "ids": ids, **({} if text is None else {"text": text})}
            for place, (ids, text) in enumerate(loss_spans)
        ]
        return line
    line["prompt_ids"], line["target_ids"] = parts
    if decode is not None:
        line["prompt"], line["target"] = texts
    return line


def _hf_disk(build: Build, out: Path, decode: Decode | None, progress: Any) -> int:
    rows, names, manifest = 0, [], build.manifest
    schema = packs_schema(manifest.layout, manifest.lengths, manifest.token_dtype)
    out.mkdir()
    shards = manifest.shards
    for number, entry in enumerate(shards):
        name = f"data-{number:05d}-of-{len(shards):05d}.arrow"
        with (
            pa.OSFile(str(out / name), "wb") as sink,
            pa.ipc.new_stream(sink, schema) as writer,
        ):
            for batch in build.batches_of(entry):
                writer.write_batch(batch)
        names.append({"filename": name})
        rows += entry.rows
        if progress is not None:
            progress(rows, manifest.counts["packs"])
    features = {f.name: _feature(f.type) for f in schema}
    info = {"features": features, "description": "", "citation": "", "homepage": "", "license": ""}
    state: dict[str, Any] = {
        "_data_files": names,
        "_fingerprint": build.manifest.root_digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    (out / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")
    (out / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
    return rows


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "List"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": str(kind), "_type": "Value"}


FORMATS: dict[str, Callable[[Build, Path, Decode | None, Any], int]] = {
    "parquet": _parquet,
    "jsonl": _jsonl,
    "hf-disk": _hf_disk,
}
EVAL_FORMATS: dict[str, Callable[[pa.Table, Path], int]] = {
    "parquet": _eval_parquet,
    "jsonl": _eval_jsonl,
}
