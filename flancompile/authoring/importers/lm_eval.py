"""Import task files of lm-evaluation-harness as dataset files.

A task's `doc_to_text`, `doc_to_target` and `doc_to_choice` become a template, its choices and its
gold; `fewshot_config` becomes exemplars, `metric_list` and `filter_list` the evaluation
(`lm_eval_scoring.py`). Tasks whose texts need Python (`!function`) are
left out and reported; keys without an equivalent are noted for each task.

Source of the format: lm-evaluation-harness's task guide (MIT).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
)
from flancompile.authoring.importers.jinja_split import (
    Output,
    SplitError,
    Text,
    parse,
    renamed,
    source,
)
from flancompile.authoring.importers.lm_eval_scoring import (
    few_shot_notes,
    layout,
    layout_notes,
    metric_of,
    scoring,
)
from flancompile.authoring.importers.statements import names_of
from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.errors import TextError, fail

__all__ = ["import_task", "layouts", "loaded"]

_PYTHON = (
    "class", "custom_dataset", "process_docs", "doc_to_text", "doc_to_target", "doc_to_choice",
    "doc_to_image", "doc_to_audio", "fewshot_config", "description",
)  # fmt: skip
_CATEGORIES = {"multiple_choice": "multiple_choice", "loglikelihood": "completion"}


class _Function(str):
    """A name of Python code in a task file."""


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Load `!function` as the function's name."""


_Loader.add_constructor("!function", lambda loader, node: _Function(node.value))


@dataclass
class _Task:
    """The parts of a converted task."""

    input: str
    target: str
    choices: dict[str, Any] | None
    answers: str | None = None  # an expression for further accepted answers


def import_task(path: Path, seen: dict[Path, Mapping[str, Any]]) -> Imported | None:
    """Import one task file; None for a group or a file that others include.

    seen: cache of files that have been read. Raises FC301 for a missing `include`, FC304 for
    invalid YAML.
    """
    task_config = loaded(path, seen)
    name = task_config.get("task")
    if not isinstance(name, str) or "group" in task_config:
        return None
    found = Imported(re.sub(r"\W+", "_", name), "")
    try:
        found.text = _dataset(found, task_config)
        found.templates[name] = (_category(task_config), "template")
    except (SplitError, TextError) as error:
        found.left_out.append(LeftOut(name, first_line(error)))
    return found


def layouts() -> str:
    """The harness's layout of instruction, exemplars and query, as a styles file."""
    return layout({})[1]


def loaded(path: Path, seen: dict[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """Load a task file with its includes; its own keys win. seen: cache of files read."""
    task_config = dict(_read(path, seen))
    included = task_config.pop("include", None)
    for name in reversed([included] if isinstance(included, str) else included or []):
        task_config = {**loaded(path.parent / name, seen), **task_config}
    return task_config


def _read(path: Path, seen: dict[Path, Mapping[str, Any]]) -> Mapping[str, Any]:
    if path not in seen:
        seen[path] = _parsed(path)
    return seen[path]


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError:
        raise fail("FC301", f"there is no file {str(path)!r}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise fail("FC304", f"{path}: no YAML: {str(error).splitlines()[0]}") from None
    return found if isinstance(found, dict) else {}


def _functions(value: Any) -> Iterator[str]:
    if isinstance(value, _Function):
        yield str(value)
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _functions(inner)


def _category(task_config: Mapping[str, Any]) -> str:
    return _CATEGORIES.get(str(task_config.get("output_type")), "generation")


def _dataset(found: Imported, task_config: Mapping[str, Any]) -> str:
    for key in _PYTHON:
        for name in _functions(task_config.get(key)):
            raise SplitError(f"`{key}` needs Python: {name}")
        if key in ("class", "custom_dataset", "doc_to_image", "doc_to_audio") and task_config.get(
            key
        ):
            raise SplitError(f"`{key}` is not a text template")
    if task_config.get("output_type") == "loglikelihood_rolling":
        raise SplitError("no prompt: the task scores the likelihood of whole texts")
    if task_config.get("use_prompt"):
        raise SplitError("`use_prompt` names a template of promptsource: import that file")
    if not task_config.get("dataset_path"):
        raise SplitError("no `dataset_path`")
    one = _task(task_config)
    columns, aliases = _sides(one)
    splits = _splits(task_config)
    task: dict[str, Any] = {
        "signature": f"{', '.join(columns[0])} -> {', '.join(columns[1])}",
        **({"choices": one.choices} if one.choices else {}),
        **_instruction(task_config),
        **_exemplars(found, task_config, splits),
        "eval": _evaluation(found, task_config, splits, one),
        "templates": [{"name": "template", "input": one.input, "target": one.target}],
    }
    for text in (one.input, one.target):
        compile_template(text)
    for code in (one.choices or {}).values():
        if isinstance(code, str) and code != "index":
            compile_expression(code)
    spoken = sorted(names_of(str(task.get("instruction", ""))) - FUNCTIONS)
    fields = {
        n: f"row[{json.dumps(aliases.get(n, n))}]" for n in (*columns[0], *columns[1], *spoken)
    }
    origin = _source(found, task_config, splits)
    name, styles = layout(task_config)
    if styles != layouts():
        found.files[f"styles/{name}.yaml"] = styles
    layout_notes(task_config, name, found.note)
    few_shot_notes(task_config, found.note)
    notes = "".join(f"\n{n.name}: {n.reason}." for n in found.notes)
    data = {
        "id": found.id,
        "description": f"lm-evaluation-harness: {task_config['task']}{notes}",
        "source": origin,
        "fields": fields,
        "tasks": {_category(task_config): task},
    }
    return dumped(data)


def _task(task_config: Mapping[str, Any]) -> _Task:
    text = _template(task_config.get("doc_to_text"))
    if prefix := task_config.get("gen_prefix"):
        meets = bool(text) and not text[-1:].isspace() and not str(prefix)[:1].isspace()
        between = str(task_config.get("target_delimiter", " ")) if meets else ""
        text = f"{text}{between}{_template(prefix)}"
    if not text.strip():
        raise SplitError("no prompt: `doc_to_text` is empty")
    text, target = text.rstrip(), task_config.get("doc_to_target")
    if _category(task_config) == "multiple_choice" or task_config.get("doc_to_choice") is not None:
        options = _options(task_config.get("doc_to_choice"))
        gold, answers = _gold(target, options)
        choices = {"options": options, "gold": gold, "by": "index", "shuffle": False}
        return _Task(text, "{{ gold }}", choices, answers)
    code = _path(target)
    if code is None:
        return _Task(text, _template(target).strip(), None)
    code = code if _PATH.fullmatch(code) else f"({code})"
    is_list = f"{code} is sequence and {code} is not string"
    first = f"{code}[0] if {is_list} else {code}"
    return _Task(text, f"{{{{ {first} }}}}", None, f"{code} if {is_list} else [{code}]")


def _path(given: object) -> str | None:
    """Expression of a text that prints one value, which may be a list of answers."""
    code = _sole(given)
    return None if code is None else re.sub(r"\s*\|\s*tojson\s*$", "", code)


_PATH = re.compile(r"""[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[(?:'[^'\]]*'|"[^"\]]*"|\d+)\])*""")


def _template(given: object) -> str:
    """A Jinja text; a bare name is a column, unless it is a usual answer such as `yes`."""
    text = "" if given is None else str(given)
    return f"{{{{ {text} }}}}" if _is_column(text) else source(parse(text))


def _is_column(text: str) -> bool:
    return text.isidentifier() and text.lower() not in _ANSWERS


_ANSWERS = {"yes", "no", "true", "false", "none", "maybe", "unknown", "positive", "negative"}


def _sole(given: object) -> str | None:
    """The expression of a text that is one slot, or of a bare name."""
    if isinstance(given, str) and _is_column(given.strip()):
        return given.strip()
    nodes = [
        n for n in parse(str(given or "")) if not isinstance(n, Text) or n.text.strip()
    ]  # white space about it does not count
    first = nodes[0] if len(nodes) == 1 else None
    return first.code if isinstance(first, Output) else None


def _options(given: object) -> Any:
    if isinstance(given, list):
        return [str(option) for option in given]
    if isinstance(given, dict):
        return [str(option) for option in given.values()]
    code = _sole(given)
    if code is None:
        raise SplitError("`doc_to_choice` is neither a list nor one expression")
    return code


def _gold(given: object, options: Any) -> tuple[str, str | None]:
    """Expressions of the correct option's index and, if there may be several, of all their texts.

    A number is the index; a text is looked up among the options; a list's first item is the gold.
    """
    if isinstance(given, int):
        return str(given), None
    if isinstance(given, str) and given.strip().isdigit():
        return given.strip(), None
    if isinstance(given, str) and isinstance(options, list) and given.strip() in options:
        return str(options.index(given.strip())), None  # the text of an option
    code = _sole(given)
    if code is None:
        raise SplitError("`doc_to_target` is neither a number nor one expression")
    if re.search(r"\.index\([^()]*\)\s*$|\|\s*int\s*$", code):
        return code, None  # a number already
    listed = json.dumps(options, ensure_ascii=False) if isinstance(options, list) else options
    path = code if _PATH.fullmatch(code) else f"({code})"
    is_list = f"{path} is sequence and {path} is not string"
    numbered = f"zip({listed}, range({listed} | length))" if isinstance(options, list) else (
        f"zip({listed}, range(({listed}) | length))"
    )  # fmt: skip
    right = f"{numbered} | selectattr(1, 'in', {path}) | map(attribute=0) | list"
    first = f"({path}[0] if {is_list} else {path})"
    gold = f"{first} | option_index({listed})"
    if isinstance(given, str) and _is_column(given.strip()):  # digits there are an option's text
        own = f"{first} is string and {first} in ({listed})"
        gold = f"(({listed}) | index({first})) if {own} else {gold}"
    return gold, f"({right}) if {is_list} else []"


def _sides(one: _Task) -> tuple[tuple[list[str], list[str]], dict[str, str]]:
    """The signature's sides, and field -> column where names differ; texts are renamed to match."""
    codes = [v for v in (one.choices or {}).values() if isinstance(v, str) and v != "index"]
    input_names = names_of(one.input) - FUNCTIONS
    target = names_of(one.target) if one.choices is None else set[str]()
    codes += [one.answers] if one.choices is not None and one.answers is not None else []
    target_names = target.union(*(names_of("{{ " + c + " }}") for c in codes)) - FUNCTIONS
    clash = renames(input_names | target_names)
    right = dict(clash)
    outputs = sorted(target_names - input_names)
    if not outputs:
        if not target_names:
            raise SplitError("the target shows no column")
        right |= {n: f"{clash.get(n, n)}_asked" for n in target_names}
        outputs = sorted(target_names)
    one.input = source(parse(one.input), lambda code: renamed(code, clash))
    if one.choices is None:
        one.target = source(parse(one.target), lambda code: renamed(code, right))
    else:
        one.choices = {
            k: renamed(v, right) if isinstance(v, str) and v != "index" else v
            for k, v in one.choices.items()
        }
    if one.answers is not None:
        one.answers = renamed(one.answers, right)
    sides = [clash.get(n, n) for n in sorted(input_names)], [right.get(n, n) for n in outputs]
    columns = {alias: name for table in (right, clash) for name, alias in table.items()}
    return sides, columns


def _splits(task_config: Mapping[str, Any]) -> dict[str, str]:
    keys = {"train": "training_split", "validation": "validation_split", "test": "test_split"}
    found = {ours: str(task_config[key]) for ours, key in keys.items() if task_config.get(key)}
    few = _few_shot_split(task_config)
    if few and few not in found.values():
        found[re.sub(r"\W+", "_", str(few))] = str(few)
    return found


def _few_shot_split(task_config: Mapping[str, Any]) -> str | None:
    """The split of the exemplars: of two that are named the configuration's, else the harness's
    own rule, training before validation."""
    config = task_config.get("fewshot_config")
    config = config if isinstance(config, Mapping) else {}
    named = config.get("split") or task_config.get("fewshot_split")
    if named is None and config.get("samples") is None:
        named = task_config.get("training_split") or task_config.get("validation_split")
    return str(named) if named else None


def _source(
    found: Imported, task_config: Mapping[str, Any], splits: Mapping[str, str]
) -> dict[str, Any]:
    path, kwargs = str(task_config["dataset_path"]), task_config.get("dataset_kwargs") or {}
    for key in set(kwargs) - {"data_files", "trust_remote_code", "revision"}:
        why = f"`{key}: {kwargs[key]}` cannot be expressed; set it under `source`"
        found.note("dataset_kwargs", why)
    if path in ("json", "csv", "parquet", "text") or "data_files" in kwargs:
        files = kwargs.get("data_files")
        listed = files if isinstance(files, dict) else dict.fromkeys(splits or ["train"], files)
        if not files or any("://" in str(f) for f in listed.values()):
            raise SplitError("the data files are at a URL, not in a Hub dataset")
        return {"files": {ours: listed.get(theirs, listed.get(ours)) for ours, theirs in
                          splits.items()}}  # fmt: skip
    config = task_config.get("dataset_name")
    return {
        "hub": path,
        **({"config": str(config)} if config else {}),
        **({"revision": str(kwargs["revision"])} if kwargs.get("revision") else {}),
        **({"splits": dict(splits)} if splits else {}),
    }


def _instruction(task_config: Mapping[str, Any]) -> dict[str, str]:
    text = str(task_config.get("description") or "").strip()
    return {"instruction": source(parse(text))} if text else {}


def _exemplars(
    found: Imported, task_config: Mapping[str, Any], splits: Mapping[str, str]
) -> dict[str, Any]:
    config = task_config.get("fewshot_config") or {}
    samples = config.get("samples") if isinstance(config, dict) else None
    order = {"order": "file"} if config.get("sampler") == "first_n" else {}
    few = _few_shot_split(task_config)
    if isinstance(samples, list) and few is None:
        name = f"{found.id}.shots.jsonl"
        rows = (json.dumps(s, ensure_ascii=False) for s in samples)
        found.files[f"datasets/{name}"] = "".join(f"{row}\n" for row in rows)
        return {"exemplars": {"from": "file", "file": name, "order": "file"}}
    if few is None:
        return {}
    ours = next(n for n, theirs in splits.items() if theirs == few)
    return {"exemplars": {"from": "split", "split": ours, **order}}


def _evaluation(
    found: Imported, task_config: Mapping[str, Any], splits: Mapping[str, str], one: _Task
) -> dict[str, Any]:
    is_choice = _category(task_config) == "multiple_choice"
    metric = metric_of(task_config, is_choice, found.note)
    until = (task_config.get("generation_kwargs") or {}).get("until") or []
    stop = [until] if isinstance(until, str) else [str(u) for u in until]
    split = next((s for s in ("test", "validation", "train") if s in splits), None)
    return {
        "metric": metric,
        **({"answers": one.answers} if one.answers is not None else {}),
        **scoring(task_config, metric, found.note),
        **({"stop": stop} if stop and not is_choice else {}),
        **({"split": split} if split else {}),
    }
