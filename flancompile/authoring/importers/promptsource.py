"""Import template files of promptsource as dataset files.

A file becomes one dataset file; its templates are grouped into tasks by their inputs and outputs.
`answer_choices` becomes a `let`, an unseeded `choice` a draw, `|||` the boundary of input and
target, metadata the evaluation and tags. Templates without an equivalent are left out and reported
with the reason.

Source of the format: promptsource's `templates.py` (Apache-2.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flancompile.authoring.importers.imported import (
    FUNCTIONS,
    Imported,
    LeftOut,
    dumped,
    first_line,
    renames,
    slug,
    through,
)  # fmt: skip
from flancompile.authoring.importers.jinja_split import (
    Block,
    Node,
    Output,
    Set,
    SplitError,
    Text,
    halves,
    parse,
    renamed,
    source,
)
from flancompile.authoring.importers.statements import (
    names_of,
    sometimes_set,
    with_draws,
    with_namespaces,
    with_optional,
)
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.errors import TextError, fail

__all__ = ["Imported", "LeftOut", "import_file"]

# Accuracy is left to exact_match: choices come as a `let`, and accuracy ranks `choices:` alone.
_METRICS = {"ROUGE": "rouge_l", "BLEU": "bleu", "Squad": "squad_f1"}


@dataclass
class _Converted:
    """A converted template: texts, names and requirements."""

    name: str
    input: str
    target: str
    let: dict[str, str]
    inputs: list[str]
    outputs: list[str]
    aliases: dict[str, str]
    metric: str
    tags: list[str]
    optional: set[str]


class _Loader(yaml.SafeLoader):
    """Load promptsource's tagged objects as mappings."""


def _mapping(loader: yaml.SafeLoader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, _mapping)


def import_file(path: Path, split: str = "train") -> Imported:
    """Import one templates.yaml. Raises FC304 if the file is not valid."""
    try:
        file = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
        given = list(file["templates"].values())
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise fail("FC304", f"{path}: not a promptsource file: {first}") from None
    name = "_".join(str(file[k]) for k in ("dataset", "subset") if file.get(k))
    found = Imported(re.sub(r"\W+", "_", name), "")
    converted: list[_Converted] = []
    taken: set[str] = set()
    reserved = _names(given)
    for template in given:
        try:
            one = _template(template, taken, reserved)
        except (SplitError, TextError) as error:
            found.left_out.append(LeftOut(str(template["name"]), first_line(error)))
            continue
        converted.append(one)
        found.templates[str(template["id"])] = (_category(one), one.name)
    found.text = _dataset(found.id, file, converted, split) if converted else ""
    return found


def _names(given: Sequence[dict[str, Any]]) -> set[str]:
    """All words in templates' tags and slots, which generated names must avoid."""
    found: set[str] = set()
    for template in given:
        for text in (template.get("jinja"), template.get("answer_choices")):
            found |= set(re.findall(r"[^\W\d]\w*", str(text or "")))
    return found


def _template(given: dict[str, Any], taken: set[str], reserved: set[str]) -> _Converted:
    """Convert one template. reserved: names that the file's templates read or set."""
    tree = parse(str(given["jinja"]))
    with_namespaces(tree)
    optional = with_optional(tree)
    let = with_draws(tree, reserved)
    left, right = halves(tree)
    choices = given.get("answer_choices")
    sides = [_trimmed(left), _trimmed(right)]
    used = [names_of(source(s)) for s in sides]
    if choices and "answer_choices" in through(used[0] | used[1], let):
        let = {"answer_choices": _choices(str(choices)), **let}
    own = set(let) | FUNCTIONS
    fields = [through(names, let) - own for names in used]
    inputs = sorted(fields[0])
    outputs = sorted(fields[1] - fields[0])
    every = renames(reserved, reserved)  # of the whole file, so that a column has one field
    clash = {n: every[n] for n in sorted(fields[0] | fields[1]) if n in every}
    aliases: dict[str, str] = {}
    if not outputs:
        if not fields[1] and not used[1] & set(let):
            raise SplitError("the target is the same text for all rows")
        aliased = sorted(fields[1]) or inputs[:1]  # a target of draws alone asks for its input
        if not aliased:
            raise SplitError("the template shows no column")
        aliases = {n: f"{clash.get(n, n)}_asked" for n in aliased}
        outputs = list(aliases.values())
    inputs = [clash.get(n, n) for n in inputs]
    outputs = [clash.get(n, n) for n in outputs]
    for text in map(source, sides):
        optional |= sometimes_set(text)  # where its branch does not set it, a column or nothing
    lets: dict[str, str] = {n: renamed(code, clash) for n, code in let.items()}
    right_names = {**clash, **aliases}  # draws of `let` are the same on both sides
    texts = (
        source(sides[0], lambda code: renamed(code, clash)),
        source(sides[1], lambda code: renamed(code, right_names)),
    )
    for text in texts:
        compile_template(text)
    for code in lets.values():
        compile_expression(code)
    metadata = given.get("metadata") or {}
    return _Converted(
        name=slug(str(given["name"]), taken),
        input=texts[0],
        target=texts[1],
        let=lets,
        inputs=inputs or [],
        outputs=outputs,
        aliases={**{v: k for k, v in clash.items()}, **{v: k for k, v in aliases.items()}},
        metric=_metric(metadata.get("metrics") or []),
        tags=[*(["choices_in_prompt"] if metadata.get("choices_in_prompt") else []),
              *([] if metadata.get("original_task") else ["variant"])],
        optional=optional,
    )  # fmt: skip


def _metric(given: Sequence[str]) -> str:
    return next((_METRICS[m] for m in given if m in _METRICS), "exact_match")


def _choices(text: str) -> str:
    """The expression of a list of answer choices."""
    tree = parse(text)
    if all(isinstance(n, Text) for n in tree):
        bare = "".join(n.text for n in tree if isinstance(n, Text))  # without comments
        listed = [part.strip() for part in bare.split("|||")]
        return json.dumps(listed, ensure_ascii=False)
    parts: list[list[str]] = [[]]  # of each choice; `|||` in a value does not end it
    for node in tree:
        if isinstance(node, Text):
            first, *others = node.text.split("|||")
            parts[-1].append(json.dumps(first, ensure_ascii=False))
            parts += [[json.dumps(t, ensure_ascii=False)] for t in others]
        elif isinstance(node, Output):
            parts[-1].append(f"({node.code})")
        else:
            raise SplitError("answer choices that are computed by statements")
    if not any("|||" in code for part in parts for code in part):
        each = ["(" + " ~ ".join(['""', *part]) + ")" for part in parts]
        return f'[{", ".join(each)}] | map("trim") | list'
    only = tree[0].code if len(tree) == 1 and isinstance(tree[0], Output) else ""
    if match := _JOINED.fullmatch(only):
        return f'({match[1].strip()}) | map("trim") | list'
    joined = ' ~ "|||" ~ '.join(" ~ ".join(['""', *part]) for part in parts)
    return f'({joined}) | split("|||") | map("trim") | list'


_JOINED = re.compile(r"""(.*)\|\s*join\(\s*(['"])\s*\|\|\|\s*\2\s*\)""", re.DOTALL)


def _trimmed(tree: list[Node]) -> list[Node]:
    """Strip a side's outer white space, by a filter if it depends on values."""
    nodes = list(tree)
    while nodes and isinstance(nodes[0], Text) and not nodes[0].text.strip():
        nodes.pop(0)
    while nodes and isinstance(nodes[-1], Text) and not nodes[-1].text.strip():
        nodes.pop()
    if nodes and isinstance(nodes[0], Text):
        nodes[0] = Text(nodes[0].text.lstrip())
    if nodes and isinstance(nodes[-1], Text):
        nodes[-1] = Text(nodes[-1].text.rstrip())
    _trim_values(nodes)
    if _may_leave_space(nodes):
        wrapped = Block(["filter trim"], [nodes], "endfilter")
        return [wrapped]
    return nodes


def _may_leave_space(nodes: Sequence[Node]) -> bool:
    """Whether a side's outer white space depends on values."""
    ends = [*nodes[:1], *nodes[-1:]]
    if any(isinstance(n, Block | Set) for n in ends):
        return True
    # two values with only white space between them: both may be empty
    solid = [n for n in nodes if not (isinstance(n, Text) and not n.text.strip())]
    pairs = (solid[:2], solid[-2:])
    return any(len(p) == 2 and all(not isinstance(n, Text) for n in p) for p in pairs)


def _trim_values(nodes: list[Node]) -> None:
    """Strip the outermost values and the white space beside them, as values may be empty."""
    for edge, name in ((0, "lstrip"), (-1, "rstrip")):
        end = nodes[edge] if nodes else None
        if not isinstance(end, Output):
            continue
        code, place = end.code, 1 if edge == 0 else len(nodes) - 2
        neighbor = nodes[place] if len(nodes) - 1 > 0 else None
        if isinstance(neighbor, Text):
            bare = neighbor.text.lstrip() if edge == 0 else neighbor.text.rstrip()
            space = len(neighbor.text) - len(bare)
            if bare and space:
                nodes[place] = Text(bare)
                part = neighbor.text[:space] if edge == 0 else neighbor.text[-space:]
                quoted = json.dumps(part)
                code = f"({code}) ~ {quoted}" if edge == 0 else f"{quoted} ~ ({code})"
        nodes[edge] = Output(_filtered(code, name))


def _filtered(code: str, name: str) -> str:
    """Apply one more filter to a value."""
    simple = re.fullmatch(r"[\w.]+(\[[^][]*\])*(\s*\|\s*\w+)*", code)
    return f"{code} | {name}" if simple else f"({code}) | {name}"


def _category(one: _Converted) -> str:
    sides = ["_and_".join(side) for side in (one.inputs, one.outputs)]
    return re.sub(r"\W+", "_", f"{sides[0] or 'nothing'}_to_{sides[1]}")


def _dataset(id_: str, file: dict[str, Any], converted: Sequence[_Converted], split: str) -> str:
    """The dataset file's text, as YAML in canonical order."""
    columns: dict[str, str] = {}
    required: set[str] = set()
    for one in converted:
        for name in (*one.inputs, *one.outputs):
            columns[name] = one.aliases.get(name, name)
            required |= (
                {name} - one.optional if one.aliases.get(name, name) not in one.optional else set()
            )
    tasks: dict[str, list[_Converted]] = {}
    for one in converted:
        tasks.setdefault(_category(one), []).append(one)
    hub = {"hub": str(file["dataset"])}
    if file.get("subset"):
        hub["config"] = str(file["subset"])
    data = {
        "id": id_,
        "source": {**hub, "splits": {split: split}},
        "fields": {
            n: f"row[{json.dumps(c)}]" + ("" if n in required else " | default(none)")
            for n, c in sorted(columns.items())
        },
        "tasks": {name: _task(group) for name, group in tasks.items()},
    }
    return dumped(data)


def _task(group: Sequence[_Converted]) -> dict[str, Any]:
    first = group[0]
    templates = []
    for one in group:
        template: dict[str, Any] = {"name": one.name, "input": one.input, "target": one.target}
        if one.let:
            template["let"] = one.let
        if one.tags:
            template["tags"] = one.tags
        templates.append(template)
    return {
        "signature": f"{', '.join(first.inputs)} -> {', '.join(first.outputs)}",
        "eval": {"metric": first.metric},
        "templates": templates,
    }
