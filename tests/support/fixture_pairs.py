"""Fixture pairs: cases in text files, each an input and the text that is expected of it.

A case is `### name`, then `@ part` and its text for each part. Run with FIXTURES=write to write the
texts that the code gives now, and read the difference by eye.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Pair", "pairs"]

_CASE = re.compile(r"^### (.+)$", re.MULTILINE)
_PART = re.compile(r"^@ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """A case of a fixture file. parts: texts by the name of their part."""

    path: Path
    name: str
    parts: dict[str, str]

    def check(self, part: str, found: str) -> None:
        """Compare a part, the last of the case, with the text found; or write that, if asked to."""
        if os.environ.get("FIXTURES") != "write":
            assert found.strip() == self.parts[part].strip()
            return
        whole = self.path.read_text()
        mark = f"@ {part}\n"
        at = whole.index(mark, whole.index(f"### {self.name}\n")) + len(mark)
        end = whole.find("\n### ", at)
        rest = "" if end < 0 else whole[end:]
        self.path.write_text(f"{whole[:at]}{found.strip()}\n{rest}")


def pairs(folder: Path) -> list[Pair]:
    """The cases of the .txt files of a folder, by file and place."""
    found = []
    for path in sorted(folder.glob("*.txt")):
        _, *pieces = _CASE.split(path.read_text())
        for name, body in zip(pieces[::2], pieces[1::2], strict=True):
            _, *texts = _PART.split(body)
            parts = dict(zip(texts[::2], (t.removeprefix("\n") for t in texts[1::2]), strict=True))
            found.append(Pair(path, name, parts))
    assert len({(p.path, p.name) for p in found}) == len(found), "two cases of one name"
    return found
