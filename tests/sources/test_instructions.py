"""Natural Instructions task files in their three forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from flancompile.errors import FlancompileError
from flancompile.sources.instructions import instruction_rows

V2 = {
    "Definition": ["Name the colour."],
    "Categories": ["Question Answering"],
    "Positive Examples": [{"input": "snow", "output": "white", "explanation": "Snow is white."}],
    "Negative Examples": [{"input": "coal", "output": "coal", "explanation": "No colour."}],
    "Instances": [{"id": "t-1", "input": "grass", "output": ["green", "none"]}],
}


def read(folder: Path, about: Any) -> list[dict[str, Any]]:
    path = folder / "task9_colours.json"
    path.write_text(json.dumps(about), encoding="utf-8")
    return list(instruction_rows(path, "utf-8"))


def test_version_two(tmp_path: Path) -> None:
    (row,) = read(tmp_path, V2)
    assert row["id"] == "t-1"
    assert row["definition"] == "Name the colour."
    assert row["outputs"] == ["green", "none"]
    assert row["positive"] == [
        {"input": "snow", "output": "white", "explanation": "Snow is white.", "suggestion": ""}
    ]
    assert row["negative"][0]["input"] == "coal"


def test_early_version_two_and_an_instance_without_id(tmp_path: Path) -> None:
    instances = [{"input": "sea", "output": "-"}]
    (row,) = read(tmp_path, {**V2, "Definition": "Name it.", "Instances": instances})
    assert (row["definition"], row["outputs"], row["id"]) == ("Name it.", ["-"], "task9_colours-0")


def test_version_one(tmp_path: Path) -> None:
    shown = {"input": "ink", "output": "blue", "reason": "Mostly.", "suggestion": "-"}
    about = {
        "Title": "Colours",
        "Definition": "Name the colour.",
        "Prompt": "Which colour?",
        "Things to Avoid": "-",
        "Emphasis & Caution": "One word.",
        "Examples": {"Positive Examples": [shown], "Negative Examples": ["-"]},
        "Instances": [{"input": "sky", "output": ["blue"]}],
    }
    (row,) = read(tmp_path, about)
    assert (row["prompt"], row["caution"], row["avoid"]) == ("Which colour?", "One word.", "")
    assert row["positive"][0]["explanation"] == "Mostly."
    assert row["positive"][0]["suggestion"] == ""
    assert row["negative"] == []


@pytest.mark.parametrize(
    "about", [[], {"Definition": "x"}, {"Instances": [{"input": "a"}]}, {"Instances": ["a"]}]
)
def test_other_json_is_refused(tmp_path: Path, about: Any) -> None:
    with pytest.raises(FlancompileError) as caught:
        read(tmp_path, about)
    assert caught.value.diagnostics[0].code == "FC304"
