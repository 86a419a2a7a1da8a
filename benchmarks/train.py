"""A training step beside the same model in `transformers` + torch, on the same batches, in one run.

Both sides have equal weights at the start (so the first losses are compared), equal packed batches
with segments kept apart, float32, and Adafactor; torch's attention is its fused `sdpa` with a mask.
Blocks of steps alternate, so that a noisy machine is noisy for both. Then a run by the trainer
itself tells how long it waits for the feed.

    make parity
    flancompile compile demo --library templates/demo --out demo/build
    python benchmarks/train.py --build demo/build --out benchmarks/train.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import jax
import numpy as np
import torch
import transformers

from flancompile import feed
from flancompile.store.build import Build
from flancompile.trainer.config import Run
from flancompile.trainer.flops import parameters, step_flops
from flancompile.trainer.log import read_metrics
from flancompile.trainer.train import make_program, train
from flancompile.trainer.weights import hugging_face

SHAPE = {"layers": 6, "width": 256, "heads": 8, "kv_heads": 4, "mlp": 768}


def run_of(batch_packs: int, steps: int) -> Run:
    about = {"name": "adafactor", "learning_rate": 1e-3, "clip_norm": 1.0}
    return Run(
        run="bench", model=SHAPE, steps=steps, batch_packs=batch_packs, compute="float32",
        optimizer=about, log_steps=10,
    )  # fmt: skip


class Ours:
    def __init__(self, run: Run, build: Build) -> None:
        self.program = make_program(run, build)
        self.state = self.program.new_state()
        began = time.perf_counter()
        self.step_fn = self.program.compiled()
        self.compile_seconds = time.perf_counter() - began

    def step(self, batch: dict[str, Any]) -> float:
        self.state, metrics = self.step_fn(self.state, self.program.put(batch))
        return float(metrics["loss"])


class Theirs:
    def __init__(self, run: Run, vocab: int, weights: Any) -> None:
        shape = run.model
        config = transformers.LlamaConfig(
            vocab_size=vocab, hidden_size=shape.width, intermediate_size=shape.mlp,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_heads, head_dim=shape.head_size,
            rms_norm_eps=shape.norm_eps, rope_theta=shape.rope_theta, tie_word_embeddings=True,
            attn_implementation="sdpa", use_cache=False,
        )  # fmt: skip
        self.model = transformers.LlamaForCausalLM(config)
        named = {n: torch.tensor(np.array(v)) for n, v in hugging_face(weights)}
        self.model.load_state_dict(named, strict=False)
        self.optimizer = torch.optim.Adafactor(self.model.parameters(), lr=1e-3)

    def step(self, batch: dict[str, Any]) -> float:
        tokens = torch.tensor(batch["tokens"]).long()
        segments = torch.tensor(batch["segment_ids"])
        length = segments.shape[1]
        seen = (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0)
        seen &= torch.tril(torch.ones(length, length, dtype=torch.bool))
        seen |= torch.eye(length, dtype=torch.bool)  # a row that sees nothing is not a number
        positions = torch.tensor(batch["positions"]).long()
        out = self.model(input_ids=tokens, position_ids=positions, attention_mask=seen[:, None])
        weights = torch.tensor(batch["loss_weights"])[:, 1:] * (segments[:, 1:] == segments[:, :-1])
        each = torch.nn.functional.cross_entropy(
            out.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        loss = (each * weights.flatten()).sum() / weights.sum()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--batch-packs", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=5, help="blocks of steps of each side")
    parser.add_argument("--steps", type=int, default=6, help="steps of a block")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    build = Build.open(given.build)
    run = run_of(given.batch_packs, 10_000)
    ours = Ours(run, build)
    theirs = Theirs(run, ours.program.vocab, ours.state["params"])
    source = feed.open(build, given.batch_packs)
    first = source.batch(0)
    losses = {"flancompile": ours.step(first), "transformers": theirs.step(first)}
    seconds: dict[str, list[float]] = {"flancompile": [], "transformers": []}
    step, tokens, work = 1, 0, 0.0
    for _ in range(given.blocks):
        batches = [source.batch(step + i) for i in range(given.steps)]
        step += given.steps
        for batch in batches:
            tokens += int((batch["segment_ids"] > 0).sum())
            work += step_flops(
                run.model, ours.program.vocab, batch["positions"], batch["segment_ids"]
            )
        for name, side in (("flancompile", ours), ("transformers", theirs)):
            began = time.perf_counter()
            for batch in batches:
                side.step(batch)
            seconds[name].append((time.perf_counter() - began) / given.steps)
    with tempfile.TemporaryDirectory() as folder:
        train(run_of(given.batch_packs, 60), build, Path(folder) / "run")
        lines = read_metrics(Path(folder) / "run")[1:]
    waits = [line["wait_share"] for line in lines]
    middle = {name: float(np.median(values)) for name, values in seconds.items()}
    steps = given.blocks * given.steps
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {
            n: metadata.version(n) for n in ("flancompile", "jax", "optax", "torch", "transformers")
        },
        "parameters": parameters(run.model, ours.program.vocab),
        "batch": f"{given.batch_packs} packs of {ours.program.length}",
        "first_loss": losses,
        "step_seconds": middle,
        "ratio": middle["transformers"] / middle["flancompile"],
        "tokens_per_second": {n: tokens / steps / s for n, s in middle.items()},
        "gflops_per_second": {n: work / steps / s / 1e9 for n, s in middle.items()},
        "compile_seconds": ours.compile_seconds,
        "feed_wait_share": {"median": float(np.median(waits)), "worst_of_10_steps": max(waits)},
        "device": jax.devices()[0].device_kind,
    }
    print(json.dumps(found, indent=2))
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
