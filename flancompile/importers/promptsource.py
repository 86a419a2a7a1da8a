"""promptsource's template files as dataset files of ours.

A file becomes one dataset file; its templates are gathered into tasks by what they are given and
what they ask for. `answer_choices` becomes a `let`, an unseeded `choice` a draw, `|||` the border
of input and target, metadata the evaluation and tags. What cannot be said in the language is left
out and named, with the reason.

Source of the format: promptsource's `templates.py` (Apache-2.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import meta

from flancompile.dsl.expression import compile_expression, compile_template
from flancompile.dsl.filters import FILTERS
from flancompile.errors import TextError, fail
from flancompile.importers.jinja_split import (
    Block,
    Node,
    Output,
    Set,
    SplitError,
    Text,
    halves,
    operand,
    parse,
    renamed,
    source,
)

__all__ = ["Imported", "LeftOut", "import_file"]

_METRICS = {"Accuracy": "accuracy", "ROUGE": "rouge_l", "BLEU": "rouge_l", "Squad": "squad_f1"}
_TAKEN = {"options", "gold", "row", "pick", "loop", "instruction"}  # names with a meaning of ours
_GLOBALS = {"zip", "len", "range", "dict", "namespace", "joiner", "cycler"}


@dataclass(frozen=True)
class LeftOut:
    """A template that was not brought in, and why."""

    name: str
    reason: str


@dataclass
class Imported:
    """A template file in our language. text: the dataset file's YAML."""

    id: str
    text: str
    templates: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass
class _Made:
    """One template: texts, names and what it needs."""

    name: str
    input: str
    target: str
    let: dict[str, str]
    inputs: list[str]
    outputs: list[str]
    aliases: dict[str, str]
    metric: str
    tags: list[str]


class _Loader(yaml.SafeLoader):
    """Reads promptsource's tagged objects as mappings."""


def _mapping(loader: yaml.SafeLoader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, _mapping)


def import_file(path: Path, split: str = "train") -> Imported:
    """Bring in one templates.yaml. Raises FC304 for what is no such file."""
    try:
        about = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
        given = list(about["templates"].values())
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise fail("FC304", f"{path}: no promptsource file: {first}") from None
    name = "_".join(str(about[k]) for k in ("dataset", "subset") if about.get(k))
    found = Imported(re.sub(r"\W+", "_", name), "")
    made: list[_Made] = []
    taken: set[str] = set()
    for template in given:
        try:
            one = _template(template, taken)
        except (SplitError, TextError) as error:
            found.left_out.append(LeftOut(str(template["name"]), _first_line(error)))
            continue
        made.append(one)
        found.templates[str(template["id"])] = (_category(one), one.name)
    found.text = _dataset(found.id, about, made, split)
    return found


def _first_line(error: Exception) -> str:
    text = error.diagnostics[0].message if isinstance(error, TextError) else str(error)
    return text.splitlines()[0]


def _template(given: dict[str, Any], taken: set[str]) -> _Made:
    tree = parse(str(given["jinja"]))
    _namespaces(tree)
    let = _draws(tree)
    left, right = halves(tree)
    choices = given.get("answer_choices")
    sides = [_trimmed(left), _trimmed(right)]
    used = [_names(source(s)) for s in sides]
    if choices and "answer_choices" in used[0] | used[1]:
        let["answer_choices"] = _choices(str(choices))
    own = set(let) | _GLOBALS
    fields = [_through(names, let) - own for names in used]
    inputs = sorted(fields[0])
    asked = sorted(fields[1] - fields[0])
    clash = {n: f"{n}_column" for n in sorted(fields[0] | fields[1]) if n in _TAKEN}
    aliases: dict[str, str] = {}
    if not asked:
        asked_names = sorted(fields[1]) or inputs[:1]  # a target of draws alone asks for its input
        if not asked_names:
            raise SplitError("the template shows no column")
        aliases = {n: f"{n}_asked" for n in asked_names}
        asked = [f"{n}_asked" for n in asked_names]
    inputs = [clash.get(n, n) for n in inputs]
    asked = [clash.get(n, n) for n in asked]
    lets: dict[str, str] = {n: renamed(code, clash) for n, code in let.items()}
    right_names = dict(clash)
    if aliases:
        right_names |= aliases
        for name, code in list(lets.items()):
            if _through({name}, let) & set(aliases):
                lets[f"{name}_asked"] = renamed(code, right_names)
                right_names[name] = f"{name}_asked"
                if name not in used[0]:
                    del lets[name]
    texts = (
        source(sides[0], lambda code: renamed(code, clash)),
        source(sides[1], lambda code: renamed(code, right_names)),
    )
    for text in texts:
        compile_template(text)
    for code in lets.values():
        compile_expression(code)
    about = given.get("metadata") or {}
    return _Made(
        name=_slug(str(given["name"]), taken),
        input=texts[0],
        target=texts[1],
        let=lets,
        inputs=inputs or [],
        outputs=asked,
        aliases={**{v: k for k, v in clash.items()}, **{v: k for k, v in aliases.items()}},
        metric=_metric(about.get("metrics") or [], bool(choices)),
        tags=[*(["choices_in_prompt"] if about.get("choices_in_prompt") else []),
              *([] if about.get("original_task") else ["variant"])],
    )  # fmt: skip


def _metric(given: Sequence[str], choices: bool) -> str:
    found = next((_METRICS[m] for m in given if m in _METRICS), "exact_match")
    return "exact_match" if found == "accuracy" and not choices else found


def _draws(tree: list[Node]) -> dict[str, str]:
    """Take every `… | choice` out of a tree: each becomes a name of `let`, drawn once.

    What it draws from may come of values that the template sets before; those become `let` too.
    """
    let: dict[str, str] = {}

    def drawn(code: str) -> str:
        while match := _CHOICE.search(code):
            start = operand(code, match.start())
            name = f"drawn_{len(let) + 1}"
            let[name] = f"pick({code[start : match.start()].strip()})"
            code = f"{code[:start]}{name}{code[match.end() :]}"
        return code

    def walk(nodes_: list[Node]) -> None:
        for node in nodes_:
            if isinstance(node, Output | Set):
                node.code = drawn(node.code)
            elif isinstance(node, Block):
                if node.end == "endfor" and _CHOICE.search(source([node])):
                    raise SplitError("a `choice` inside a loop, which would be drawn each time")
                node.tags = [drawn(tag) for tag in node.tags]
                for body in node.bodies:
                    walk(body)

    walk(tree)
    return _hoisted(tree, let) if let else let


_CHOICE = re.compile(r"\|\s*choice\b(?!\s*\()")


def _hoisted(tree: list[Node], let: dict[str, str]) -> dict[str, str]:
    """Values that a template sets once, at its top, and that its draws come of, put before them."""
    top = [n for n in tree if isinstance(n, Set)]
    every = [_bound(n) for n in _all_sets(tree)]
    wanted = {name for code in let.values() for name in _names("{{ " + code + " }}")}
    chosen: list[Set] = []
    for node in reversed(top):
        if _bound(node) in wanted:
            chosen.insert(0, node)
            wanted |= _names("{{ " + node.code.split("=", 1)[1] + " }}")
    fixed = {_bound(n) for n in chosen}
    if wanted & set(every) - fixed or any(every.count(n) > 1 for n in fixed):
        raise SplitError("a `choice` among values that the template computes in blocks")
    order: dict[str, str] = {}
    for node in chosen:
        tree.remove(node)
        name, code = (part.strip() for part in node.code.split("=", 1))
        for draw in sorted(_names("{{ " + code + " }}") & set(let)):
            order.setdefault(draw, let[draw])
        order[name] = code
    return {**order, **{n: c for n, c in let.items() if n not in order}}


def _bound(node: Set) -> str:
    return node.code.split("=", 1)[0].strip()


def _all_sets(tree: Sequence[Node]) -> Iterator[Set]:
    for node in tree:
        if isinstance(node, Set):
            yield node
        elif isinstance(node, Block):
            for body in node.bodies:
                yield from _all_sets(body)


def _namespaces(tree: list[Node]) -> None:
    """Values are not changed in our language; a namespace takes the place of those that were.

    `set _ = d.update({"k": v})` and `{{ x.append(v) | default("", true) }}` become assignments.
    """
    maps = {m[1] for n in _all_sets(tree) if (m := _UPDATE.fullmatch(n.code.strip()))}
    lists = {m[1] for n in _all_outputs(tree) if (m := _APPEND.fullmatch(n.code))}
    held = {name: f"{name}_list.found" for name in lists}

    def walk(body: list[Node]) -> None:
        for place, node in enumerate(body):
            if isinstance(node, Block):
                node.tags = [renamed(tag, held) for tag in node.tags]
                for inner in node.bodies:
                    walk(inner)
            elif isinstance(node, Output) and (match := _APPEND.fullmatch(node.code)):
                spot, value = held[match[1]], renamed(match[2], held)
                body[place] = Set(f"{spot} = {spot} + [{value}]")
            elif isinstance(node, Output):
                node.code = renamed(node.code, held)
            elif isinstance(node, Set):
                node.code = assigned(node.code)

    def assigned(code: str) -> str:
        if match := _UPDATE.fullmatch(code.strip()):
            return f"{match[1]}.{match[2]} = {renamed(match[3], held)}"
        name, _, value = (part.strip() for part in code.partition("="))
        if name in lists:
            return f"{name}_list = namespace(found={renamed(value, held)})"
        return (
            f"{name} = namespace({value})" if name in maps else f"{name} = {renamed(value, held)}"
        )

    walk(tree)


def _all_outputs(tree: Sequence[Node]) -> Iterator[Output]:
    for node in tree:
        if isinstance(node, Output):
            yield node
        elif isinstance(node, Block):
            for body in node.bodies:
                yield from _all_outputs(body)


_UPDATE = re.compile(r"\w+\s*=\s*(\w+)\.update\(\{\s*['\"](\w+)['\"]\s*:(.*)\}\s*\)", re.DOTALL)
_APPEND = re.compile(r"(\w+)\.append\((.*?)\)\s*(?:\|\s*default\([^()]*\))?", re.DOTALL)


def _choices(text: str) -> str:
    """The expression of a list of answer choices."""
    tree = parse(text)
    if all(isinstance(n, Text) for n in tree):
        listed = [part.strip() for part in text.split("|||")]
        return json.dumps(listed, ensure_ascii=False)
    parts = []
    for node in tree:
        if isinstance(node, Text):
            parts.append(json.dumps(node.text, ensure_ascii=False))
        elif isinstance(node, Output):
            parts.append(f"({node.code})")
        else:
            raise SplitError("answer choices that are computed by statements")
    joined = " ~ ".join(['""', *parts])
    return f'({joined}) | split("|||") | map("trim") | list'


def _trimmed(tree: list[Node]) -> list[Node]:
    """A side without white space at its ends; by a filter where only rendering can tell."""
    kept = list(tree)
    while kept and isinstance(kept[0], Text) and not kept[0].text.strip():
        kept.pop(0)
    while kept and isinstance(kept[-1], Text) and not kept[-1].text.strip():
        kept.pop()
    if kept and isinstance(kept[0], Text):
        kept[0] = Text(kept[0].text.lstrip())
    if kept and isinstance(kept[-1], Text):
        kept[-1] = Text(kept[-1].text.rstrip())
    edges = [n for n in (kept[:1] + kept[-1:]) if not isinstance(n, Text)]
    if any(isinstance(n, Block | Set) for n in edges):
        wrapped = Block(["filter trim"], [kept], "endfilter")
        return [wrapped]
    return kept


def _names(text: str) -> set[str]:
    env = jinja2.Environment()
    env.filters.update({**FILTERS, "choice": list})
    try:
        return set(meta.find_undeclared_variables(env.parse(text)))
    except jinja2.TemplateError as error:
        raise SplitError(f"not Jinja: {error.message}") from None


def _through(names: set[str], let: dict[str, str]) -> set[str]:
    """Names that some names come of, those of `let` looked into."""
    found, left = set(names), list(names & set(let))
    while left:
        new = _names("{{ " + let[left.pop()] + " }}") - {"pick"} - found
        found |= new
        left += new & set(let)
    return found


def _slug(name: str, taken: set[str]) -> str:
    slug = re.sub(r"\W+", "_", name).strip("_").lower() or "template"
    slug = slug if slug[0].isalpha() else f"t_{slug}"
    found, number = slug, 2
    while found in taken:
        found, number = f"{slug}_{number}", number + 1
    taken.add(found)
    return found


def _category(one: _Made) -> str:
    sides = ["_and_".join(side) for side in (one.inputs, one.outputs)]
    return re.sub(r"\W+", "_", f"{sides[0] or 'nothing'}_to_{sides[1]}")


def _dataset(id_: str, about: dict[str, Any], made: Sequence[_Made], split: str) -> str:
    """The dataset file's text; YAML in our canonical order."""
    columns: dict[str, str] = {}
    for one in made:
        for name in (*one.inputs, *one.outputs):
            columns[name] = one.aliases.get(name, name)
    tasks: dict[str, list[_Made]] = {}
    for one in made:
        tasks.setdefault(_category(one), []).append(one)
    hub = {"hub": str(about["dataset"])}
    if about.get("subset"):
        hub["config"] = str(about["subset"])
    data = {
        "id": id_,
        "source": {**hub, "splits": {split: split}},
        "fields": {n: f"row[{json.dumps(c)}]" for n, c in sorted(columns.items())},
        "tasks": {name: _task(group) for name, group in tasks.items()},
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _task(group: Sequence[_Made]) -> dict[str, Any]:
    first = group[0]
    templates = []
    for one in group:
        made: dict[str, Any] = {"name": one.name, "input": one.input, "target": one.target}
        if one.let:
            made["let"] = one.let
        if one.tags:
            made["tags"] = one.tags
        templates.append(made)
    return {
        "signature": f"{', '.join(first.inputs)} -> {', '.join(first.outputs)}",
        "eval": {"metric": first.metric},
        "templates": templates,
    }
