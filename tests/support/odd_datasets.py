"""Generated libraries of odd datasets: every kind of value, file format and key of the language.

All choices come from one `random.Random`, so a failing library is made again from its seed.
"""

import csv
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import yaml

__all__ = ["odd_library"]

TEXTS = [
    "", " ", "\t", "\n", "a", "A", "None", "null", "nan", "NaN", "true", "0", "-1", "1e5", "3 + 4", "3 - 4",
    "C", "C++", "C#", "caf\u00e9", "cafe\u0301", "\ufeffmark", "zero\u200bwidth", "line\u2028break",
    "a\r\nb", "  padded  ", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u0631\u062d\u0628\u0627",
    "\u4f60\u597d\u4e16\u754c", "{{ question }}", "{% raw %}", "}}", "{", "<|endoftext|>", "<s>", "</s>", "<unk>",
    "<|im_start|>user", "a|||b", "tab\tseparated", 'quoted "text"', "it's", "a,b;c", "# heading", "| a | b |",
    "https://example.org/?q=1&r=2", "&amp; &lt;b&gt;", "\x00", "\x07bell", "x" * 300, "word " * 90,
    "What is the capital of Peru?", "Lima", "lima", "LIMA ", "A long answer, with commas, and an end.",
]  # fmt: skip
NUMBERS = [
    0, 1, 2, 3, -1, -2, 7, 10**6, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**70, 10**30,
    0.0, -0.0, 0.1, 1.5, -2.5, 1e-7, 1e16, 1e22, 1e300, 5e-324, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
LABELS = ["yes", "no", "maybe"]
Draw = random.Random


def _text(draw: Draw) -> str:
    return " ".join(draw.choice(TEXTS) for _ in range(draw.choice((1, 1, 1, 2, 3))))


def _scalar(draw: Draw) -> Any:
    return draw.choice(
        (_text, lambda d: d.choice(NUMBERS), lambda d: d.random() < 0.5, lambda _: None)
    )(draw)


def _nested(draw: Draw, depth: int = 2) -> Any:
    if depth == 0 or draw.random() < 0.3:
        return _scalar(draw)
    count = draw.choice((0, 1, 2, 3))
    if draw.random() < 0.5:
        return [_nested(draw, depth - 1) for _ in range(count)]
    return {
        draw.choice(("text", "label", "a b", "items", "0")): _nested(draw, depth - 1)
        for _ in range(count)
    }


def _options(draw: Draw) -> Any:
    return [_text(draw) for _ in range(draw.choice((0, 1, 2, 3, 4, 4, 4, 30)))]


def _messages(draw: Draw) -> Any:
    turns = []
    for n in range(draw.choice((0, 1, 2, 2, 4, 5))):
        turn: dict[str, Any] = {
            "role": draw.choice((("user", "assistant")[n % 2], "system", "tool")),
            "content": _text(draw),
        }
        if draw.random() < 0.2:
            turn["content"] = draw.choice(
                (None, [{"type": "text", "text": _text(draw)}, {"type": "image"}], 5)
            )
        if draw.random() < 0.1:
            turn["tool_calls"] = [{"function": {"name": "look", "arguments": {"q": _text(draw)}}}]
        turns.append(turn)
    return turns


COLUMNS: dict[str, Callable[[Draw], Any]] = {
    "question": _text,
    "answer": _text,
    "reason": _text,
    "label": lambda d: d.choice((0, 1, 2, 0, 1, 2, -1, 3, 1.0)),
    "name": lambda d: d.choice((*LABELS, "Yes", "other")),
    "score": lambda d: d.choice(NUMBERS),
    "options": _options,
    "record": lambda d: {"text": _text(d), "items": [_text(d) for _ in range(d.randrange(3))]},
    "records": lambda d: [
        {"text": _text(d), "n": d.choice(NUMBERS)} for _ in range(d.randrange(4))
    ],
    "anything": _nested,
    "messages": _messages,
}
FLAT = ("question", "answer", "reason", "label", "name", "score")
FIELDS: dict[str, list[str]] = {
    "question": ["question", "question | trim", "question | squeeze", "question | lower", "question ~ '?'",
                 "question | default('none') | title", "question | string", "question | replace('a', 'b')"],
    "answer": ["answer", "answer | trim", "answer | upper_first", "answer | string | squeeze", "answer if answer else reason"],
    "reason": ["reason", "reason | trim", "reason or ''", "reason | default('') | capitalize"],
    "label": ["label", "label | int", "label | string", "['yes', 'no', 'maybe'][label]", "label | abs",
              "{'0': 'yes', '1': 'no'}[label | string]"],
    "name": ["name", "name | lower", "name | trim | upper", "name | wordcount"],
    "score": ["score", "score | float", "score | int", "score | round(2)", "'%.2f' | format(score)", "score * 2 + 1", "score // 3"],
    "options": ["options", "options | map('trim') | list", "options | unique | list", "options | select | list",
                "options | map('upper') | sort", "options[:3]", "options | batch(2) | first",
                "options | select", "options | map('upper')", "options | unique", "options | reject('none')"],
    "record": ["record.text", "record['items'] | join(', ')", "record | items | list", "record | items", "record['items'][0]", "record | tojson"],
    "records": ["records | map(attribute='text') | join('; ')", "records | selectattr('n') | map(attribute='text') | list",
                "records | length", "(records | first).text", "records | sum(attribute='n')"],
    "anything": ["anything | string", "anything | tojson", "anything.text", "anything[0]", "anything | length", "anything", "anything | map('int')", "anything | batch(2)"],
    "messages": ["row | chat", "messages | chat", "messages | map(attribute='content') | first"],
}  # fmt: skip


def _rows(draw: Draw, columns: Sequence[str], count: int) -> list[dict[str, Any]]:
    nulls, absent = draw.choice((0, 0, 0.1, 0.5)), draw.choice((0, 0, 0, 0.1))
    rows = []
    for _ in range(count):
        row = {
            c: None if draw.random() < nulls else COLUMNS[c](draw)
            for c in columns
            if draw.random() >= absent
        }
        rows.append(row)
        if draw.random() < 0.05:
            rows.append(dict(row))
    return rows


def _write(
    draw: Draw, path: Path, rows: list[dict[str, Any]], form: str, columns: Sequence[str]
) -> None:
    if form == "jsonl":
        path.write_text(
            "".join(json.dumps(r, ensure_ascii=draw.random() < 0.5) + "\n" for r in rows),
            encoding="utf-8",
        )
    elif form == "json":
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    elif form in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="," if form == "csv" else "\t")
            writer.writerow(columns)
            writer.writerows([["" if r.get(c) is None else r[c] for c in columns] for r in rows])
    else:
        arrays = {c: _array([r.get(c) for r in rows]) for c in columns}
        table = pa.table(arrays)
        if form == "parquet":
            pyarrow.parquet.write_table(table, path)
        else:
            pyarrow.feather.write_feather(table, path, compression="uncompressed")


def _array(values: list[Any]) -> pa.Array:
    try:
        made = pa.array(values)
        pyarrow.parquet.write_table(
            pa.table({"c": made}), pa.BufferOutputStream()
        )  # refuses empty structs
        return made
    except (pa.ArrowException, OverflowError):
        return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())


def _templates(
    draw: Draw, inputs: list[str], output: str, *, choices: bool, cot: str | None
) -> list[dict[str, Any]]:
    shown = "\n".join(f"{n}: {{{{ {n} }}}}" for n in inputs)
    found: list[dict[str, Any]] = [
        {"name": "plain", "input": shown, "target": f"{{{{ {output} }}}}"}
    ]
    if draw.random() < 0.5:
        first = inputs[0]
        found.append({
            "name": "guarded", "when": f"{first} is string and {first}",
            "let": {"said": f"{first} | string | truncate(40)"},
            "input": "{% if said %}Given {{ said }}, answer.{% else %}Answer.{% endif %}",
            "target": f"{{{{ {output} }}}}",
        })  # fmt: skip
    if choices:
        found.append(
            {
                "name": "pick",
                "options": draw.choice(("optional", "required")),
                "input": shown + "\n{{ options }}",
                "target": "{{ gold }}",
            }
        )
    if cot is not None:
        found.append(
            {
                "name": "think",
                "cot": True,
                "input": shown + "\nThink first.",
                "target": f"{{{{ {cot} }}}} So {{{{ {output} }}}}",
            }
        )
    return found


def _task(draw: Draw, fields: dict[str, str], taken: set[str]) -> dict[str, Any]:
    names = [n for n in fields if n not in taken]
    draw.shuffle(names)
    output, inputs = names[0], names[1 : draw.choice((2, 2, 3))] or names[:1]
    inputs = [n for n in inputs if n != output]
    choices: dict[str, Any] | None = draw.choice((
        None,
        {"gold": output, "distractors": draw.choice((1, 3, 5))},
        {"options": ["yes", "no", "maybe"], "gold": output, "shuffle": draw.random() < 0.5},
    ))  # fmt: skip
    cot = (
        "reason"
        if "reason" in names and "reason" not in (output, *inputs) and draw.random() < 0.4
        else None
    )
    outputs = [output, *([cot] if cot else [])]
    task: dict[str, Any] = {
        "cluster": draw.choice(("one", "two")),
        "signature": f"{', '.join(inputs)} -> {', '.join(outputs)}",
        "eval": {
            "metric": draw.choice(
                ("exact_match", "squad_f1", "rouge_l")
                if choices is None
                else ("accuracy", "exact_match")
            )
        },
        "templates": _templates(draw, inputs, output, choices=choices is not None, cot=cot),
    }
    if choices is not None:
        task["choices"] = choices
    if inputs and draw.random() < 0.3:
        task["truncate"] = inputs[:1]
    if draw.random() < 0.3:
        task["exemplars"] = draw.choice((
            {"from": "reserved", "count": 3}, {"from": "split", "split": "dev", "order": "file"}, {"from": "split", "split": "dev"},
            *([{"same": inputs[0]}, {"unlike": inputs[0]}] if inputs else []),
        ))  # fmt: skip
    if draw.random() < 0.2:
        task["instruction"] = "Do the task."
    return task


def _dataset(draw: Draw, root: Path, name: str) -> None:
    form = draw.choice(("jsonl", "jsonl", "json", "csv", "tsv", "parquet", "arrow"))
    known = list(FLAT if form in ("csv", "tsv") else COLUMNS)
    columns = draw.sample(known, draw.randint(3, len(known)))
    for split, count in (("train", draw.choice((1, 2, 12, 40))), ("dev", draw.choice((1, 4, 9)))):
        _write(draw, root / f"{name}.{split}.{form}", _rows(draw, columns, count), form, columns)
    fields = {c: draw.choice(FIELDS[c]) for c in columns}
    about: dict[str, Any] = {
        "source": {"files": {s: f"{name}.{s}.{form}" for s in ("train", "dev")}},
        "fields": {("choices_" if c == "options" else "") + c: e for c, e in fields.items()},
        "tasks": {},
    }  # fmt: skip
    if form == "tsv":
        about["source"]["read"] = {"quoting": True}
    if draw.random() < 0.3:
        about["where"] = draw.choice(list(about["fields"]))
    about["tasks"]["first"] = _task(draw, about["fields"], {"messages"})
    if draw.random() < 0.5:
        about["tasks"]["second"] = {**_task(draw, about["fields"], {"messages"}), "inverted": True}
    if "messages" in about["fields"] and "chat" in about["fields"]["messages"]:
        about["tasks"]["talk"] = {
            "signature": "-> messages",
            "templates": [{"name": "whole", "turns": {"each": "messages"}}],
        }
    (root / f"{name}.yaml").write_text(
        yaml.safe_dump(about, sort_keys=False, allow_unicode=False), encoding="utf-8"
    )


def odd_library(root: Path, seed: int, datasets: int) -> Path:
    """A library of generated datasets with a mixture `m` of all of their tasks. -> its folder."""
    draw = random.Random(seed)
    for part in ("datasets", "mixtures", "recipes"):
        (root / part).mkdir(parents=True)
    for n in range(datasets):
        _dataset(draw, root / "datasets", f"odd{n}")
    mixture = {
        "mixture": "m", "members": [{"select": "all"}], "shots": {0: 2, 1: 1, 3: 1},
        "options": {"with": 1, "without": 1}, "cot": {"with": 1, "without": 1},
    }  # fmt: skip
    (root / "mixtures" / "m.yaml").write_text(yaml.safe_dump(mixture), encoding="utf-8")
    recipe = {
        "recipe": "r", "mixture": "m", "size": {"passes": 1}, "tokenizer": {"bytes": True}, "layout": "decoder",
        "lengths": {"pack": draw.choice((128, 512, 2048))}, "seed": seed, "missing": "leave_out",
        "evaluate": [{"select": "not chat", "split": "dev", "shots": draw.choice((0, 2))}],
    }  # fmt: skip
    (root / "recipes" / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return root
