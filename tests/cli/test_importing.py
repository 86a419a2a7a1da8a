"""What is imported is of the one language: check, fmt and show work on it."""

import json
from pathlib import Path

from commands import call

PROMPTSOURCE = """\
dataset: colours
templates:
  a: !Template
    answer_choices: red ||| blue
    id: a
    jinja: 'Is {{thing}} {{ ["really", "truly"] | choice }} blue? ||| {{ answer_choices[label] }}'
    metadata: !TemplateMetadata
      choices_in_prompt: false
      metrics: [Accuracy]
      original_task: true
    name: Is it blue
  b: !Template
    answer_choices: null
    id: b
    jinja: 'No border for {{thing}}'
    metadata: !TemplateMetadata {metrics: [], original_task: true}
    name: bad
"""
LM_EVAL = """\
task: colours
dataset_path: colours
training_split: train
output_type: multiple_choice
doc_to_text: "What colour is {{thing}}?"
doc_to_target: label
doc_to_choice: ["red", "blue"]
"""


def library(folder: Path, name: str) -> Path:
    """An overlay of rows of ours for the source that a file was imported with."""
    rows = [{"thing": "the sea", "label": 1}, {"thing": "blood", "label": 0}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "overlays").mkdir()
    text = f"overlay: here\nroot: ..\nsources:\n  {name}: {{files: {{train: rows.jsonl}}}}\n"
    (folder / "overlays" / "here.yaml").write_text(text)
    return folder


def tried(folder: Path, name: str, task: str) -> str:
    """Check, format twice and show what was imported."""
    lib = library(folder, name)
    assert "no errors or warnings" in call("check", str(lib), cwd=folder)
    call("fmt", str(lib / "datasets"), cwd=folder)
    first = (lib / "datasets" / f"{name}.yaml").read_text()
    call("fmt", str(lib / "datasets"), cwd=folder)
    assert (lib / "datasets" / f"{name}.yaml").read_text() == first
    return call("show", task, "--library", str(lib), "--overlay", "here", "-n", "2", cwd=folder)


def test_promptsource(tmp_path: Path) -> None:
    path = tmp_path / "given" / "templates.yaml"
    path.parent.mkdir()
    path.write_text(PROMPTSOURCE)
    printed = call(
        "import", "promptsource", str(path.parent), "-o", str(tmp_path / "lib"), cwd=tmp_path, ok=1
    )
    assert "left out: colours · bad: no separator between input and target" in printed
    assert "1 of 2 templates (50.0%)" in printed
    shown = tried(tmp_path / "lib", "colours", "colours/thing_to_label")
    assert "Is the sea really blue?" in shown or "Is the sea truly blue?" in shown
    assert "drawn_1:" in shown


def test_lm_eval(tmp_path: Path) -> None:
    path = tmp_path / "colours.yaml"
    path.write_text(LM_EVAL)
    call("import", "lm-eval", str(path), "-o", str(tmp_path / "lib"), cwd=tmp_path)
    shown = tried(tmp_path / "lib", "colours", "colours/multiple_choice")
    assert "What colour is blood?" in shown


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "colours.yaml"
    path.write_text(LM_EVAL)
    for code in (0, 2):
        call("import", "lm-eval", str(path), "-o", str(tmp_path / "lib"), cwd=tmp_path, ok=code)
    printed = call(
        "import", "lm-evil", str(path), "-o", str(tmp_path / "other"), cwd=tmp_path, ok=2
    )
    assert "did you mean 'lm-eval'" in printed
    call(
        "import",
        "lm-eval",
        str(tmp_path / "none"),
        "-o",
        str(tmp_path / "other"),
        cwd=tmp_path,
        ok=2,
    )
    assert not (tmp_path / "other").exists()
