"""Small task files of lm-evaluation-harness, to be changed key by key."""

from pathlib import Path
from typing import Any

import yaml

from flancompile.authoring.importers.lm_eval import import_task


def task(folder: Path, **keys: Any) -> Path:
    """A task file with some keys of its own."""
    about = {
        "task": "colours",
        "dataset_path": "some/colours",
        "doc_to_text": "What colour is {{thing}}?",
        "doc_to_target": "colour",
        "test_split": "test",
        **keys,
    }
    path = folder / "colours.yaml"
    path.write_text(yaml.safe_dump(about), encoding="utf-8")
    return path


def brought(path: Path) -> dict[str, Any]:
    """The dataset file of a task file that is imported whole."""
    found = import_task(path, {})
    assert found is not None and not found.left_out
    data: dict[str, Any] = yaml.safe_load(found.text)
    return data
