"""Convert scoring and layout keys of lm-evaluation-harness tasks.

Each function converts some keys of a task file, and adds a note for each key without an equivalent.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flancompile.authoring.importers.imported import dumped

__all__ = ["few_shot_notes", "layout", "layout_notes", "metric_of", "scoring"]

Note = Callable[[str, str], None]  # key, effect

METRICS = {"acc": "accuracy", "acc_norm": "accuracy", "exact_match": "exact_match",
           "f1": "squad_f1", "bleu": "bleu", "chrf": "chrf", "rouge": "rouge_l"}  # fmt: skip
_PLAIN_KEYS = {"metric", "aggregation", "higher_is_better"}
_IGNORES = ("ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore")
_AGGREGATIONS = {"mean", "nanmean", "bleu", "chrf", "acc_all"}
_DELIMITERS = {"target_delimiter": " ", "fewshot_delimiter": "\n\n"}


def metric_of(task_config: Mapping[str, Any], is_choice: bool, note: Note) -> str:
    """The metric's name here; other metrics are noted."""
    default = "accuracy" if is_choice else "exact_match"
    chosen: str | None = None
    for given in _metrics(task_config):
        name = given.get("metric")
        known = METRICS.get(str(name)) if type(name) is str else None
        if known is None:
            why = "has no place" if type(name) is str else "needs Python"
            note("metric_list", f"the metric {name} {why}; {chosen or default} is used")
        elif (known == "accuracy") != is_choice:
            note("metric_list", f"the metric {name} is not for {task_config.get('output_type')}")
        elif chosen not in (None, known):
            note("metric_list", f"a task has one metric: {chosen}, not {known} too")
        else:
            chosen = known
        if given.get("metric") == "acc_norm":
            note("metric_list", "accuracy does not divide the likelihood by the option's length")
        aggregation = given.get("aggregation")
        if aggregation is not None and str(aggregation) not in _AGGREGATIONS:
            note("metric_list", f"the mean is used in place of the aggregation {aggregation}")
    return chosen or default


def scoring(task_config: Mapping[str, Any], metric: str, note: Note) -> dict[str, Any]:
    """Keys of `eval` for filters and for exact_match's options."""
    found: dict[str, Any] = {}
    if metric != "accuracy":
        found |= _filters(task_config, note)
    elif task_config.get("filter_list"):
        note("filter_list", "options are ranked, and no text is generated")
    flags: dict[str, Any] = {}
    for given in _metrics(task_config):
        for key, value in given.items():
            if key in _IGNORES and given.get("metric") == "exact_match":
                flags[key] = _patterns(value, note) if key == "regexes_to_ignore" else bool(value)
            elif key not in _PLAIN_KEYS:
                note("metric_list", f"`{key}` of {given.get('metric')} has no place")
    if metric == "exact_match":
        flags = {"ignore_case": False, **{k: v for k, v in flags.items() if v}}
        found |= flags
    for key in ("process_results", "repeats"):
        if task_config.get(key) not in (None, 1):
            note(key, f"{task_config[key]} is ignored; {metric} scores one answer for each row")
    kwargs = task_config.get("generation_kwargs") or {}
    if kwargs.get("do_sample") or float(kwargs.get("temperature") or 0) > 0:
        note("generation_kwargs", "do_sample and temperature are ignored: answers are greedy")
    if most := kwargs.get("max_gen_toks", kwargs.get("max_tokens")):
        note("generation_kwargs", f"set `max_new_tokens: {most}` in the run file")
    return found


def layout(task_config: Mapping[str, Any]) -> tuple[str, str]:
    """The layout's name and styles file, from the harness's delimiters.

    White space at the ends of `doc_to_text`, `doc_to_target` and `description` is part of it, as
    texts of ours have none at their ends.
    """
    config = task_config.get("fewshot_config")
    given = {**task_config, **({k: v for k, v in config.items() if v is not None}
                         if isinstance(config, Mapping) else {})}  # fmt: skip
    question, answer = (
        str(task_config.get("doc_to_text") or ""),
        str(task_config.get("doc_to_target") or ""),
    )
    before, after = _space(question)[1], _space(answer)
    between = before + str(given.get("target_delimiter", " ")) + after[0]
    if prefix := task_config.get(
        "gen_prefix"
    ):  # the harness then writes a space, and only if none is there
        between = _space(str(prefix))[1] + after[0] or " "
    apart = after[1] + str(given.get("fewshot_delimiter", "\n\n"))
    description = str(task_config.get("description") or "")
    opening = _space(description)[1] if description.strip() else "\n\n"
    name, parts = "lm_eval", (between, apart, opening)
    if parts != (" ", "\n\n", "\n\n"):
        name += f"_{hashlib.blake2b(json.dumps(parts).encode(), digest_size=3).hexdigest()}"
    style = {
        "opening": f"{{{{ instruction }}}}{_literal(opening)}",
        "exemplar": f"{{{{ input }}}}{_literal(between)}{{{{ target }}}}",
        "separator": apart,
        "query": "{{ input }}",
        "zero": f"{{{{ instruction }}}}{_literal(opening)}{{{{ input }}}}",
    }
    return name, dumped({"shots": {name: style}})


def _space(text: str) -> tuple[str, str]:
    """The white space at a text's two ends."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def layout_notes(task_config: Mapping[str, Any], name: str, note: Note) -> None:
    """Notes on recipe settings for the task's delimiters."""
    if name == "lm_eval":
        return
    changed = [k for k, default in _DELIMITERS.items() if task_config.get(k, default) != default]
    for key in changed or ["layout"]:
        value = (
            json.dumps(str(task_config[key]), ensure_ascii=False) if changed else "its white space"
        )
        note(key, f"{value} is in the layout {name}: use it with `styles: {{shots: [{name}]}}`")
    delimiter = str(task_config.get("target_delimiter", " "))
    if (
        delimiter != " "
        and not delimiter.strip()
        and task_config.get("output_type") != "loglikelihood"
    ):
        join = json.dumps(delimiter) if delimiter else "none"
        note("target_delimiter", f"for the query, set `frame: {{join: {join}}}` in the recipe")


def few_shot_notes(task_config: Mapping[str, Any], note: Note) -> None:
    """Notes on recipe settings for exemplars, and on few-shot settings without an equivalent."""
    if shots := task_config.get("num_fewshot"):
        note("num_fewshot", f"set `shots: {{{shots}: 1}}` in the mixture or the recipe")
    config = task_config.get("fewshot_config")
    if not isinstance(config, Mapping):
        return
    for key, value in config.items():
        same = value == task_config.get(key)
        known = (key == "samples" and isinstance(value, list)) or (
            key == "sampler" and value in ("first_n", "default")
        )
        if not (same or known or key in (*_DELIMITERS, "split") or value is None):
            note("fewshot_config", f"`{key}` is ignored; exemplars are like the task's rows")


def _metrics(task_config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [m for m in task_config.get("metric_list") or [] if isinstance(m, Mapping)]


def _patterns(given: Any, note: Note) -> list[str]:
    """Valid regular expressions; invalid ones are noted."""
    found = []
    for pattern in [given] if isinstance(given, str) else given or []:
        if _is_pattern(pattern):
            found.append(pattern)
        else:
            note("metric_list", f"`regexes_to_ignore`: {pattern!r} is no regular expression")
    return found


def _filters(task_config: Mapping[str, Any], note: Note) -> dict[str, Any]:
    """Steps of the last filter pipeline; steps without an equivalent are noted."""
    chosen: list[dict[str, Any]] | None = None
    for name, steps in reversed(list(_pipelines(task_config))):
        converted = [_step(step) for step in steps]
        if chosen is None and None not in converted:
            chosen = [step for step in converted if step]
            continue
        known = "a task has one list of filters"
        why = known if chosen is not None else "a step cannot be expressed"
        unknown = ", ".join(
            str(step.get("function") if isinstance(step, Mapping) else step)
            for step, ours in zip(steps, converted, strict=True)
            if ours is None
        )
        note("filter_list", f"{name} is left out: {why}{': ' if unknown else ''}{unknown}")
    return {"filters": chosen} if chosen else {}


def _pipelines(task_config: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Names and steps of the filter pipelines; one of another form is a step of its own."""
    given = task_config.get("filter_list") or []
    for pipeline in given if isinstance(given, list) else [given]:
        if not isinstance(pipeline, Mapping):
            yield str(pipeline), [pipeline]
            continue
        steps = pipeline.get("filter") or []
        yield str(pipeline.get("name")), steps if isinstance(steps, list) else [steps]


def _step(step: Any) -> dict[str, Any] | None:
    """Convert a filter step: empty if it changes nothing, None without an equivalent."""
    if not isinstance(step, Mapping):
        return None
    kind = step.get("function")
    extra = set(step) - {"function", "regex_pattern", "group_select", "fallback", "mapping_dict",
                         "default_value"}  # fmt: skip
    if kind == "take_first":
        return {}
    if kind in ("lowercase", "uppercase"):
        return {"case": "lower" if kind == "lowercase" else "upper"}
    if kind == "remove_whitespace":
        return {"strip": True}
    if kind == "regex" and not extra:
        pattern = step.get("regex_pattern", r"#### (\-?[0-9\.\,]+)")
        if not isinstance(pattern, str) or not _is_pattern(pattern):
            return None
        found: dict[str, Any] = {"regex": pattern}
        if step.get("group_select"):
            found["select"] = int(step["group_select"])
        if isinstance(step.get("fallback"), str):
            found["fallback"] = step["fallback"]
        return found
    if kind == "map" and isinstance(step.get("mapping_dict"), Mapping):
        table = {str(k): str(v) for k, v in step["mapping_dict"].items()}
        default = step.get("default_value")
        return {"map": table, "default": "" if default is None else str(default)}
    return None


def _literal(text: str) -> str:
    """Template source that prints a text."""
    return f"{{{{ {json.dumps(text)} }}}}" if "{" in text else text


def _is_pattern(text: object) -> bool:
    try:
        re.compile(str(text))
    except re.error:
        return False
    return isinstance(text, str)
