"""Several processes train as one: each reads its own part of every batch."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import run_of

from flancompile.store.build import Build
from flancompile.trainer.log import read_metrics
from flancompile.trainer.train import train

WORKER = """
import json, sys
import jax
host, port, build, out, about = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5]
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=host)
assert jax.process_count() == 2 and len(jax.devices()) == 4
from pathlib import Path
from flancompile.store.build import Build
from flancompile.trainer.config import Run
from flancompile.trainer.train import train
train(Run.model_validate_json(about), Build.open(build), Path(out))
jax.distributed.shutdown()
"""


@pytest.mark.slow
def test_two_processes_of_two_devices_agree_with_one(
    build: Build, tmp_path: Path, one_device: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run_of(steps=3), build, tmp_path / "one", devices=one_device)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    about = run_of(steps=3, mesh={"data": 2, "fsdp": 2}).model_dump_json()
    command = [sys.executable, "-c", WORKER]
    rest = [port, str(build.path), str(tmp_path / "two"), about]
    both = [
        subprocess.Popen([*command, str(host), *rest], stderr=subprocess.PIPE, text=True)
        for host in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    one, two = ([m["loss"] for m in read_metrics(tmp_path / n)] for n in ("one", "two"))
    np.testing.assert_allclose(one, two, rtol=1e-5)
    again = train(run_of(steps=3), build, tmp_path / "two", devices=one_device)
    assert int(again["step"]) == 3
