"""promptsource's idioms that decide what is drawn, split and refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flancompile.authoring.importers.promptsource import Imported, import_file
from flancompile.cli.importing import run
from flancompile.dsl.jinja.expression import compile_expression, compile_template


def imported(folder: Path, jinja: str, choices: str | None = None) -> Imported:
    template: dict[str, Any] = {
        "id": "a",
        "name": "t",
        "jinja": jinja,
        "answer_choices": choices,
        "metadata": {},
    }
    path = folder / "templates.yaml"
    path.write_text(yaml.safe_dump({"dataset": "d", "templates": {"a": template}}))
    return import_file(path)


def rendered(one: Imported, row: dict[str, Any]) -> list[str]:
    data = yaml.safe_load(one.text)
    (task,) = data["tasks"].values()
    template = task["templates"][0]
    names: dict[str, Any] = {
        n: compile_expression(e)({"row": row}) for n, e in data["fields"].items()
    }
    names["pick"] = lambda items: list(items)[-1]
    for name, code in template.get("let", {}).items():
        names[name] = compile_expression(code)(names)
    return [compile_template(template[side]).render(names) for side in ("input", "target")]


@pytest.mark.parametrize("draw", ["{% if b %}{{ b | choice }}{% else %}none{% endif %}", "{{ (b | choice) if b else 'none' }}"])  # fmt: skip
def test_a_draw_is_made_only_in_its_branch(tmp_path: Path, draw: str) -> None:
    one = imported(tmp_path, f"{{{{ q }}}}? ||| {draw}")
    assert rendered(one, {"q": "Q", "b": []}) == ["Q?", "none"]
    assert rendered(one, {"q": "Q", "b": ["x", "y"]}) == ["Q?", "y"]


@pytest.mark.parametrize("choices", ["{{ x }} ||| {{ y }}", "{{ [x, y] | join(' ||| ') }}", "{{ [x, y] | join('|||') }}"])  # fmt: skip
def test_a_separator_in_a_value_ends_no_choice(tmp_path: Path, choices: str) -> None:
    one = imported(tmp_path, "{{ q }} ||| {{ answer_choices[1] }}", choices)
    assert rendered(one, {"q": "Q", "x": "a ||| b", "y": " c "}) == ["Q", "c"]


def test_answer_choices_that_are_drawn_from_are_no_column(tmp_path: Path) -> None:
    one = imported(tmp_path, "{{ q }} {{ answer_choices | choice }} ||| {{ a }}", "no ||| yes")
    assert set(yaml.safe_load(one.text)["fields"]) == {"q", "a"}
    assert rendered(one, {"q": "Q", "a": "A"}) == ["Q yes", "A"]


@pytest.mark.parametrize("change", ["ns.v.update({'a': q})", "x.pop()", "x.extend([q])"])
def test_values_changed_in_place_are_refused(tmp_path: Path, change: str) -> None:
    one = imported(tmp_path, f"{{% set ns = namespace(v={{}}) %}}{{{{ {change} or '' }}}}{{{{ q }}}} ||| {{{{ a }}}}")  # fmt: skip
    assert one.text == "" and "in place" in one.left_out[0].reason


def test_two_files_of_one_dataset_are_both_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        imported(tmp_path / name, f"{name}: {{{{ q }}}} ||| {{{{ a }}}}")
    out = tmp_path / "out"
    assert (
        run("promptsource", [tmp_path / "one", tmp_path / "two"], out, "train", as_json=True) == 0
    )
    found = {p.stem: p.read_text() for p in (out / "datasets").glob("*.yaml")}
    assert {n: yaml.safe_load(t)["id"] for n, t in found.items()} == {"d": "d", "d_2": "d_2"}
    assert "one:" in found["d"] and "two:" in found["d_2"]


def test_a_draw_is_one_for_input_and_target(tmp_path: Path) -> None:
    one = imported(tmp_path, "{% set pick = b | choice %}{{ q }} {{ pick }} ||| {{ pick }} {{ q }}")
    row = {"q": "Q", "b": ["x", "y"]}
    assert rendered(one, row) == ["Q y", "y Q"]
    (task,) = yaml.safe_load(one.text)["tasks"].values()
    draws = [code for code in task["templates"][0]["let"].values() if "pick(" in code]
    assert len(draws) == 1


def test_a_target_without_columns_is_left_out(tmp_path: Path) -> None:
    one = imported(tmp_path, "{{ q }} ||| Done.")
    assert one.text == "" and one.left_out[0].reason == "the target is the same text for all rows"


def test_a_name_that_branches_set_is_no_column(tmp_path: Path) -> None:
    both = "{% if c %}{% set v = 'x' %}{% else %}{% set v = 'y' %}{% endif %}{{ v }} {{ q }} ||| {{ a }}"
    one = imported(tmp_path, both)
    assert set(yaml.safe_load(one.text)["fields"]) == {"c", "q", "a"}
    assert rendered(one, {"q": "Q", "a": "A", "c": 0}) == ["y Q", "A"]


def test_columns_whose_names_no_field_may_have(tmp_path: Path) -> None:
    one = imported(tmp_path, "{{ _id }} {{ café }} {{ cafè }} {{ row }} ||| {{ caf__column }}")
    row = {"_id": "1", "café": "2", "cafè": "3", "row": "4", "caf__column": "5"}
    assert rendered(one, row) == ["1 2 3 4", "5"]


@pytest.mark.parametrize(
    ("use", "absent"),
    [
        ("{{ h | default(q.lower()) }}", "q"),
        ("{{ h | default('a, (b)') }}", "a, (b)"),
        ("{{ h | d('e', true) | upper }}", "E"),
        ("{{ h | default }}-", "-"),
        ("{% if h is undefined %}none{% else %}{{ h }}{% endif %}", "none"),
    ],
)
def test_columns_that_rows_may_lack(tmp_path: Path, use: str, absent: str) -> None:
    one = imported(tmp_path, f"{{{{ q }}}}: {use} ||| {{{{ a }}}}")
    present = {"q": "Q", "a": "A", "h": "H"}
    del (row := dict(present))["h"]
    assert rendered(one, row) == [f"Q: {absent}", "A"]
    assert rendered(one, present)[0].rstrip("-") == "Q: H"


def test_comments_are_no_part_of_a_choice(tmp_path: Path) -> None:
    one = imported(tmp_path, "{{ q }} ||| {{ answer_choices[a] }}", "no{# or ||| #} ||| yes")
    assert rendered(one, {"q": "Q", "a": 0}) == ["Q", "no"]
