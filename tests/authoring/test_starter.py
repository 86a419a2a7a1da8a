"""Files to start from: they check clean and compile, whatever the rows."""

import json
from pathlib import Path
from typing import Any

import pytest

import flancompile
from flancompile.authoring.starter import columns_of, starter
from flancompile.cli import new
from flancompile.lint.reading import Reading

LABELLED: list[dict[str, Any]] = [
    {"id": i, "text": f"text {i}", "label": "ab"[i % 2]} for i in range(30)
]
CASES: dict[str, list[dict[str, Any]]] = {
    "labels": LABELLED,
    "numbers as labels": [{**r, "label": r["id"] % 3} for r in LABELLED],
    "truth values": [{**r, "label": r["id"] % 2 == 0} for r in LABELLED],
    "open answers": [{"question": f"q{i}?", "answer": f"it is {i}"} for i in range(30)],
    "options": [{"q": f"q{i}", "choices": ["x", "y"], "answer": "xy"[i % 2]} for i in range(30)],
    "options by index": [{"q": f"q{i}", "choices": ["x", "y"], "answer": i % 2} for i in range(30)],
    "options by letter": [
        {"q": f"q{i}", "options": ["A) x", "B) y", "C) z"], "right": "ABC"[i % 3], "why": "so"}
        for i in range(30)
    ],
    "options by number": [
        {"q": f"q{i}", "choices": ["x", "y", "z"], "answer": f"answer{i % 3 + 1}"}
        for i in range(30)
    ],
    "options by index from 1": [
        {"q": f"q{i}", "choices": ["x", "y"], "answer": str(i % 2 + 1)} for i in range(30)
    ],
    "options with labels": [
        {
            "q": f"q{i}",
            "choices": {"text": [f"x{i}", f"y{i}"], "label": ["1", "2"]},
            "answerKey": "12"[i % 2],
        }
        for i in range(30)
    ],
    "options that nothing names": [
        {"q": f"q{i}", "options": ["x", "y"], "answer": f"it is {i}"} for i in range(30)
    ],
    "empty labels": [{"text": f"t{i}", "label": "*" if i % 3 else ""} for i in range(30)],
    "empty answers": [{"q": f"t{i}", "answer": f"a{i}" if i % 3 else ""} for i in range(30)],
    "accents": [{"Été": f"t{i}", "Ответ": f"a{i}", "row": "x"} for i in range(30)],
    "odd names": [
        {"Question Text": f"q{i}", "2": "b", 'say "x"': f"a{i}", "if": "c"} for i in range(9)
    ],
    "one column": [{"text": f"t{i}"} for i in range(5)],
    "nested": [{"a": {"b": [i]}, "text": f"t{i}", "title": f"u{i}"} for i in range(9)],
    "maps with the same keys": [
        {
            "Question 1": {
                "stem": f"q{i}",
                "options": [{"label": o, "text": f"{o}{i}"} for o in "XY"],
            },
            "answerKey": "XY"[i % 2],
        }
        for i in range(30)
    ],
    "maps with other keys": [{"q": {"a": i} if i % 2 else {"b": i}, "a": "x"} for i in range(9)],
    "keys like methods": [{"q": {"items": f"t{i}"}, "answer": f"a{i}"} for i in range(9)],
    "a dialogue": [
        {
            "title": f"t{i}",
            "conversations": [{"from": "human", "value": f"q{i}"}, {"from": "gpt", "value": "a"}],
        }
        for i in range(9)
    ],
    "nothing known": [{"text": "t", "note": None, "mixed": i if i % 2 else "x"} for i in range(6)],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_new_file_checks_clean_and_gives_examples(name: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(r) + "\n" for r in CASES[name]))
    lib = tmp_path / "lib"
    new.run(str(rows), lib / "datasets" / "d.yaml", None, None, None)
    errors = [d for d in flancompile.check(lib) if d.severity == "error"]
    if name == "one column":
        assert {d.code for d in errors} <= {"FC206"}, "there is nothing to ask for"
        return
    assert errors == []
    (lib / "mixtures").mkdir()
    (lib / "recipes").mkdir()
    (lib / "mixtures/m.yaml").write_text('mixture: m\nmembers: [{select: "source:rows"}]\n')
    (lib / "recipes/r.yaml").write_text(
        "recipe: r\nmixture: m\nsize: {examples: 6}\ntokenizer: {bytes: true}\nlayout: decoder\n"
        "lengths: {pack: 512}\n"
    )
    if name != "nothing known":
        build = flancompile.compile("r", tmp_path / "b", library=[lib], cache=tmp_path / "c")
        assert build.manifest.counts["examples"] == 6


@pytest.mark.parametrize(
    ("name", "gold"),
    [
        ("options", "gold: answer\n      by: text"),
        ("options by index", "gold: answer | int\n      by: index"),
        ("options by letter", "index(right | trim | upper)'\n      by: index"),
        ("options by number", "gold: answer | regex_search('[0-9]+$') | int - 1\n"),
        ("options by index from 1", "gold: answer | int - 1\n"),
        ("options with labels", "labels: choices.label\n      gold: answerkey\n      by: label"),
        ("options that nothing names", "signature: q -> answer\n    eval"),
        ("maps with the same keys", "labels: column_options | map(attribute='label')"),
    ],
)
def test_how_an_option_is_named_is_tried_on_the_rows(name: str, gold: str) -> None:
    rows = CASES[name]
    assert gold in starter("d", "files: {train: x}", columns_of(rows), "s.json", rows)


ODD = [
    "aqua/dev.jsonl", "arc_challenge/test.jsonl.zst", "arc_easy/test.jsonl.zst",
    "openbookqa/test.jsonl.zst", "social_i_qa/validation.jsonl.zst", "cola/in_domain_dev.tsv",
    "dpr/test.txt", "logiqa/test.txt", "semeval_sts/2012.MSRpar.test.tsv",
    "commonsense_qa/validation.jsonl", "rotten_tomatoes/rt-polarity.neg.txt", "subj/all.txt",
    "ag_news/classes.txt", "niv2_early", "opennmt_en_de/src-train.txt",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_files_of_others_give_what_checks_accept(name: str, shared: Path, tmp_path: Path) -> None:
    place = shared / name
    path = min(p for p in place.rglob("*.json*")) if place.is_dir() else place
    out = tmp_path / "datasets" / "d.yaml"
    new.run(str(path), out, None, None, None)
    found = flancompile.check(tmp_path, data=Reading(write_lock=False))
    bad = [d for d in found if d.severity == "error" or d.code in ("FC321", "FC323", "FC330")]
    assert bad == []


def test_three_templates_and_the_schema_s_modeline() -> None:
    text = starter("d", "files: {train: x}", columns_of(LABELLED), "s.json")
    assert text.startswith("# yaml-language-server: $schema=s.json\n")
    assert text.count("- name:") == 3
    assert 'choices: {options: ["a", "b"], gold: label}' in text
