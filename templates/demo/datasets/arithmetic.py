"""Writes the demo's word problems: `python arithmetic.py` makes both splits anew.

Each story is a question, a rationale and an expression for the answer; people, things, numbers and
the way to ask are drawn.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from dice import Dice, write

NAMES = (
    "Ada", "Ben", "Carla", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tara", "Umar", "Vera",
    "Wen", "Yuki",
)  # fmt: skip
THINGS = (
    "marbles", "stickers", "apples", "pencils", "shells", "buttons", "stamps", "cards", "walnuts",
    "postcards", "ribbons", "coins", "plums", "beads", "magnets", "badges",
)  # fmt: skip
ANIMALS = ("hens", "ducks", "goats", "sheep", "rabbits", "geese", "ponies", "pigeons")
BOXES = ("boxes", "bags", "jars", "baskets", "crates", "tins", "trays", "drawers")
PLACES = ("park", "library", "market", "harbour", "museum", "station", "bakery", "school")
FOODS = ("rolls", "muffins", "pies", "pancakes", "dumplings", "cookies", "tarts", "pretzels")


class Story(NamedTuple):
    """text: with slots; asks: ways to put the question; why: the rationale; answer: over x, y, w.

    ranges: low and high of x, y and w.
    """

    text: str
    asks: tuple[str, ...]
    why: str
    answer: str
    ranges: tuple[tuple[int, int], ...]


SMALL, TEEN, FEW = (2, 9), (5, 18), (2, 5)
STORIES = (
    Story("{A} has {x} {things} and finds {y} more.",
          ("How many {things} does {A} have now?", "What is the number of {things} that {A} has now?"),
          "{A} starts with {x} and finds {y}. {x} + {y} = {z}.", "x+y", (TEEN, SMALL)),
    Story("There are {x} {things} on the table. {A} puts {y} more beside them.",
          ("How many {things} are on the table?", "How many are there in all?"),
          "The table had {x} and gets {y} more. {x} + {y} = {z}.", "x+y", (TEEN, SMALL)),
    Story("{A} picked {x} {things} in the morning and {y} in the afternoon.",
          ("How many did {A} pick that day?", "How many {things} is that together?"),
          "Morning and afternoon are added. {x} + {y} = {z}.", "x+y", (TEEN, TEEN)),
    Story("A bus leaves the {place} with {x} people, and {y} get on at the next stop.",
          ("How many people are on the bus then?", "How many ride on?"),
          "{x} people are joined by {y}. {x} + {y} = {z}.", "x+y", (TEEN, SMALL)),
    Story("{A} is {x} years old. {B} is {y} years older.",
          ("How old is {B}?", "What is {B}'s age?"),
          "{B} is older, so we add. {x} + {y} = {z}.", "x+y", (TEEN, SMALL)),
    Story("On Monday {A} read {x} pages, on Tuesday {y}, and on Wednesday {w}.",
          ("How many pages did {A} read in the three days?", "How many pages is that in all?"),
          "First {x} + {y} = {x+y}. Then {x+y} + {w} = {z}.", "x+y+w", (SMALL, SMALL, SMALL)),
    Story("{A} walks {x} streets to the {place}, then {y} streets to the {place2}.",
          ("How many streets does {A} walk?", "How long is the whole way, in streets?"),
          "Both parts of the way count. {x} + {y} = {z}.", "x+y", (SMALL, SMALL)),
    Story("{A} had {x} {things} and gave {y} of them to {B}.",
          ("How many {things} does {A} still have?", "How many are left for {A}?"),
          "{A} gives {y} away. {x} - {y} = {z}.", "x-y", ((10, 25), SMALL)),
    Story("A shop had {x} {foods}. By noon {y} were sold.",
          ("How many {foods} are left?", "How many has the shop still got?"),
          "What is sold is taken away. {x} - {y} = {z}.", "x-y", ((10, 25), SMALL)),
    Story("{A} needs {x} {things} and has {y}.",
          ("How many more does {A} need?", "How many {things} are missing?"),
          "The missing ones are the difference. {x} - {y} = {z}.", "x-y", ((10, 25), SMALL)),
    Story("{A} has {x} {things}, {B} has {y}.",
          ("How many more {things} has {A} than {B}?", "By how many is {A} ahead of {B}?"),
          "We compare {x} with {y}. {x} - {y} = {z}.", "x-y", ((10, 25), SMALL)),
    Story("Of {x} lamps at the {place}, {y} are broken.",
          ("How many lamps work?", "How many lamps still shine?"),
          "The broken lamps do not count. {x} - {y} = {z}.", "x-y", ((10, 25), SMALL)),
    Story("{x} birds sat on a roof. {y} flew off, and a little later {w} more.",
          ("How many birds stayed?", "How many birds are still on the roof?"),
          "First {x} - {y} = {x-y}. Then {x-y} - {w} = {z}.", "x-y-w", ((14, 25), FEW, FEW)),
    Story("{A} baked {x} {foods}, ate {y} and gave {B} {w}.",
          ("How many {foods} are left?", "How many does {A} have at the end?"),
          "First {x} - {y} = {x-y}. Then {x-y} - {w} = {z}.", "x-y-w", ((14, 25), FEW, FEW)),
    Story("A farm has {x} {animals}. {y} are sold and {w} are born.",
          ("How many {animals} has the farm then?", "How many {animals} are on the farm now?"),
          "First {x} - {y} = {x-y}. Then {x-y} + {w} = {z}.", "x-y+w", ((10, 20), FEW, FEW)),
    Story("{x} people are in the {place}. {y} come in and {w} leave.",
          ("How many people are in the {place} now?", "How many are inside?"),
          "First {x} + {y} = {x+y}. Then {x+y} - {w} = {z}.", "x+y-w", ((8, 16), SMALL, FEW)),
    Story("{A} saves {x} coins, gets {y} from {B} and spends {w}.",
          ("How many coins does {A} have?", "How many coins remain?"),
          "First {x} + {y} = {x+y}. Then {x+y} - {w} = {z}.", "x+y-w", ((8, 16), SMALL, FEW)),
    Story("{A} has {x} {boxes} with {y} {things} in each.",
          ("How many {things} are there in all?", "How many {things} does {A} have?"),
          "Each of {x} {boxes} holds {y}. {x} × {y} = {z}.", "x*y", (FEW, SMALL)),
    Story("A row has {x} seats, and the room has {y} rows.",
          ("How many seats has the room?", "How many people can sit down?"),
          "{y} rows of {x} seats. {y} × {x} = {z}.", "x*y", (SMALL, FEW)),
    Story("{A} reads {x} pages a day for {y} days.",
          ("How many pages does {A} read?", "How many pages is that?"),
          "{y} days of {x} pages. {y} × {x} = {z}.", "x*y", (SMALL, FEW)),
    Story("One ticket costs {x} coins. {A} buys {y} tickets.",
          ("How many coins does {A} pay?", "What do the tickets cost together?"),
          "{y} tickets at {x} coins. {y} × {x} = {z}.", "x*y", (SMALL, FEW)),
    Story("{A} fills {x} {boxes} with {y} {things} each and has {w} left over.",
          ("How many {things} had {A} at first?", "How many {things} are there in all?"),
          "The {boxes} hold {x} × {y} = {x*y}. Then {x*y} + {w} = {z}.", "x*y+w", (FEW, FEW, FEW)),
    Story("{A} buys {x} bags of {y} {things}, and {w} of the {things} are bad.",
          ("How many good {things} are there?", "How many can {A} use?"),
          "The bags hold {x} × {y} = {x*y}. Then {x*y} - {w} = {z}.", "x*y-w", ((3, 5), (3, 6), FEW)),
    Story("{A} has twice as many {things} as {B}, who has {x}.",
          ("How many {things} has {A}?", "What number of {things} belongs to {A}?"),
          "Twice {x} is meant. 2 × {x} = {z}.", "2*x", ((3, 15),)),
    Story("{A} has {x} {things} and {B} has {y} more than {A}.",
          ("How many have they together?", "How many {things} is that for both?"),
          "{B} has {x} + {y} = {x+y}. Together {x} + {x+y} = {z}.", "x+x+y", (SMALL, FEW)),
    Story("A train has {x} cars. At the {place} {y} cars are added, at the {place2} {w}.",
          ("How many cars does the train have then?", "How long is the train now, in cars?"),
          "First {x} + {y} = {x+y}. Then {x+y} + {w} = {z}.", "x+y+w", (SMALL, FEW, FEW)),
    Story("{x} children share out {foods}: each one gets {y}.",
          ("How many {foods} are given out?", "How many {foods} does that take?"),
          "{x} children with {y} each. {x} × {y} = {z}.", "x*y", (SMALL, FEW)),
    Story("{A} had some {things}, lost {y} and has {x} left.",
          ("How many {things} had {A} before?", "With how many {things} did {A} begin?"),
          "What was lost is put back. {x} + {y} = {z}.", "x+y", (TEEN, SMALL)),
)  # fmt: skip


def problem(dice: Dice, _: int) -> dict[str, Any]:
    """One word problem."""
    story = dice.pick(STORIES)
    numbers = dict(zip("xyw", (dice.between(*r) for r in story.ranges), strict=False))
    a, b = dice.some(NAMES, 2)
    place, place2 = dice.some(PLACES, 2)
    words = {
        "A": a, "B": b, "place": place, "place2": place2, "things": dice.pick(THINGS),
        "animals": dice.pick(ANIMALS), "boxes": dice.pick(BOXES), "foods": dice.pick(FOODS),
    }  # fmt: skip
    answer = _value(story.answer, numbers)

    def fill(text: str) -> str:
        def slot(match: re.Match[str]) -> str:
            name = match[1]
            return str(answer) if name == "z" else str(words.get(name) or _value(name, numbers))

        return re.sub(r"\{([^}]+)\}", slot, text)

    question = f"{fill(story.text)} {fill(dice.pick(story.asks))}"
    return {"question": question, "rationale": fill(story.why), "answer": answer}


def _value(text: str, numbers: dict[str, int]) -> int:
    """A sum, difference or product of numbers and slots, from left to right, products first."""
    total = 0
    for sign, term in re.findall(r"([+-]?)([^+-]+)", text):
        value = 1
        for factor in term.split("*"):
            value *= numbers[factor] if factor in numbers else int(factor)
        total += -value if sign == "-" else value
    return total


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write(folder, "arithmetic", {"train": 3000, "test": 300}, problem, ("question",))
