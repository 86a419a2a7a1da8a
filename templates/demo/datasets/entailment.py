"""Writes the demo's entailment set: `python entailment.py` makes both splits anew.

A premise tells of somebody who met with a thing, and of two of three: its colour, its kind and the
place. A hypothesis gives a value to one of the three: the one told (yes), another one (no), or any
at all where the premise tells none (maybe). Labels share sentences and values, so neither side alone
tells the label.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dice import Dice, write

NAMES = (
    "Anna", "Boris", "Chen", "Dora", "Emil", "Fatma", "Gil", "Hana", "Ivan", "Judit", "Karl", "Lucia",
)  # fmt: skip
VERBS = ("found", "saw", "cleaned", "dropped")
# Of each respect, values that cannot hold together.
VALUES = {
    "colour": ("red", "blue", "green", "yellow", "white", "black"),
    "thing": ("kettle", "scarf", "lamp", "umbrella", "chair", "notebook"),
    "place": (
        "in the kitchen", "in the garden", "in the hall", "in the attic", "in the cellar",
        "on the balcony",
    ),
}  # fmt: skip
PREMISES = (
    "{name} {verb} {it} {place}.",
    "{place} {name} {verb} {it}.",
    "It was {name} who {verb} {it} {place}.",
    "{it} was what {name} {verb} {place}.",
)
HYPOTHESES = {
    "colour": ("The thing was {value}.", "The colour of the thing was {value}."),
    "thing": ("The thing was {value}.", "It was {value}."),
    "place": ("The thing was {value} then.", "That thing could be found {value}."),
}
LABELS = ("yes", "no", "maybe")


def pair(dice: Dice, place_in_split: int) -> dict[str, Any]:
    """One premise with a hypothesis; labels take turns."""
    label = LABELS[place_in_split % 3]
    name, verb = dice.pick(NAMES), dice.pick(VERBS)
    true = {respect: dice.pick(values) for respect, values in VALUES.items()}
    asked = dice.pick(tuple(VALUES))
    open_ = dice.pick([respect for respect in VALUES if respect != asked])
    said = true[asked]
    if label == "maybe":
        open_ = asked
    elif label == "no":
        said = dice.pick([value for value in VALUES[asked] if value != true[asked]])
    told = {respect: value for respect, value in true.items() if respect != open_}
    said = _with_article(said) if asked == "thing" else said
    return {
        "premise": _sentence(dice.pick(PREMISES), name=name, verb=verb, **_parts(told)),
        "hypothesis": _sentence(dice.pick(HYPOTHESES[asked]), value=said),
        "label": label,
    }


def _parts(told: dict[str, str]) -> dict[str, str]:
    """What a premise's slots hold; a respect that is not told leaves its slot empty."""
    colour, thing = told.get("colour", ""), told.get("thing")
    it = f"something {colour}" if thing is None else _with_article(f"{colour} {thing}".strip())
    return {"it": it, "place": told.get("place", "")}


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _sentence(text: str, **slots: str) -> str:
    """The text with its slots filled; an empty one takes its space with it."""
    words = " ".join(text.format(**slots).split()).replace(" .", ".")
    return words[0].upper() + words[1:]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    counts = {"train": 3000, "test": 240}
    write(folder, "entailment", counts, pair, ("premise", "hypothesis"))
