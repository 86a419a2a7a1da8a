"""Adafactor and AdamW from optax, with a schedule, for layers stacked for `lax.scan`.

Adafactor factors the second moment of a matrix, and clips and scales by the size of the matrix. It
is mapped over the stack of layers (vmap), because optax would treat the stack as one tensor.

Source: Shazeer and Stern 2018 (Adafactor); Raffel et al. 2020 (its use for T5).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from flancompile.trainer.config import Optimizer

__all__ = ["make_optimizer", "rate", "stacked"]


def rate(settings: Optimizer, steps: int) -> optax.Schedule:
    """Learning rate by step: a linear warm-up, then the decay over the remaining steps.

    steps: of the run.
    """
    peak, warm = settings.learning_rate, settings.warmup_steps
    left = max(1, steps - warm)
    after: optax.Schedule
    if settings.decay == "linear":
        after = optax.linear_schedule(peak, peak * settings.end_factor, left)
    elif settings.decay == "cosine":
        after = optax.cosine_decay_schedule(peak, left, settings.end_factor)
    elif settings.decay == "rsqrt":
        after = _rsqrt(peak, max(warm, 1))
    else:
        after = optax.constant_schedule(peak)
    if not warm:
        return after
    return optax.join_schedules([optax.linear_schedule(peak / warm, peak, warm - 1), after], [warm])


def _rsqrt(peak: float, warm: int) -> optax.Schedule:
    """T5's 1/√step, scaled to equal the peak at the end of the warm-up."""

    def schedule(step: Any) -> Any:
        return peak * jnp.sqrt(warm / (jnp.maximum(step, 0) + warm))

    return schedule


def make_optimizer(settings: Optimizer, steps: int) -> optax.GradientTransformation:
    """Optimiser of a run. Does not clip the global norm: the training step does."""
    if settings.name == "adafactor":
        parts = [optax.scale_by_factored_rms(decay_rate=0.8), optax.clip_by_block_rms(1.0)]
        if settings.parameter_scale:
            parts.append(optax.scale_by_param_block_rms())
        scale = stacked(optax.chain(*parts))
    else:
        scale = optax.scale_by_adam(settings.beta1, settings.beta2, eps=1e-8)
    return optax.chain(
        scale,
        optax.add_decayed_weights(settings.weight_decay, mask=_matrices),
        optax.scale_by_learning_rate(rate(settings, steps)),
    )


def stacked(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Apply `inner` to each layer of `layers` separately, and to the other parameters."""

    def split(tree: Any) -> tuple[Any, Any]:
        return tree["layers"], {k: v for k, v in tree.items() if k != "layers"}

    def init(params: Any) -> Any:
        layers, rest = split(params)
        return {"layers": jax.vmap(inner.init)(layers), "rest": inner.init(rest)}

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        (layers, rest), (own, others) = split(updates), split(params)
        layers, layers_state = jax.vmap(inner.update)(layers, state["layers"], own)
        rest, rest_state = inner.update(rest, state["rest"], others)
        return {**rest, "layers": layers}, {"layers": layers_state, "rest": rest_state}

    return optax.GradientTransformation(init, update)


def _matrices(params: Any) -> Any:
    """Mask of the parameters with weight decay: all but norms."""
    return jax.tree.map_with_path(lambda path, _: "norm" not in str(path[-1].key), params)
