"""Feed: batches as a pure function of (root digest, settings, step), for any number of hosts.

The packs of an epoch are permuted by a draw on (seed, epoch). Batches cross the end of an epoch, so
none is short. Hosts take contiguous slices of the global batch. To resume, a trainer stores a step.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from flancompile import draw
from flancompile.errors import fail
from flancompile.store.build import Build

__all__ = ["Feed", "FeedState", "open"]

Batch = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class FeedState:
    """State to resume from, for a checkpoint: root digest of the build, settings, next step."""

    root_digest: str
    batch_packs: int
    seed: int | None
    next_step: int

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping; `FeedState(**state)` reads it back."""
        return asdict(self)


def open(build: str | Path | Build, batch_packs: int, seed: int | None = 0) -> Feed:
    """Open a feed of a build.

    batch_packs: packs of a global batch; seed: of the order, None for the build's own order.
    Raises FC504 to FC506 for the build, FC510 for an empty build or batch.
    """
    opened = build if isinstance(build, Build) else Build.open(build)
    return Feed(opened, batch_packs, seed)


class Feed:
    """Batches of a build, by step, from 0."""

    def __init__(self, build: Build, batch_packs: int, seed: int | None) -> None:
        if batch_packs < 1:
            raise fail("FC510", f"a batch has at least 1 pack, not {batch_packs}")
        if len(build.packs) == 0:
            raise fail("FC510", "the build has no packs")
        self.build, self.batch_packs, self.seed = build, batch_packs, seed
        self._order = lru_cache(maxsize=2)(self._permutation)

    @property
    def steps_per_epoch(self) -> float:
        """Number of steps in which every pack is fed once."""
        return len(self.build.packs) / self.batch_packs

    def indexes(self, step: int, host: int = 0, hosts: int = 1) -> npt.NDArray[np.int64]:
        """Indices of the packs of a host's batch. -> int64[batch_packs / hosts]. Raises FC510."""
        if not 0 <= host < hosts or self.batch_packs % hosts or step < 0:
            message = f"step {step}, host {host} of {hosts}, {self.batch_packs} packs a batch"
            hint = "the number of hosts must divide batch_packs; steps and hosts count from 0"
            raise fail("FC510", f"no such batch: {message}", hint=hint)
        share = self.batch_packs // hosts
        packs = len(self.build.packs)
        places = step * self.batch_packs + host * share + np.arange(share, dtype=np.int64)
        found = np.empty(share, dtype=np.int64)
        epochs = places // packs
        for epoch in np.unique(epochs).tolist():
            at = epochs == epoch
            found[at] = self._order(epoch)[places[at] - epoch * packs]
        return found

    def batch(self, step: int, host: int = 0, hosts: int = 1) -> Batch:
        """A host's part of the global batch of a step. Raises FC510.

        -> decoder: tokens, segment_ids, positions int32[packs, L], loss_weights float32[packs, L],
        1 on each target token; encoder_decoder: inputs, targets, and the same arrays for each.
        """
        return self.build.packs.batch(self.indexes(step, host, hosts))

    def views(self, step: int, host: int = 0, hosts: int = 1) -> dict[str, list[npt.NDArray[Any]]]:
        """The tokens of a host's packs by column, as read-only views of the files. Raises FC510."""
        return self.build.packs.views(self.indexes(step, host, hosts))

    def iterate(
        self,
        start: int = 0,
        host: int = 0,
        hosts: int = 1,
        *,
        stop: int | None = None,
        prefetch: int = 2,
    ) -> Iterator[tuple[int, Batch]]:
        """Iterate over (step, batch) from `start`; a thread prepares `prefetch` batches ahead.

        stop: the first step that is not fed; None: without end. The thread ends with the iterator.
        """
        ready: queue.Queue[tuple[int, Batch] | BaseException | None] = queue.Queue(max(1, prefetch))
        ended = threading.Event()

        def offer(item: tuple[int, Batch] | BaseException | None) -> bool:
            while not ended.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            step = start
            try:
                while stop is None or step < stop:
                    if not offer((step, self.batch(step, host, hosts))):
                        return
                    step += 1
                offer(None)
            except BaseException as error:  # raised in the consumer
                offer(error)

        thread = threading.Thread(target=work, name="feed", daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            ended.set()
            thread.join()

    def state(self, next_step: int) -> FeedState:
        """The state to store in a checkpoint."""
        root = self.build.manifest.root_digest
        return FeedState(root, self.batch_packs, self.seed, next_step)

    def resume(self, state: FeedState) -> int:
        """The next step of a stored state. Raises FC511 for a state of another build or order."""
        here = self.state(state.next_step)
        if state != here:
            parts = [
                f"{name} {stored!r}, here {now!r}"
                for (name, stored), now in zip(
                    state.as_dict().items(), here.as_dict().values(), strict=True
                )
                if stored != now
            ]
            hint = (
                "use the build and batches of the checkpoint, or start again in another folder or "
                "with --overwrite"
            )
            raise fail("FC511", f"the state is of another feed: {'; '.join(parts)}", hint=hint)
        return state.next_step

    def stream_hash(self, steps: int, hosts: int = 1) -> str:
        """A digest of the first `steps` global batches; equal for every number of hosts."""
        hasher = xxhash.xxh3_128()
        for step in range(steps):
            parts = [self.batch(step, host, hosts) for host in range(hosts)]
            for name in sorted(parts[0]):
                hasher.update(np.concatenate([p[name] for p in parts]).tobytes())
        return str(hasher.hexdigest())

    def _permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        packs = np.arange(len(self.build.packs), dtype=np.uint64)
        if self.seed is None:
            return packs.astype(np.int64)
        return draw.order(self.seed, "feed", "", packs, epoch)
