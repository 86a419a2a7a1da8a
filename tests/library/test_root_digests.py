"""Root digests of known builds: a change of code that is not meant to change bytes keeps them.

A digest that moves on purpose is written anew with
`FLANCOMPILE_WRITE_DIGESTS=1 python -m pytest tests/library/test_root_digests.py`,
in a commit that says which digest moves and why.
"""

import json
import os
from pathlib import Path

import pytest

import flancompile
from flancompile.dsl.library.library import builtin_library, demo_library

HERE = Path(__file__).parent
KNOWN = HERE / "root_digests.json"
LADDER = ("ladder_9_gpt2", "ladder_9_t5", "ladder_89_gpt2", "ladder_89_t5")


def compare_or_record(recipe: str, digest: str) -> None:
    """Compare a digest with the recorded one, or record it where that is asked for."""
    known = json.loads(KNOWN.read_text())
    if os.environ.get("FLANCOMPILE_WRITE_DIGESTS"):
        KNOWN.write_text(json.dumps({**known, recipe: digest}, indent=2, sort_keys=True) + "\n")
    else:
        assert digest == known[recipe], recipe


@pytest.mark.slow
def test_the_demo_keeps_its_digest(tmp_path: Path) -> None:
    build = flancompile.compile(
        "demo", tmp_path / "out", library=[demo_library()], cache=tmp_path / "cache"
    )
    compare_or_record("demo", build.manifest.root_digest)


@pytest.mark.slow
def test_the_ladder_keeps_its_digests(shared: Path, tmp_path: Path) -> None:
    for recipe in LADDER:
        build = flancompile.compile(
            recipe,
            tmp_path / recipe,
            library=[builtin_library(), HERE],
            overlay="shared",
            cache=tmp_path / "cache",
        )
        compare_or_record(recipe, build.manifest.root_digest)
        assert build.manifest.counts["examples"] > 20_000
