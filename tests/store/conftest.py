"""Builds from made-up plans (no compiler, no tokenizer, a few hundred tokens), and compiled ones."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from flancompile.store.build import Build
from flancompile.store.loss_spans import LossSpans
from flancompile.store.manifest import Manifest, TaskCount, TokenizerAbout
from flancompile.store.schema import EVAL, EXAMPLES, LEDGER
from flancompile.store.writer import BuildWriter, PackTable

if TYPE_CHECKING:
    from toys import Library

BOS, EOS, PAD = 2, 1, 0
LENGTHS = {"decoder": {"tokens": 32}, "encoder_decoder": {"inputs": 24, "targets": 16}}


@dataclass
class Plan:
    """Examples in packs. Ids are framed: bos + prompt, target + eos."""

    layout: str = "decoder"
    dtype: str = "uint16"
    ids: list[np.ndarray] = field(default_factory=list)
    lengths: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    packs: list[list[int]] = field(default_factory=list)
    shard_packs: int = 3
    recipe: str = "r"
    vocab_size: int = 1000
    ledger_rows: int = 0  # that the ledger holds beyond its due
    example_shift: int = 0  # that prompt_tokens are wrong by

    def table(self) -> PackTable:
        order = np.array([e for p in self.packs for e in p], dtype=np.int64)
        offsets = np.cumsum([0, *map(len, self.packs)])
        return PackTable(offsets, order, LossSpans.pairs(self.lengths[order]))

    def write(self, out: Path, *, blocks: int = 1, **more: Any) -> Manifest:
        """Write the build; objects of `blocks` examples come last first."""
        with BuildWriter(
            out, self.layout, LENGTHS[self.layout], self.dtype, recipe=self.recipe, **more
        ) as writer:
            writer.create_packs(self.table(), self.shard_packs, PAD)
            for start in reversed(range(0, len(self.ids), blocks)):
                part = slice(start, start + blocks)
                writer.scatter(start, np.concatenate(self.ids[part]), self.lengths[part])
            for start in range(0, len(self.ids), 7):
                writer.write_examples(self._examples(start, min(start + 7, len(self.ids))))
            writer.write_ledger(self._ledger())
            (writer.folder / "tokenizer").mkdir()
            (writer.folder / "tokenizer" / "tokenizer.json").write_text("{}")
            (writer.folder / "run.json").write_text("{}")
            return writer.finish(self.manifest(), {"tokenizer/tokenizer.json": 1}, ["run.json"])

    def _examples(self, start: int, end: int) -> pa.Table:
        n = end - start
        values: dict[str, Any] = {
            "task": ["toy/qa"] * n, "split": ["train"] * n, "pass": [0] * n, "template": ["t"] * n,
            "option_style": [None] * n, "shots_style": [None] * n, "row": range(start, end),
            "row_id": [f"row {i}" for i in range(start, end)], "exemplars": [[]] * n,
            "prompt_tokens": self.lengths[start:end, 0] - 1 + self.example_shift,
            "target_tokens": self.lengths[start:end, 1] - 1,
        }  # fmt: skip
        for name in ("options", "cot", "inverted", "truncated"):
            values[name] = [False] * n
        values |= {"exact": [True] * n, "shots_asked": [0] * n, "shots": [0] * n}
        plain = {
            f.name: pa.string() if pa.types.is_dictionary(f.type) else f.type for f in EXAMPLES
        }
        return pa.table({name: pa.array(list(v), plain[name]) for name, v in values.items()})

    def _ledger(self) -> pa.Table:
        n = len(self.ids) + self.ledger_rows
        lines: dict[str, Any] = {
            "task": ["toy/qa"] * n, "split": ["train"] * n, "pass": [0] * n, "row": range(n),
            "row_id": [None] * n, "ordinal": range(n), "reason": [None] * n, "rows": [1] * n,
            "disposition": ["kept"] * len(self.ids) + ["unused"] * self.ledger_rows,
        }  # fmt: skip
        return pa.table({f.name: pa.array(list(lines[f.name]), f.type) for f in LEDGER})

    def manifest(self) -> Manifest:
        prompt, target = (int(n) for n in self.lengths.sum(axis=0))
        counts = {
            "packs": len(self.packs), "examples": len(self.ids), "tokens": prompt + target,
            "target_tokens": target, "inexact_targets": 0, "frame_prompt": 1, "frame_target": 1,
        }  # fmt: skip
        task = TaskCount(
            task="toy/qa", member="m", source="toy", cluster=None, category="qa", inverted=False,
            share_requested=1.0, share_realised=1.0, examples_requested=len(self.ids),
            examples=len(self.ids), rows=len(self.ids), passes=1.0, prompt_tokens=prompt,
            target_tokens=target, shots_asked={}, shots={}, with_options=0, cot=0, truncated=0,
            inexact_targets=0, templates={"t": len(self.ids)},
        )  # fmt: skip
        tokenizer = TokenizerAbout(
            name="toy", kind="bytes", digest="0", vocab_size=self.vocab_size, bos_id=BOS,
            eos_id=EOS, pad_id=PAD, lossless=True,
        )  # fmt: skip
        return Manifest(
            flancompile_version="0", recipe={"recipe": self.recipe}, recipe_digest="0",
            layout=self.layout, lengths=LENGTHS[self.layout], token_dtype=self.dtype,
            tokenizer=tokenizer, frame={"before": BOS, "after_prompt": None, "after_target": EOS},
            pad_id=PAD, counts=counts, rate_in="examples", tasks=(task,), held_out={}, empty=(),
            packing={},
        )  # fmt: skip


def make_plan(n: int = 40, seed: int = 0, **more: Any) -> Plan:
    """n examples in the order of a seed, put into packs as they come."""
    plan = Plan(**more)
    rng = np.random.default_rng(seed)
    plan.lengths = np.stack([rng.integers(1, 12, n), rng.integers(1, 7, n)], axis=1)
    high = plan.vocab_size
    plan.ids = [rng.integers(3, high, int(row.sum())).astype(np.uint32) for row in plan.lengths]
    for row, ids in zip(plan.lengths, plan.ids, strict=True):
        ids[0], ids[-1] = BOS, EOS
        assert row.sum() == len(ids)
    limits = list(LENGTHS[plan.layout].values())
    room = [0] * len(limits)
    for example in rng.permutation(n).tolist():
        row = plan.lengths[example]
        need = [int(row.sum())] if plan.layout == "decoder" else row.tolist()
        if not plan.packs or any(a < b for a, b in zip(room, need, strict=True)):
            plan.packs.append([])
            room = list(limits)
        plan.packs[-1].append(example)
        room = [a - b for a, b in zip(room, need, strict=True)]
    return plan


def empty_eval(rows: int) -> pa.Table:
    """Evaluation rows without content."""
    return pa.table({f.name: pa.nulls(rows, f.type) for f in EVAL})


@pytest.fixture(scope="session")
def planned() -> Callable[..., Plan]:
    """A maker of plans."""
    return make_plan


@pytest.fixture(scope="session")
def changed() -> Callable[..., Plan]:
    """A plan with different values."""
    return replace


@pytest.fixture(scope="session")
def eval_rows() -> Callable[[int], pa.Table]:
    """A maker of evaluation rows."""
    return empty_eval


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> "Library":
    """A library with a recipe for each layout."""
    from toys import Library  # plans are also used without it, by subprocesses

    made = Library(tmp_path_factory.mktemp("library"))
    made.dataset()
    made.mixture(shots={0: 1, 2: 1})
    made.recipe(
        evaluate=[{"select": "all", "split": "validation", "max_rows": 20}], shards={"packs": 9}
    )
    made.recipe("e", layout="encoder_decoder", lengths={"input": 256, "target": 32})
    return made


@pytest.fixture(scope="session", params=["r", "e"])
def build(
    request: pytest.FixtureRequest, library: "Library", tmp_path_factory: pytest.TempPathFactory
) -> Build:
    """A compiled build of each layout, for reading only."""
    folder = tmp_path_factory.mktemp("build")
    return library.compile(folder / "b", folder / "cache", request.param)
