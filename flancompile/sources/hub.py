"""Read rows of the Hugging Face Hub with `datasets`; without network access when offline."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flancompile.errors import fail
from flancompile.sources.rows import BadRow, Projection, Row

__all__ = ["hub_commit", "hub_files", "hub_rows"]

_COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_rows(
    repository: str, config: str | None, revision: str | None, split: str, projection: Projection
) -> Iterator[Row | BadRow]:
    """The rows of a split of a Hub dataset, or of a local dataset folder. Raises FC306."""
    from flancompile.sources.arrow_rows import batch_rows

    data = _load(repository, config, revision, split)
    number = 0
    for table in data.with_format("arrow").iter(batch_size=1024):
        yield from batch_rows(table, projection, f"{repository}:{split}", number, len(table))
        number += len(table)


def hub_files(repository: str, config: str | None, revision: str | None, split: str) -> list[Path]:
    """The files of a split in the cache of `datasets`. Raises FC306."""
    data = _load(repository, config, revision, split)
    return [Path(f["filename"]) for f in data.cache_files]


def hub_commit(repository: str, revision: str | None) -> str | None:
    """The commit of a revision; None for a local folder, or offline. Raises FC306."""
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    if Path(repository).is_dir() or _is_offline():
        return None
    try:
        from huggingface_hub import HfApi

        return str(HfApi().dataset_info(repository, revision=revision).sha)
    except Exception as error:
        raise _cannot(repository, error) from None


def _is_offline() -> bool:
    switches = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    return any(os.environ.get(s, "").lower() in ("1", "true", "yes", "on") for s in switches)


def _load(repository: str, config: str | None, revision: str | None, split: str) -> Any:
    try:
        import datasets
    except ImportError:
        hint = "pip install 'flancompile[hub]'"
        raise fail("FC306", "a Hub source needs the package `datasets`", hint=hint) from None
    datasets.disable_progress_bars()
    local = Path(repository).is_dir()
    try:
        return datasets.load_dataset(
            repository, config, split=split, revision=None if local else revision
        )
    except Exception as error:
        raise _cannot(repository, error) from None


def _cannot(repository: str, error: Exception) -> Exception:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    hint = "check name, config, split and revision"
    if _is_offline():
        hint = "it is not in the cache, and offline mode is on: give its files in an overlay"
    return fail("FC306", f"the Hub dataset {repository!r} cannot be read: {first}", hint=hint)
