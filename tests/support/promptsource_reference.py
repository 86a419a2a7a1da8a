"""promptsource's own rendering of a template, and ours of the imported one."""

import json
from functools import partial
from typing import Any

import jinja2

from flancompile.dsl.jinja.expression import compile_expression, compile_template
from flancompile.dsl.jinja.filters import FILTERS

__all__ = ["ENV", "ours", "reference"]

ENV = jinja2.Environment(undefined=jinja2.StrictUndefined)
ENV.globals.update(zip=partial(zip, strict=True))  # lists that do not go together drop a row
ENV.filters["choice"] = ENV.filters["random"] = lambda items: list(items)[-1]
ENV.filters["most_frequent"] = FILTERS["most_frequent"]


def reference(template: dict[str, Any], row: dict[str, Any]) -> list[str] | None:
    """Input and target as promptsource renders them; None where the row does not fit."""
    given = dict(row)
    try:
        if template.get("answer_choices"):
            text = ENV.from_string(template["answer_choices"]).render(**row)
            given["answer_choices"] = [part.strip() for part in text.split("|||")]
        parts = ENV.from_string(template["jinja"]).render(**given).split("|||")
    except Exception:
        return None
    return [p.strip() for p in parts] if len(parts) == 2 else None


def ours(imported: dict[str, Any], fields: dict[str, str], row: dict[str, Any]) -> list[str]:
    names: dict[str, Any] = {}
    for name, code in fields.items():
        column = json.loads(code[4 : code.index("]")])
        if column in row or "default" in code:
            names[name] = compile_expression(code)({"row": row})
    names["pick"] = lambda items: list(items)[-1]
    for name, code in imported.get("let", {}).items():
        names[name] = compile_expression(code)(names)
    return [compile_template(imported[side]).render(names) for side in ("input", "target")]
