from pathlib import Path

import pytest

from flancompile.dsl.models.source import Source
from flancompile.errors import FlancompileError, Span
from flancompile.sources.place import resolve_place


@pytest.mark.parametrize("text", ["{{ lan.name }}.jsonl", "{{ lang.titel }}.jsonl"])
def test_a_path_shows_what_for_each_gives(text: str, tmp_path: Path) -> None:
    span = Span("d.yaml", 1, 2, 1, 3)
    variable = ("lang", {"name": "en"})
    with pytest.raises(FlancompileError, match="FC202") as caught:
        resolve_place(Source(files=text), None, "train", tmp_path, None, variable, span)
    assert caught.value.diagnostics[0].span == span
