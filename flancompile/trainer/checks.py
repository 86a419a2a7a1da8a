"""Check a run against its build and its mesh, before training starts."""

from __future__ import annotations

from dataclasses import dataclass

from flancompile.store.manifest import Manifest
from flancompile.trainer.config import Run

__all__ = ["RunDiagnostic", "mesh_diagnostics", "run_diagnostics", "vocabulary"]

VOCABULARY_MULTIPLE = 128


@dataclass(frozen=True)
class RunDiagnostic:
    """A diagnostic of a run, with the key of the run file that it is about."""

    code: str
    key: tuple[str, ...]
    message: str
    hint: str | None = None


def vocabulary(run: Run, manifest: Manifest) -> int:
    """Rows of the embedding: the model's `vocab_size`, or the build's rounded up to 128."""
    size = VOCABULARY_MULTIPLE
    return run.model.vocab_size or -(-least_vocabulary(manifest) // size) * size


def least_vocabulary(manifest: Manifest) -> int:
    """Greatest id of the build + 1."""
    return max(manifest.tokenizer.vocab_size, manifest.pad_id + 1)


def run_diagnostics(
    run: Run, manifest: Manifest, *, other_tokenizer: bool = False
) -> list[RunDiagnostic]:
    """Mismatches of a run and a build: FC601 layout, FC602 tokenizer or vocabulary, FC603 lengths.

    other_tokenizer: whether the run names a tokenizer that is not the build's.
    """
    found = []
    if manifest.layout != "decoder":
        message = f"the build's layout is {manifest.layout}, but the model is a decoder"
        found.append(
            RunDiagnostic("FC601", ("build",), message, "compile it with `layout: decoder`")
        )
        return found
    if other_tokenizer:
        message = (
            f"the build was made with another tokenizer ({manifest.tokenizer.name}, "
            f"{manifest.tokenizer.vocab_size:,} ids, digest {manifest.tokenizer.digest[:12]})"
        )
        hint = "compile the recipe with this tokenizer, or give the build's tokenizer here"
        found.append(RunDiagnostic("FC602", ("tokenizer",), message, hint))
    size, need = run.model.vocab_size, least_vocabulary(manifest)
    if size is not None and size < need:
        message = f"the model has {size:,} embeddings; the build's ids need {need:,}"
        hint = f"set `vocab_size: {need}` or more, or remove the key"
        found.append(RunDiagnostic("FC602", ("model", "vocab_size"), message, hint))
    length, most = manifest.lengths["tokens"], run.model.max_length
    if most is not None and length > most:
        message = f"the build's packs have {length:,} tokens; the model accepts {most:,}"
        hint = f"compile with `lengths: {{pack: {most}}}`, or raise max_length"
        found.append(RunDiagnostic("FC603", ("model", "max_length"), message, hint))
    if manifest.counts["packs"] == 0:
        found.append(RunDiagnostic("FC603", ("build",), "the build has no packs"))
    return found


def mesh_diagnostics(
    run: Run, vocab: int, shape: dict[str, int], processes: int = 1
) -> list[RunDiagnostic]:
    """Sizes that are not divisible by the mesh axis that shards them: FC604.

    shape: devices by axis; processes: hosts that feed the batch.
    """
    model, tensor, fsdp = run.model, shape["tensor"], shape["fsdp"]
    shards = shape["data"] * fsdp
    micro = run.batch_packs // run.micro_batches
    rules = [
        (("model", "kv_heads"), "kv_heads", model.key_heads, tensor, "tensor"),
        (("model", "mlp"), "mlp", model.mlp, tensor, "tensor"),
        (("model", "vocab_size"), "the vocabulary", vocab, tensor, "tensor"),
        (("model", "width"), "width", model.width, fsdp, "fsdp"),
        (("batch_packs",), "packs of a micro-batch", micro, shards, "data × fsdp"),
        (("mesh",), "data × fsdp", shards, processes, "processes"),
    ]
    return [
        RunDiagnostic(
            "FC604", key, f"{name} {size:,} is not a multiple of {axis} {parts}", _mesh_hint(*key)
        )
        for key, name, size, parts, axis in rules
        if size % parts
    ]


def _mesh_hint(*key: str) -> str:
    """Hint for a size that is not divisible; key: of the run file."""
    if key == ("mesh",):
        return "give `mesh:` sizes whose product the processes divide"
    if key == ("batch_packs",):
        return "change `batch_packs` or `micro_batches`, or the `mesh:`; -1 is all devices left"
    return f"change `{': '.join(key)}`, or that axis of the `mesh:`"
