"""Writes the demo's entailment set: `python entailment.py` makes both splits anew.

A premise tells of somebody who met with a thing, and of all but one of its colour, its kind, the
place and the day. A hypothesis gives a value to one of the four: the one told (yes), another one
(no), or any at all where the premise tells none (maybe). Labels share sentences and values, so
neither side alone tells the label.
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
    "colour": ("red", "blue", "green", "yellow", "white", "black", "brown", "grey"),
    "thing": (
        "kettle", "scarf", "lamp", "bicycle", "umbrella", "vase", "chair", "notebook", "kite", "mug",
    ),
    "place": (
        "in the kitchen", "in the garden", "on the balcony", "in the hall", "in the attic",
        "in the cellar", "in the garage", "in the bathroom",
    ),
    "day": (
        "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
        "on Sunday",
    ),
}  # fmt: skip
PREMISES = (
    "{name} {verb} {it} {place} {day}.",
    "{day} {name} {verb} {it} {place}.",
    "{place} {name} {verb} {it} {day}.",
    "It was {name} who {verb} {it} {place} {day}.",
    "{it} was what {name} {verb} {place} {day}.",
)
HYPOTHESES = {
    "colour": (
        "The thing was {value}.", "What {name} {verb} was {value}.",
        "The colour of the thing was {value}.",
    ),
    "thing": ("The thing was {value}.", "What {name} {verb} was {value}.", "It was {value}."),
    "place": (
        "The thing was {value} then.", "It was {value} that {name} {verb} it.",
        "{name} {verb} it {value}.",
    ),
    "day": (
        "This was {value}.", "It was {value} that {name} {verb} it.", "{name} {verb} it {value}.",
    ),
}  # fmt: skip
LABELS = ("yes", "no", "maybe")


def pair(dice: Dice, place_in_split: int) -> dict[str, Any]:
    """One premise with a hypothesis; labels take turns."""
    label = LABELS[place_in_split % 3]
    who = {"name": dice.pick(NAMES), "verb": dice.pick(VERBS)}
    true = {respect: dice.pick(values) for respect, values in VALUES.items()}
    asked = dice.pick(tuple(VALUES))
    open_ = dice.pick([respect for respect in VALUES if respect != asked])
    said = true[asked]
    if label == "maybe":
        open_ = asked
    elif label == "no":
        said = dice.pick([value for value in VALUES[asked] if value != true[asked]])
    told = {respect: value for respect, value in true.items() if respect != open_}
    hypothesis = dice.pick(HYPOTHESES[asked])
    said = _with_article(said) if asked == "thing" else said
    return {
        "premise": _sentence(dice.pick(PREMISES), **who, **_parts(told)),
        "hypothesis": _sentence(hypothesis, **who, value=said),
        "label": label,
    }


def _parts(told: dict[str, str]) -> dict[str, str]:
    """What a premise's slots hold; a respect that is not told leaves its slot empty."""
    colour, thing = told.get("colour", ""), told.get("thing")
    it = f"something {colour}" if thing is None else _with_article(f"{colour} {thing}".strip())
    return {"it": it, "place": told.get("place", ""), "day": told.get("day", "")}


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
