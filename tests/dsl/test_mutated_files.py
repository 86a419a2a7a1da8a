"""Files of the shipped library with random damage: a diagnostic or none, never a traceback."""

import random
import re
from pathlib import Path

import pytest

from flancompile import check
from flancompile.dsl.library.library import builtin_library
from flancompile.errors import FlancompileError

KINDS = ("datasets", "mixtures", "recipes", "styles", "overlays", "runs")
FILES = sorted(p for p in builtin_library().rglob("*.yaml") if p.parent.name != "templates")
VALUES = ["3", "-1", "true", "null", "[]", "{}", '"x"', "1.5", "[a, b]", "{a: b}", "9" * 30, ".inf",
          ".nan", "&a", "*a", "!!int x", "2020-01-01", "0x10", "1e400", "[[]]", "{[a]: b}", '""']  # fmt: skip
ODD = ["\t", "\0", "\ufeff", "é", "{{", "}}", "{%", "%}", '"', "'", "#", ": ", "- ", "|", ">", "\u2028",
       "\x07", "😀", "&", "*", "!", "@", "`", "\\", "[", "]", "{", "}", ",", "---\n", "...\n", "\r",
       "<<: ", "{# "]  # fmt: skip


def damaged(text: str, draws: random.Random) -> str:
    """A text with one fault of a random kind."""
    lines = text.split("\n")
    at, place = draws.randrange(len(lines)), draws.randrange(len(text) + 1)
    keys = list(re.finditer(r"[A-Za-z_]\w*(?=:)", text))
    values = list(re.finditer(r"(?<=: )[^\s,{}\[\]]+", text))
    kind = draws.randrange(9)
    if kind == 0 and keys:  # one letter of a key
        key = draws.choice(keys)
        spot = draws.randrange(key.start(), key.end())
        return text[:spot] + draws.choice(["", "x", "_"]) + text[spot + 1 :]
    if kind == 1 and values:
        value = draws.choice(values)
        return text[: value.start()] + draws.choice(VALUES) + text[value.end() :]
    if kind == 2:
        return text[:place]
    if kind == 3:
        return text[:place] + draws.choice(ODD) + text[place:]
    if kind == 4:
        lines.insert(at, lines[at])
    elif kind == 5:
        lines[at] = " " * draws.randrange(1, 4) + lines[at]
    elif kind == 6:
        lines[at] = lines[at][draws.randrange(1, 4) :]
    elif kind == 7:
        lines[at] = "\t" + lines[at].lstrip(" ")
    else:
        del lines[at]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(60, 1500), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_damaged_files_give_diagnostics(seeds: range, tmp_path: Path) -> None:
    reported = 0
    assert len(FILES) > 100
    for seed in seeds:
        draws = random.Random(seed)
        file = draws.choice(FILES)
        text = file.read_text(encoding="utf-8")
        for _ in range(draws.choice([1, 1, 2, 3])):
            text = damaged(text, draws)
        kind = next(k for k in KINDS if k in file.parts)
        path = tmp_path / str(seed) / kind / file.name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8", newline="")
        try:
            found = check(path.parent.parent)
        except FlancompileError as error:
            found = list(error.diagnostics)
        for one in found:
            assert one.render() and one.span is not None, (seed, one)
            assert one.span.line >= 1 and one.span.column >= 1, (seed, one)
        reported += bool(found)
    assert reported > len(seeds) // 3
