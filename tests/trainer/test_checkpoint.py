"""Checkpoints: schedule, limit, metadata and errors."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from runs import run_of

from flancompile.errors import FlancompileError
from flancompile.trainer.checkpoint import CheckpointMetadata, CheckpointStore
from flancompile.trainer.config import Checkpoints, MeshShape
from flancompile.trainer.mesh import make_mesh
from flancompile.trainer.step import Program

METADATA = CheckpointMetadata(
    {"run": "toy"}, {"step": 1}, "digest", 128, {"jax": "1"}, {"loss": 2.0}
)


def test_states_and_metadata_are_restored(tmp_path: Path, one_device: list[Any]) -> None:
    program = Program(run_of(), make_mesh(MeshShape(data=1), one_device), 128, 16)
    state = program.new_state()
    with CheckpointStore(tmp_path, Checkpoints(steps=2, keep=2)) as checkpoints:
        assert [s for s in range(1, 6) if checkpoints.due(s)] == [2, 4]
        with pytest.raises(FlancompileError, match=r"FC605.*no checkpoint[\s\S]*train first"):
            checkpoints.metadata()
        for step in (2, 4, 6, 6):
            checkpoints.save(step, state, METADATA)
    with CheckpointStore(tmp_path) as checkpoints:
        assert checkpoints.steps == [4, 6] and not checkpoints.due(2)
        assert checkpoints.metadata() == (6, METADATA) and checkpoints.metadata(4) == (4, METADATA)
        with pytest.raises(FlancompileError, match=r"FC605.*of step 2[\s\S]*there are: 4, 6"):
            checkpoints.restore(program, 2)
        found = checkpoints.restore(program)
    leaves = list(zip(jax.tree.leaves(state), jax.tree.leaves(found), strict=True))
    assert len(leaves) > 10
    for one, other in leaves:
        np.testing.assert_array_equal(one, other)
