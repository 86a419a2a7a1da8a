"""Rendered examples of small datasets: files in, prompts and targets out, as pairs in prompts.txt.

A case is `### name`, a sentence, `@ file NAME` with the file's text for each file, and `@ rows` with
the rows of `datasets/toy.jsonl`. `@ member` has the arms, as a member of a mixture gives them;
`@ recipe` has styles and lengths, as a recipe gives them (without it the layout is `plain`);
`@ epochs` counts epochs. `@ rendered` has each row's examples, with the spans that carry loss in
⟦ ⟧. Run with FIXTURES=write to write what is rendered now, and read the difference by eye.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from fixture_pairs import Pair, pairs
from toys import Library

from flancompile.compiler.cache import Cache
from flancompile.compiler.objects.build import loss_spans_of, object_table
from flancompile.compiler.pipeline import prepare, streams_of
from flancompile.compiler.request import request_of
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

PAIRS = pairs(Path(__file__).parent)
RENDERED = "rendered"
BYTES = Tokenizer("bytes", b"", "bytes", Specials(None, 257, None))


def written(parts: dict[str, str], root: Path) -> Library:
    """A library of the case's files, with its rows, mixture and recipe."""
    library = Library(root)
    for part, text in parts.items():
        if part.startswith("file "):
            library.write(part.removeprefix("file "), text)
    library.write("datasets/toy.jsonl", parts["rows"].rstrip("\n") + "\n")
    library.mixture({"select": "all", **of(parts, "member")})
    library.recipe(
        **{"styles": {"shots": ["plain"]}, "lengths": {"pack": 4096}, **of(parts, "recipe")}
    )
    return library


def of(parts: dict[str, str], name: str) -> dict[str, Any]:
    return yaml.safe_load(parts.get(name, "")) or {}


def rendered(parts: dict[str, str], root: Path) -> Iterator[str]:
    """The examples of all tasks and epochs, by both engines."""
    written(parts, root)
    prepared = prepare(request_of("r", library=(root,), cache=Cache(root / "cache")), None)
    for task, stream in sorted(streams_of(prepared, None).streams.items()):
        for epoch in range(int(parts.get("epochs", "1"))):
            table, by_row = (
                object_table(stream.job(0, epoch), by_columns=flag) for flag in (True, False)
            )
            for name in by_row.schema.names:
                assert table[name].to_pylist() == by_row[name].to_pylist(), name
            about = ([task] if task != "toy/qa" else []) + ([f"epoch {epoch + 1}"] if epoch else [])
            yield from lines_of(table, about)


def lines_of(table: pa.Table, about: list[str]) -> Iterator[str]:
    spans = loss_spans_of(table)
    for place in sorted(range(len(table)), key=table["ordinal"].to_pylist().__getitem__):
        line = table.slice(place, 1).to_pylist()[0]
        head = ", ".join([f"row {line['ordinal'] + 1}", *about, *features(line)])
        yield f"-- {head}"
        if line["reason"] is not None:
            continue
        text, at = "", 0
        for number, length in enumerate(spans[place].tolist()):
            piece = BYTES.decode(line["ids"][at : at + length])
            text += f"⟦{piece}⟧" if number % 2 else piece
            at += length
        assert at == len(line["ids"])
        yield text


def features(line: dict[str, Any]) -> Iterator[str]:
    """The draws of an example, as far as there was a choice."""
    if line["reason"] is not None:
        yield f"dropped: {line['reason']}"
        return
    yield f"template {line['template']}"
    if line["shots_style"] != "plain":
        yield f"layout {line['shots_style']}"
    if line["options"]:
        yield f"options {line['option_style']}"
    if line["cot"]:
        yield "with a rationale"
    if line["shots_asked"]:
        count = f"{line['shots']} of {line['shots_asked']} exemplars"
        yield count if line["fewer_shots"] is None else f"{count}: {line['fewer_shots']}"
    if line["truncated"]:
        yield "shortened"


@pytest.mark.parametrize("pair", PAIRS, ids=[p.name for p in PAIRS])
def test_examples_are_those_of_the_file(pair: Pair, tmp_path: Path) -> None:
    pair.check(RENDERED, "\n".join(rendered(pair.parts, tmp_path)))


def test_the_cases_show_every_arm() -> None:
    texts = [pair.parts[RENDERED] for pair in PAIRS]
    for feature in ("options ", "with a rationale", "exemplars", "shortened", "dropped", "layout "):
        assert any(feature in text for text in texts), feature
    assert all("⟦" in text or "dropped" in text for text in texts)
