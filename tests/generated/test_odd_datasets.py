"""Generated datasets of odd values through check, compile and verify.

Whatever the rows hold, nothing but a diagnostic may come of it, and the ledger gives each row of
each task one disposition. `FLANCOMPILE_GENERATED=100` tries 100 libraries of 20 datasets.
"""

import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from odd_datasets import odd_library

import flancompile
from flancompile.errors import FlancompileError
from flancompile.lint.reading import Reading
from flancompile.store.build import Build
from flancompile.store.verify import verify

LIBRARIES = int(os.environ.get("FLANCOMPILE_GENERATED", "6"))
DATASETS = 20
# Diagnostics that a compile of odd rows may end with; the dataset they name is then left out.
ROW_CODES = {"FC302", "FC304", "FC407", "FC408"}


def ledger_rows(build: Build) -> dict[tuple[str, str, int], int]:
    """Rows in the ledger by (task, split, pass)."""
    ledger = pyarrow.parquet.read_table(build.path / "ledger.parquet").to_pylist()
    found: Counter[tuple[str, str, int]] = Counter()
    for line in ledger:
        found[line["task"], line["split"], line["pass"]] += line["rows"]
    return found


def rows_of_sources(root: Path) -> dict[tuple[str, str], int]:
    """Rows of each dataset's splits, counted without the compiler's readers."""
    import csv
    import json

    import pyarrow.feather

    found: dict[tuple[str, str], int] = {}
    for path in (root / "datasets").glob("*.*.*"):
        name, split, form = path.name.split(".")
        if form == "jsonl":
            count = len(path.read_text(encoding="utf-8").strip("\n").split("\n"))
        elif form == "json":
            count = len(json.loads(path.read_text(encoding="utf-8")))
        elif form in ("csv", "tsv"):
            with path.open(newline="", encoding="utf-8") as file:
                count = (
                    sum(1 for _ in csv.reader(file, delimiter="," if form == "csv" else "\t")) - 1
                )
        elif form == "parquet":
            count = pyarrow.parquet.read_metadata(path).num_rows
        else:
            count = pyarrow.feather.read_table(path).num_rows
        found[name, split] = count
    return found


def compile_usable(root: Path, place: Path) -> tuple[Build | None, list[str]]:
    """Compile what can be compiled: a dataset that a diagnostic names is removed, and the rest tried again."""
    failed: list[str] = []
    while any((root / "datasets").glob("*.yaml")):
        try:
            return flancompile.compile(
                "r", place / "out", library=[root], cache=place / "cache"
            ), failed
        except FlancompileError as error:
            named = sorted(set(re.findall(r"odd\d+", str(error))))
            assert {d.code for d in error.diagnostics} <= ROW_CODES, str(error)
            assert named, f"a diagnostic that names no dataset: {error}"
            failed += [d.code for d in error.diagnostics]
            for name in named:
                (root / "datasets" / f"{name}.yaml").unlink()
    return None, failed


def outcome(root: Path, place: Path) -> dict[str, Any]:
    """Check, compile and verify one library. -> codes by kind, and whether a build came of it."""
    static = flancompile.check(root)
    data = flancompile.check(root, data=Reading(rows=None, write_lock=False))
    codes = Counter(d.code for d in data)
    errors = [d for d in static if d.severity == "error"]
    assert not errors, errors
    build, failed = compile_usable(root, place)
    if build is None:
        return {"codes": codes, "failed": failed}
    assert verify(build) == []
    counted = rows_of_sources(root)
    seen: defaultdict[str, int] = defaultdict(int)
    for (task, split, _), rows in ledger_rows(build).items():
        dataset = task.split("/")[0]
        assert rows == counted[dataset, split], (task, split, rows, counted[dataset, split])
        seen[split] += 1
    assert seen["train"], "the ledger is empty"
    reasons = pyarrow.parquet.read_table(build.path / "ledger.parquet")["reason"].unique()
    named = [r for r in reasons.to_pylist() if r and re.search(r"\w(Error|Exception)\b|<class", r)]
    assert not named, named
    return {"codes": codes, "failed": failed}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(LIBRARIES))
def test_odd_datasets_compile_or_are_diagnosed(tmp_path: Path, seed: int) -> None:
    root = odd_library(tmp_path / "library", seed, DATASETS)
    found = outcome(root, tmp_path)
    assert len(found["failed"]) < DATASETS / 2, found["failed"]
