"""Small row sets and a byte encoder, so that passes can be tried without sources or tokenizers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import flancompile
from flancompile import draw
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.renderer import Renderer, RenderSpec
from flancompile.compiler.render.row_set import RowSet
from flancompile.dsl.models.style import OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.store.build import Build


class Bytes:
    """Use each UTF-8 byte as a token."""

    unknown_id = None

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.frombuffer(t.encode(), dtype=np.uint8).astype(np.uint32) for t in texts]

    def exact(self, texts: Sequence[str], encoded: Any) -> np.ndarray:
        return np.ones(len(texts), dtype=bool)


LETTERS = OptionStyle(label="({{ LETTER }})", item="{{ label }} {{ text }}", gold="{{ label }}")
PLAIN = ShotsStyle()
DIRECT = ArmShares(options=(0.0, 1.0), cot=(0.0, 1.0))


def rows_of(
    task: Task, columns: dict[str, list[Any]], *, epoch: int = 0, seed: int = 1, ids: Any = None
) -> RowSet:
    n = len(next(iter(columns.values())))
    keys = ids if ids is not None else range(n)
    digests = np.array([draw.digest64("row", int(i)) for i in keys], dtype=np.uint64)
    return RowSet("toy/qa", task, seed, epoch, digests, columns)


def renderer(
    task: Task,
    columns: dict[str, list[Any]],
    shares: ArmShares = DIRECT,
    option_styles: dict[str, OptionStyle] | None = None,
    shots_styles: dict[str, ShotsStyle] | None = None,
    **more: Any,
) -> Renderer:
    """A renderer over rows given by columns."""
    rows = rows_of(task, columns, **more)
    spec = RenderSpec(
        rows.task_id,
        task,
        option_styles or {"letters": LETTERS},
        shots_styles or {"plain": PLAIN},
        shares,
        rows.seed,
        tuple(range(len(task.templates))),
    )
    return Renderer(spec, rows, Pools(task.exemplars, rows), {})


class Library:
    """A small library in a folder: written part by part, compiled by one call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in ("datasets", "mixtures", "recipes", "styles", "overlays"):
            (root / part).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, value: Any) -> Path:
        """Write a YAML file (or text, or JSON Lines for a list of rows)."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, str):
            path.write_text(value, encoding="utf-8")
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(v) + "\n" for v in value), encoding="utf-8")
        else:
            path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
        return path

    def dataset(self, name: str = "toy", rows: int = 200, **more: Any) -> None:
        """A dataset of arithmetic rows, with one question answering task."""
        data = [
            {"id": i, "question": f"What is {i} plus {i * 7 % 13}?", "answer": str(i + i * 7 % 13),
             "topic": f"topic {i % 4}", "note": None if i % 5 == 0 else f"{i} and {i * 7 % 13} make it."}
            for i in range(rows)
        ]  # fmt: skip
        self.write(f"datasets/{name}.jsonl", data)
        self.write(f"datasets/{name}.yaml", {**dataset_of(name), **more})

    def recipe(self, name: str = "r", **more: Any) -> None:
        """A decoder recipe over bytes."""
        about = {
            "recipe": name, "mixture": "m", "size": {"examples": 300}, "tokenizer": {"bytes": True},
            "layout": "decoder", "lengths": {"pack": 512}, "seed": 1, **more,
        }  # fmt: skip
        self.write(f"recipes/{name}.yaml", about)

    def mixture(self, *members: Any, **more: Any) -> None:
        """The mixture `m`."""
        chosen = list(members) or [{"select": "all"}]
        self.write("mixtures/m.yaml", {"mixture": "m", "members": chosen, **more})

    def compile(self, out: Path, cache: Path, recipe: str = "r", **more: Any) -> Build:
        """Compile a recipe of this library alone."""
        return flancompile.compile(recipe, out, library=[self.root], cache=cache, **more)


def dataset_of(name: str) -> dict[str, Any]:
    """A dataset file with two templates, one of which may show options."""
    return {
        "source": {"files": {"train": f"{name}.jsonl", "validation": f"{name}.jsonl"}, "id": "id"},
        "fields": {n: n for n in ("question", "answer", "topic", "note")},
        "tasks": {
            "qa": {
                "cluster": "arithmetic",
                "signature": "question -> answer",
                "choices": {"gold": "answer", "distractors": 3},
                "eval": {"metric": "exact_match"},
                "templates": [
                    {"name": "plain", "input": "{{ question }}", "target": "{{ answer }}"},
                    {"name": "pick", "options": "optional",
                     "input": "{{ question }}\n{{ options }}", "target": "{{ gold }}"},
                ],
            }
        },
    }  # fmt: skip


def change(library: Library, name: str, **more: Any) -> None:
    """Replace keys of a YAML file of the library."""
    path = library.root / name
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **more}, sort_keys=False))
