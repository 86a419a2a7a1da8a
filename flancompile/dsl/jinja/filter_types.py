"""Types that filters take and return, for type inference."""

from __future__ import annotations

from flancompile.dsl.jinja.types import Type, list_of

__all__ = [
    "BOOLEAN", "GIVES", "INTEGER", "METHODS", "NO_TEXT", "NUMBER", "OF_TEXT", "SAME_LIST",
    "SELECTING", "TEXT", "TO_INTEGER", "TO_TEXT", "WANT_LIST", "WANT_TEXT",
]  # fmt: skip

TEXT, INTEGER, NUMBER = Type("text"), Type("integer"), Type("number")
BOOLEAN = Type("boolean")
TO_TEXT = frozenset(
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
# of the value's own text, which a list or map has not
OF_TEXT = TO_TEXT - {"join", "tojson", "python_text", "urlencode", "regex_replace", "regex_search"}
NO_TEXT = {
    "list": "join its items: `| join(', ')`; or write `| tojson`",
    "map": "show one of its keys, or write `| tojson`",
}
TO_INTEGER = {"length", "count", "wordcount", "int", "index", "option_index"}
SAME_LIST = {"sort", "unique", "reverse", "list", "most_frequent"}
SELECTING = {"select", "reject", "selectattr", "rejectattr"}
WANT_TEXT = {"split", "words", "regex_search", "regex_replace", "regex_findall", "matches",
              "fromjson"}  # fmt: skip
WANT_LIST = {"join", "map", "select", "reject", "selectattr", "rejectattr", "flatten", "batch",
              "slice", "groupby", "enumerate", "most_frequent"}  # fmt: skip
_SOMETIMES = {"weight": INTEGER, "name": TEXT, "left_out": list_of(TEXT)}
_TURN = Type("map", None, {"role": TEXT, "content": TEXT, **_SOMETIMES}, frozenset(_SOMETIMES))
GIVES = {
    "chat": list_of(_TURN),
    "exchanges": list_of(
        Type("map", None, {"turns": list_of(_TURN), "history": list_of(_TURN), "query": TEXT,
                           "reply": TEXT, "n": INTEGER, "last": BOOLEAN})
    ),
}  # fmt: skip
METHODS = {"text": dir(str), "list": dir(list), "map": dir(dict), "integer": dir(int),
            "number": dir(float), "boolean": dir(bool), "null": ()}  # fmt: skip
