"""Schema of a run file: build, model, optimiser, batches, mesh. Does not import JAX."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Checkpoints", "Evaluation", "MeshShape", "ModelShape", "Optimizer", "Run"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelShape(_Strict):
    """Llama's decoder: rotary positions, grouped-query attention, gated MLP."""

    layers: int = Field(ge=1, description="Number of layers.")
    width: int = Field(ge=2, description="Size of the residual stream.")
    heads: int = Field(ge=1, description="Query heads.")
    kv_heads: int | None = Field(
        None, ge=1, description="Key and value heads; they divide the query heads. Default: heads."
    )
    head_width: int | None = Field(None, ge=2, description="Default: width / heads.")
    mlp: int = Field(ge=1, description="Hidden size of the gated MLP.")
    vocab_size: int | None = Field(
        None,
        ge=1,
        description="Rows of the embedding. Default: the build's vocabulary, rounded up to 128.",
    )
    max_length: int | None = Field(
        None, ge=1, description="Greatest number of positions; the build's packs must fit."
    )
    tie_embeddings: bool = Field(True, description="Whether the output layer is the embedding.")
    rope_theta: float = Field(10_000.0, gt=0, description="Base of the rotary position embedding.")
    norm_eps: float = Field(1e-6, gt=0, description="Epsilon of RMS normalisation.")

    @model_validator(mode="after")
    def _divides(self) -> ModelShape:
        if self.heads % self.key_heads:
            raise ValueError(f"kv_heads {self.kv_heads} do not divide heads {self.heads}")
        if self.head_width is None and self.width % self.heads:
            raise ValueError(f"heads {self.heads} do not divide width {self.width}")
        if self.head_size % 2:
            raise ValueError(f"rotary positions need an even head_width, not {self.head_size}")
        return self

    @property
    def key_heads(self) -> int:
        """Key and value heads."""
        return self.kv_heads or self.heads

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.head_width or self.width // self.heads


class Optimizer(_Strict):
    """Adafactor or AdamW with a warm-up and a decay. The defaults are FLAN's Adafactor."""

    name: Literal["adafactor", "adamw"] = Field("adafactor", description="Optimiser.")
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description="Peak. Under adafactor with `parameter_scale` it is relative to each "
        "parameter's size, as in T5 and PaLM.",
    )
    parameter_scale: bool = Field(True, description="adafactor: scale updates by parameter size.")
    warmup_steps: int = Field(
        0, ge=0, description="Steps over which the learning rate rises from 0."
    )
    decay: Literal["constant", "linear", "cosine", "rsqrt"] = Field(
        "constant", description="Schedule of the learning rate after the warm-up."
    )
    end_factor: float = Field(
        0.0, ge=0, le=1, description="linear, cosine: the last rate over the peak."
    )
    clip_norm: float | None = Field(1.0, gt=0, description="Largest global norm of the gradient.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled; not on norms.")
    beta1: float = Field(0.9, ge=0, lt=1, description="adamw")
    beta2: float = Field(0.95, ge=0, lt=1, description="adamw")


class MeshShape(_Strict):
    """Devices by axis. Their product is the number of devices; -1: all remaining devices."""

    data: int = Field(
        -1, description="Devices that replicate the weights and shard the batch; -1: all remaining."
    )
    fsdp: int = Field(1, ge=1, description="Devices that shard the batch and the parameters.")
    tensor: int = Field(1, ge=1, description="Devices that shard heads, MLP and vocabulary.")

    @model_validator(mode="after")
    def _data(self) -> MeshShape:
        if self.data != -1 and self.data < 1:
            raise ValueError("data is a number of devices, or -1 for all remaining devices")
        return self


class Checkpoints(_Strict):
    """When the training state is saved. The last step is always saved."""

    steps: int | None = Field(None, ge=1, description="Steps between checkpoints.")
    keep: int = Field(2, ge=1, description="Number of checkpoints that are kept.")


class Evaluation(_Strict):
    """Evaluation settings of a run: lengths of answers, batches, rows and models."""

    max_new_tokens: int = Field(
        64, ge=1, description="Greatest number of tokens of a generated answer."
    )
    batch_rows: int = Field(32, ge=1, description="Prompts of a batch.")
    max_rows: int | None = Field(None, ge=1, description="Rows of each task. Default: all.")
    untrained: bool = Field(True, description="Whether the model before training is scored too.")


class Run(_Strict):
    """A run file: everything that determines a training run beside the build."""

    run: str = Field(description="The run's id.")
    description: str | None = Field(
        None, description="Purpose of the run, for readers of the file."
    )
    build: str | None = Field(None, description="The build's folder, relative to this file.")
    tokenizer: str | None = Field(
        None,
        description="The model's tokenizer: a file or a build's folder, relative to this file. "
        "A build that was compiled with another tokenizer is refused.",
    )
    model: ModelShape = Field(description="Shape of the model.")
    optimizer: Optimizer = Field(Optimizer(), description="Optimiser and schedule.")
    steps: int = Field(ge=1, description="Number of updates.")
    batch_packs: int = Field(ge=1, description="Packs of a global batch.")
    micro_batches: int = Field(
        1, ge=1, description="Parts that a batch is split into; the loss is the whole batch's."
    )
    z_loss: float = Field(0.0, ge=0, description="Weight of log²Z, as in PaLM (1e-4).")
    compute: Literal["bfloat16", "float32"] = Field(
        "bfloat16", description="Type of matrix products; master weights and sums are float32."
    )
    remat: Literal["none", "products", "full"] = Field(
        "none", description="Recomputed in the backward pass: nothing, all but products, all."
    )
    mesh: MeshShape = Field(MeshShape(), description="Devices along each axis of the mesh.")
    log_steps: int = Field(10, ge=1, description="Steps between lines of metrics.")
    checkpoints: Checkpoints = Field(
        Checkpoints(), description="Frequency and number of checkpoints."
    )
    evaluation: Evaluation = Field(
        Evaluation(), description="Settings of the evaluation on the build's evaluation tasks."
    )
    seed: int = Field(0, ge=0, description="Seed of the initial weights and of the order of packs.")

    @model_validator(mode="after")
    def _batches(self) -> Run:
        if self.batch_packs % self.micro_batches:
            raise ValueError(
                f"micro_batches {self.micro_batches} do not divide batch_packs {self.batch_packs}"
            )
        return self
