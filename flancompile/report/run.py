"""Data of a run's report: facts, curves and evaluation, from the files in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flancompile.evaluate.results import answers_path, read_answers, read_scores
from flancompile.trainer.log import read_metrics, read_run

__all__ = ["run_view"]

ANSWERS = 6
CURVES = {
    "loss": "loss, nats a target",
    "accuracy": "next-token accuracy on targets",
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm",
    "targets_per_second": "targets a second",
}


def run_view(folder: Path) -> dict[str, Any]:
    """Template variables of run.html. Raises FC605 if the folder is not a run."""
    run_info, metrics, scores = read_run(folder), read_metrics(folder), read_scores(folder)
    devices = 1
    for count in run_info["mesh"].values():
        devices *= count
    last = metrics[-1] if metrics else {"step": 0, "epoch": 0.0}
    return {
        "name": run_info["run"]["run"],
        "about": run_info,
        "parameters": run_info["parameters"],
        "devices": f"{devices} × {run_info['device']}",
        "steps_done": last["step"],
        "epochs": last["epoch"],
        "curves": [_curve(metrics, key, name) for key, name in CURVES.items()] if metrics else [],
        "speed": _speed(metrics),
        "eval_step": scores["step"] if scores else None,
        "eval_build": _other_build(run_info, scores or {}),
        "groups": scores["groups"] if scores else {},
        "tasks": [_task(folder, t) for t in scores["tasks"]] if scores else [],
    }


def _other_build(run_info: dict[str, Any], scores: dict[str, Any]) -> str | None:
    """Build that was evaluated, if it is not the build that the run was trained on."""
    digest = scores.get("root_digest", run_info["root_digest"])
    if digest == run_info["root_digest"]:
        return None
    return f"{scores['build']} (build {digest[:16]})"


def _speed(metrics: list[dict[str, Any]]) -> dict[str, float | None]:
    """Medians over all lines but the first, whose caches are cold."""
    warm = metrics[1:] or metrics

    def middle(key: str) -> float | None:
        values = sorted(m[key] for m in warm if m[key] is not None)
        return values[len(values) // 2] if values else None

    return {
        "tokens": middle("tokens_per_second") or 0.0,
        "targets": middle("targets_per_second") or 0.0,
        "mfu": middle("mfu"),
        "wait": middle("wait_share") or 0.0,
    }


def _curve(metrics: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    """A metric as the points of an SVG polyline in a box of 100 by 40."""
    steps, values = [m["step"] for m in metrics], [m[key] for m in metrics]
    low, high = min(values), max(values)
    width, height = max(steps[-1] - steps[0], 1), (high - low) or 1.0
    points = " ".join(
        f"{100 * (s - steps[0]) / width:.2f},{39 - 38 * (v - low) / height:.2f}"
        for s, v in zip(steps, values, strict=True)
    )
    shown = {
        n: f"{v:.4g}"
        for n, v in {"first": values[0], "last": values[-1], "low": low, "high": high}.items()
    }
    return {"name": name, "points": points, "first_step": steps[0], "last_step": steps[-1], **shown}


def _task(folder: Path, scores: dict[str, Any]) -> dict[str, Any]:
    """Scores of a task, with up to `ANSWERS` evenly spaced answers."""
    shown: list[dict[str, Any]] = []
    if answers_path(folder, scores["name"], "trained").is_file():
        table = read_answers(folder, scores["name"])
        step = max(1, len(table) // ANSWERS)
        shown = [table.slice(i, 1).to_pylist()[0] for i in range(0, len(table), step)][:ANSWERS]
    return {**scores, "answers": shown}
