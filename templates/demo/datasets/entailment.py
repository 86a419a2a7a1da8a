"""Writes the demo's entailment set: `python entailment.py` makes both splits anew.

A premise tells of somebody, a thing with a colour, and a place. What follows from it, what
contradicts it and what it leaves open differ in exactly one respect.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dice import Dice, write

NAMES = (
    "Anna", "Boris", "Chen", "Dora", "Emil", "Fatma", "Gil", "Hana", "Ivan", "Judit", "Karl", "Lucia",
)  # fmt: skip
THINGS = (
    "kettle",
    "scarf",
    "lamp",
    "bicycle",
    "umbrella",
    "vase",
    "chair",
    "notebook",
    "kite",
    "mug",
)
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey")
PLACES = (
    "in the kitchen", "in the garden", "on the balcony", "in the hall", "under the stairs",
    "in the cellar", "by the window", "behind the door",
)  # fmt: skip
TIMES = ("this morning", "last night", "on Sunday", "at noon", "before dinner", "after the rain")
PREMISES = (
    "{time}, {name} left the {colour} {thing} {place}.",
    "{name} left a {colour} {thing} {place} {time}.",
    "{name} put the {colour} {thing} {place} {time}.",
    "It was {time} that {name} found a {colour} {thing} {place}.",
    "{name} saw a {colour} {thing} {place} {time}.",
    "{time}, there was a {colour} {thing} {place}, and {name} looked at it.",
    "{place}, {name} cleaned the {colour} {thing} {time}.",
)
# What says the same of one respect, with a slot for the true or a false value.
OF_COLOUR = (
    "The {thing} is {colour}.", "The colour of the {thing} is {colour}.", "It is a {colour} {thing}.",
)  # fmt: skip
OF_PLACE = (
    "The {thing} was {place}.", "All this happened {place}.", "{name} was {place} {time}.",
)  # fmt: skip
OF_THING = (
    "The thing in question is a {thing}.", "The {colour} thing is a {thing}.",
    "What was {place} was a {thing}.",
)  # fmt: skip
OPEN = (
    "The {thing} was a present.", "The {thing} is very old.", "{name} bought the {thing} cheaply.",
    "The {thing} belongs to a neighbour.", "{name} was tired that day.", "The {thing} is broken.",
    "{name} likes music.", "The {thing} will be sold soon.", "{name} has two brothers.",
    "The {thing} cost a lot of money.", "{name} was alone at home.", "The {thing} came by post.",
)  # fmt: skip
LABELS = ("yes", "no", "maybe")


def pair(dice: Dice, place_in_split: int) -> dict[str, Any]:
    """One premise with a hypothesis; labels take turns."""
    label = LABELS[place_in_split % 3]
    told = {
        "name": dice.pick(NAMES), "thing": dice.pick(THINGS), "colour": dice.pick(COLOURS),
        "place": dice.pick(PLACES), "time": dice.pick(TIMES),
    }  # fmt: skip
    premise = _sentence(dice.pick(PREMISES).format(**told))
    if label == "maybe":
        return {"premise": premise, "hypothesis": dice.pick(OPEN).format(**told), "label": label}
    respect, texts, values = dice.pick(
        (
            ("colour", OF_COLOUR, COLOURS),
            ("place", OF_PLACE, PLACES),
            ("thing", OF_THING, THINGS),
        )
    )
    said = dict(told)
    if label == "no":
        said[respect] = dice.pick([v for v in values if v != told[respect]])
    return {"premise": premise, "hypothesis": dice.pick(texts).format(**said), "label": label}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    counts = {"train": 3000, "test": 240}
    write(folder, "entailment", counts, pair, ("premise", "hypothesis"))
