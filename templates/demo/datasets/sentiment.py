"""Writes the demo's reviews: `python sentiment.py` makes both splits anew.

A review is an opening, a judgement of one side of the thing, and sometimes an afterthought of the
same mind. Each kind of thing has its own sides.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dice import Dice, write

SIDES: dict[str, tuple[str, ...]] = {
    "film": ("the plot", "the acting", "the music", "the ending", "the camera work", "the dialogue"),
    "café": ("the coffee", "the cake", "the service", "the terrace", "the bread", "the soup"),
    "hotel": ("the room", "the bed", "the breakfast", "the view", "the service", "the shower"),
    "kettle": ("the handle", "the lid", "the spout", "the switch", "the base", "the cord"),
    "novel": ("the story", "the style", "the heroine", "the first chapter", "the translation", "the ending"),
    "drill": ("the battery", "the grip", "the motor", "the case", "the chuck", "the weight"),
    "concert": ("the singer", "the sound", "the hall", "the choice of songs", "the lighting", "the band"),
    "rucksack": ("the zip", "the shoulder strap", "the lining", "the front pocket", "the fabric", "the buckle"),
}  # fmt: skip
OPENINGS = (
    "We tried this {thing} last week.", "This was my second {thing} this year.",
    "A friend told me about this {thing}.", "I had heard a lot about this {thing}.",
    "{Came}", "About the {thing}:", "One word on this {thing}.",
    "So, the {thing}.", "I came to this {thing} by chance.", "Here is what I think of the {thing}.",
)  # fmt: skip
VISITED = ("film", "café", "hotel", "concert")  # one goes there; the others one has at home
JUDGEMENTS = {
    "positive": (
        "{Side} was wonderful", "{Side} is a joy", "I loved {side}", "{Side} could not be better",
        "{Side} surprised me in the best way", "I was charmed by {side}", "{Side} is superb",
        "{Side} is exactly as it should be", "Full marks for {side}", "{Side} won me over at once",
        "{Side} is well thought out", "I can only praise {side}",
    ),
    "negative": (
        "{Side} was dreadful", "{Side} is a pain", "I hated {side}", "{Side} could hardly be worse",
        "{Side} let me down badly", "I was annoyed by {side}", "{Side} is a mess",
        "{Side} is nothing like what was promised", "No marks for {side}",
        "{Side} put me off at once", "{Side} is badly thought out", "I can only complain about {side}",
    ),
}  # fmt: skip
AFTERTHOUGHTS = {
    "positive": (
        "{Again}", "Worth every penny.", "I have told everyone about it.",
        "It made my week.", "See for yourself, you will smile.", "I would choose it again.",
        "Hats off.", "What a find.",
    ),
    "negative": (
        "Never again.", "A waste of money.", "I regret every penny.", "It ruined my week.",
        "Spare yourself the trouble.", "I have asked for a refund.", "What a let-down.",
        "Stay away from it.",
    ),
}  # fmt: skip
NEUTRAL = (
    "It was a Tuesday.", "We were four people.", "I paid by card.", "The weather was mild.",
    "I wrote this on the train.", "It was raining all day.",
)  # fmt: skip
LABELS = ("positive", "negative")


def review(dice: Dice, place_in_split: int) -> dict[str, Any]:
    """One review; labels take turns."""
    label = LABELS[place_in_split % 2]
    thing = dice.pick(list(SIDES))
    side = dice.pick(SIDES[thing])
    out = thing in VISITED
    slots = {
        "thing": thing,
        "Came": f"My sister {'took me to' if out else 'gave me'} this {thing}.",
        "Again": "I would go again any time." if out else "I would buy it again any time.",
    }
    judged = dice.pick(JUDGEMENTS[label]).format(side=side, Side=side[0].upper() + side[1:])
    parts = [judged + "."]
    if dice.below(4):
        parts.insert(0, dice.pick(OPENINGS).format(**slots))
    else:
        parts[0] = (
            f"{thing.capitalize()}: {judged[0].lower() if judged[0] == 'T' else judged[0]}{judged[1:]}."
        )
    if dice.below(2):
        parts.append(dice.pick(AFTERTHOUGHTS[label]).format(**slots))
    elif dice.below(2):
        parts.append(dice.pick(NEUTRAL))
    return {"thing": thing, "review": " ".join(parts), "label": label}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write(folder, "sentiment", {"train": 2000, "test": 200}, review, ("review",))
