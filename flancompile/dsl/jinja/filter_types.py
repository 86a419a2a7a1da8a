"""Types that filters and methods take and return."""

from __future__ import annotations

from flancompile.dsl.jinja.types import Type, list_of

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "METHODS",
    "NUMBER",
    "RETURNS_INTEGER",
    "RETURNS_SAME_LIST",
    "RETURNS_TEXT",
    "RETURN_TYPES",
    "SELECTING",
    "TAKES_LIST",
    "TAKES_PRINTABLE",
    "TAKES_TEXT",
    "TEXT",
    "TEXTLESS_HINTS",
]  # fmt: skip

TEXT, INTEGER, NUMBER = Type("text"), Type("integer"), Type("number")
BOOLEAN = Type("boolean")
RETURNS_TEXT = frozenset(
    [
        "lower",
        "upper",
        "title",
        "capitalize",
        "trim",
        "lstrip",
        "rstrip",
        "replace",
        "join",
        "string",
        "truncate",
        "indent",
        "wordwrap",
        "center",
        "format",
        "striptags",
        "squeeze",
        "upper_first",
        "lower_first",
        "regex_replace",
        "regex_search",
        "tojson",
        "number",
        "ordinal",
        "unescape_html",
        "urlencode",
        "python_text",
    ]
)
# filters of a value's text, which a list or map lacks
TAKES_PRINTABLE = RETURNS_TEXT - {
    "join",
    "tojson",
    "python_text",
    "urlencode",
    "regex_replace",
    "regex_search",
}
TEXTLESS_HINTS = {
    "list": "join its items: `| join(', ')`; or write `| tojson`",
    "map": "show one of its keys, or write `| tojson`",
}
RETURNS_INTEGER = {"length", "count", "wordcount", "int", "index", "option_index"}
RETURNS_SAME_LIST = {"sort", "unique", "reverse", "list", "most_frequent"}
SELECTING = {"select", "reject", "selectattr", "rejectattr"}
TAKES_TEXT = {"split", "words", "regex_search", "regex_replace", "regex_findall", "matches",
              "fromjson"}  # fmt: skip
TAKES_LIST = {"join", "map", "select", "reject", "selectattr", "rejectattr", "flatten", "batch",
              "slice", "groupby", "enumerate", "most_frequent"}  # fmt: skip
_SOMETIMES = {"weight": INTEGER, "name": TEXT, "left_out": list_of(TEXT)}
_TURN = Type("map", None, {"role": TEXT, "content": TEXT, **_SOMETIMES}, frozenset(_SOMETIMES))
RETURN_TYPES = {
    "chat": list_of(_TURN),
    "exchanges": list_of(
        Type("map", None, {"turns": list_of(_TURN), "history": list_of(_TURN), "query": TEXT,
                           "reply": TEXT, "n": INTEGER, "last": BOOLEAN})
    ),
}  # fmt: skip
METHODS = {"text": dir(str), "list": dir(list), "map": dir(dict), "integer": dir(int),
            "number": dir(float), "boolean": dir(bool), "null": ()}  # fmt: skip
