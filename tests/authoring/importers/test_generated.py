"""Generated templates over promptsource's idiom: what comes in renders what jinja2 renders."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from promptsource_reference import ours, reference

from flancompile import check
from flancompile.authoring.importers.promptsource import import_file
from flancompile.dsl.jinja.expression import RowError

TEMPLATES = int(os.environ.get("FLANCOMPILE_GENERATED", "400"))
ROWS = 6
WORDS = [
    "Read this:",
    " ",
    "\n",
    "Q: ",
    "?",
    "Answer",
    "caf\u00e9 \u4f60",
    "it's",
    '"so"',
    "yes",
    "-",
    "\n\n",
    "one | two",
    "{",
    "}",
]
TEXTS = ["a", "b"]  # columns of text, at times empty or with white space at their ends
ODD = ["_id", "café", "row", "options"]  # no names of fields
LISTS, NUMBERS, MAYBE = ["items", "others"], ["label", "count"], ["hint"]


class Maker:
    """Random template text; names that it sets are in `own`."""

    def __init__(self, seed: int, *, choices: bool) -> None:
        self.draw, self.choices, self.own = random.Random(seed), choices, 0

    def value(self) -> str:
        d = self.draw
        forms = [
            d.choice(TEXTS),
            f"{d.choice(TEXTS)} | trim",
            f"{d.choice(TEXTS)} | upper",
            f"{d.choice(LISTS)} | join(', ')",
            f"{d.choice(LISTS)} | length",
            f"{d.choice(LISTS)}[0]",
            f"{d.choice(NUMBERS)} + 1",
            "label | string",
            f"['no', 'yes', 'maybe'][{d.choice(NUMBERS)} % 3]",
            f"{d.choice(TEXTS)} if label == 1 else {d.choice(TEXTS)}",
            f"{d.choice(TEXTS)} ~ '-' ~ {d.choice(TEXTS)}",
            f"{d.choice(TEXTS)}.split(' ') | length",
            f"{d.choice(TEXTS)} | replace('x', 'y')",
            "hint if hint is defined else a",
            "hint | default('none')",
            f"hint | default({d.choice(TEXTS)}.upper())",
            "hint | default('a, (b)', true)",
            f"_id ~ café ~ {d.choice(TEXTS)}",
            "[row, options] | join",
            "{'x': a}['x']",
            "a[:3]",
            "items | choice",
            "[a, b] | random",
        ]
        if self.choices:
            forms += [
                "answer_choices[label % 2]",
                "answer_choices | join(' or ')",
                "answer_choices | choice",
            ]
        return d.choice(forms)

    def test(self) -> str:
        return self.draw.choice((
            "label == 1", "label", "a", "not b", "a and b", "count > 1 or label == 0", "items | length > 1", "'x' in a",
            "hint is defined", "hint is not defined", "hint is undefined", "a != b", "label in [0, 2]",
        ))  # fmt: skip

    def text(self) -> str:
        return "".join(self.draw.choice(WORDS) for _ in range(self.draw.choice((0, 1, 1, 2))))

    def body(self, depth: int) -> str:
        return "".join(self.part(depth) for _ in range(self.draw.choice((1, 1, 2, 3))))

    def part(self, depth: int) -> str:
        d = self.draw
        minus = d.choice(("", "", "-"))
        kind = d.choice(
            ("text", "value", "value", "if", "for", "set", "comment")
            if depth
            else ("text", "value")
        )
        if kind == "text":
            return self.text()
        if kind == "value":
            return (
                f"{{{{ {self.value()} }}}}" if d.random() < 0.9 else f"{{{{- {self.value()} -}}}}"
            )
        if kind == "if":
            middle = f"{{% elif {self.test()} %}}{self.body(depth - 1)}" if d.random() < 0.3 else ""
            other = f"{{% else %}}{self.body(depth - 1)}" if d.random() < 0.5 else ""
            return f"{{% if {self.test()} {minus}%}}{self.body(depth - 1)}{middle}{other}{{%{minus} endif %}}"
        if kind == "for":
            return f"{{% for x in {d.choice(LISTS)} %}}{d.choice(('{{ x }}', '{{ loop.index }}. {{ x }}'))}{self.text()}{{% endfor %}}"
        if kind == "set":
            if d.random() < 0.4:  # set in each branch
                self.own += 1
                return (
                    f"{{% if {self.test()} %}}{{% set v{self.own} = {self.value()} %}}"
                    f"{{% else %}}{{% set v{self.own} = 'no' %}}{{% endif %}}{{{{ v{self.own} }}}}"
                )
            if d.random() < 0.2:  # a name that means something else in our language
                name = d.choice(("pick", "drawn_1", "gold", "row_number"))
                return f"{{% set {name} = {self.value()} %}}{{{{ {name} }}}}"
            self.own += 1
            return f"{{% set v{self.own} = {self.value()} %}}{{{{ v{self.own} }}}}"
        return "{# a remark #}"

    def template(self) -> str:
        target = self.body(1)
        if "{{" not in target:  # a target that is one text for all rows is left out
            target += "{{ b }}"
        return f"{self.body(2)}{self.text()}|||{self.text()}{target}"


def rows_of(draw: random.Random) -> list[dict[str, Any]]:
    texts = ["x", "a b", "", " padded ", "caf\u00e9 x", "{{ a }}", "1", "\n", "two words here"]
    rows = []
    for _ in range(ROWS):
        row: dict[str, Any] = {n: draw.choice(texts) for n in TEXTS}
        row |= {n: [draw.choice(texts) for _ in range(draw.randint(0, 3))] for n in LISTS}
        row |= {n: draw.randint(0, 2) for n in NUMBERS}
        row |= {n: draw.choice(texts) for n in ODD}
        if draw.random() < 0.5:
            row["hint"] = draw.choice(texts)
        rows.append(row)
    return rows


@pytest.mark.slow
def test_generated_templates_render_what_jinja_renders(tmp_path: Path) -> None:
    draw = random.Random(7)
    templates: dict[str, dict[str, Any]] = {}
    for seed in range(TEMPLATES):
        choices = draw.choice(
            (
                None,
                None,
                "yes ||| no",
                "yes{# or #} ||| no",
                "{{ a }} ||| {{ b }}",
                "{{ items | join('|||') }}",
            )
        )
        text = Maker(seed, choices=choices is not None).template()
        templates[str(seed)] = {
            "id": str(seed), "name": f"t{seed}", "jinja": text, "answer_choices": choices, "metadata": {"original_task": True},
        }  # fmt: skip
    path = tmp_path / "templates.yaml"
    path.write_text(
        yaml.safe_dump({"dataset": "generated", "templates": templates}), encoding="utf-8"
    )
    imported = import_file(path)
    (tmp_path / "lib" / "datasets").mkdir(parents=True)
    (tmp_path / "lib" / "datasets" / "generated.yaml").write_text(imported.text)
    assert [d.render() for d in check(tmp_path / "lib") if d.severity == "error"] == []
    data = yaml.safe_load(imported.text)
    differ, compared, refused = [], 0, 0
    for id_, (category, name) in imported.templates.items():
        template = next(t for t in data["tasks"][category]["templates"] if t["name"] == name)
        for row in rows_of(draw):
            want = reference(templates[id_], row)
            if want is None:
                continue
            try:
                got = ours(template, data["fields"], row)
            except RowError:
                refused += 1
                continue
            compared += 1
            if got != want:
                differ.append(
                    json.dumps(
                        [templates[id_]["jinja"], templates[id_]["answer_choices"], row, want, got],
                        indent=1,
                    )
                )
    assert not differ, f"{len(differ)} of {compared}:\n" + "\n".join(differ[:5])
    assert len(imported.templates) > 0.8 * TEMPLATES, [x.reason for x in imported.left_out][:20]
    assert compared > 3 * len(imported.templates) and refused < compared / 3
