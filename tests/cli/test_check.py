"""`check`: texts, formats, exit codes and allowed diagnostics."""

import json
from pathlib import Path

from commands import call, call_json
from toys import Library, dataset_of


def test_check(home: Path, tmp_path: Path) -> None:
    assert "no errors or warnings" in call("check", ".", cwd=home)
    broken = Library(tmp_path)
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ questoin }} {{ answer }}"
    about["tasks"]["qa"]["sgnature"] = "x"
    broken.write("datasets/toy.yaml", about)
    text = call("check", ".", cwd=tmp_path, ok=1)
    assert "FC105" in text
    assert "did you mean 'signature'?" in text
    del about["tasks"]["qa"]["sgnature"]
    broken.write("datasets/toy.yaml", about)
    broken.write("mixtures/m.yaml", {"mixture": "m", "members": [{"select": "cluster:arithmatic"}]})
    codes = {d["code"] for d in call_json("check", ".", cwd=tmp_path, ok=1)}
    assert {"FC202", "FC206", "FC406"} <= codes


def test_what_is_allowed_is_counted_and_not_shown(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset(allow={"FC332": "the splits are the same file"})
    assert call("check", ".", cwd=tmp_path).strip() == "no errors or warnings"
    rows = ("check", ".", "--data", "--all", "--strict")
    assert call(*rows, cwd=tmp_path).strip() == "no errors or warnings (1 allowed)"
    (diagnostic,) = json.loads(call(*rows, "--format", "json", cwd=tmp_path))
    assert (diagnostic["code"], diagnostic["allowed"]) == ("FC332", "the splits are the same file")
    assert call(*rows, "--format", "github", cwd=tmp_path) == ""
    (found,) = json.loads(call(*rows, "--format", "sarif", cwd=tmp_path))["runs"][0]["results"]
    assert found["ruleId"] == "FC332"
    assert found["suppressions"] == [
        {"kind": "inSource", "justification": "the splits are the same file"}
    ]
    library.dataset()
    assert "0 errors, 1 warning" in call(*rows, cwd=tmp_path, ok=1)
    (diagnostic,) = json.loads(call(*rows, "--format", "json", cwd=tmp_path, ok=1))
    assert "allowed" not in diagnostic
