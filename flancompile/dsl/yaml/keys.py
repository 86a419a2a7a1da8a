"""Suggest the intended key: a similar spelling, a synonym, or a key of another place."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pydantic import BaseModel

from flancompile.dsl.yaml.model_members import inside, models_in
from flancompile.errors import nearest

__all__ = ["home_of", "likely_key", "meant_key"]

_WORDS: dict[str, tuple[str, ...]] = {
    "evaluation": ("eval", "evaluate"),
    "evaluations": ("eval", "evaluate"),
    "evaluate": ("eval",),
    "eval": ("evaluate",),
    "evals": ("eval", "evaluate"),
    "metrics": ("metric",),
    "prompt": ("input",),
    "question": ("input",),
    "inputs": ("input",),
    "output": ("target",),
    "outputs": ("target",),
    "completion": ("target",),
    "response": ("target",),
    "answer": ("target",),
    "answers_choices": ("choices",),
    "answer_choices": ("choices",),
    "label": ("gold",),
    "few_shot": ("exemplars", "shots"),
    "fewshot": ("exemplars", "shots"),
    "shots": ("exemplars",),
    "examples": ("exemplars",),
    "messages": ("turns",),
    "dataset": ("source",),
    "data": ("source", "files"),
    "path": ("files", "file"),
    "file": ("files",),
    "files": ("file",),
    "filter": ("where",),
    "if": ("when",),
    "condition": ("when", "where"),
    "weight": ("rate",),
    "weights": ("rate",),
    "cap": ("cap_rows",),
    "max_rows": ("cap_rows",),
    "selector": ("select",),
    "holdout": ("hold_out",),
    "length": ("lengths",),
    "max_length": ("lengths", "pack"),
    "sequence_length": ("pack",),
    "batch_size": ("batch_packs",),
    "lr": ("learning_rate",),
    "from": ("source",),
}


def meant_key(name: str, known: Collection[str]) -> str | None:
    """Hint with the intended key, or None.

    >>> meant_key("evaluation", ["eval", "exemplars"])
    "did you mean 'eval'?"
    """
    for word in _WORDS.get(name.lower().replace("-", "_"), ()):
        if word in known:
            return f"did you mean {word!r}?"
    if (near := nearest(name, known)) is not None:
        return near
    longer = [k for k in known if len(k) >= 4 and (name.startswith(k) or k.startswith(name))]
    return f"did you mean {longer[0]!r}?" if len(longer) == 1 and len(name) >= 4 else None


def likely_key(name: str, known: Collection[str], model: type[BaseModel]) -> str | None:
    """Hint with the intended key, or with the place where a key of this name belongs.

    model: the whole file's model.
    """
    other_word = any(w in known for w in _WORDS.get(name.lower().replace("-", "_"), ()))
    home = None if other_word else home_of(name, model)
    return home or meant_key(name, known)


def home_of(name: str, model: type[BaseModel]) -> str | None:
    """Hint with the place where a key belongs, or None for an unknown key.

    model: the whole file's model.
    """
    place = next((place for place, key in _places(model, (), 0) if key == name), None)
    if place is None:
        return None
    return f"{name!r} is a key of {'.'.join(place)}" if place else f"{name!r} is a key of the file"


def _places(
    model: type[BaseModel], place: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Keys of a model and of nested models, outer ones first."""
    if depth > 4:
        return
    fields = [(field.alias or name, field) for name, field in model.model_fields.items()]
    yield from ((place, name) for name, _ in fields)
    for name, _ in fields:
        for kind, is_map in models_in(inside(model, name)):
            spot = (*place, name, "NAME") if is_map else (*place, name)
            yield from _places(kind, spot, depth + 1)
