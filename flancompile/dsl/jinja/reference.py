"""Reference of the expression language: entries with a description and a tested example.

`reference_page` generates docs/expressions.md. Every filter, test and function of the language
has an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from flancompile.dsl.jinja.expression import compile_expression

__all__ = ["ENTRIES", "Entry", "reference_page"]


@dataclass(frozen=True)
class Entry:
    """A filter, test, function or form of the language. names: names of the example."""

    group: str
    name: str
    description: str
    example: str
    result: Any
    names: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> Any:
        """Evaluate the example."""
        names = {**self.names, "pick": lambda items: list(items)[-1]}
        return compile_expression(self.example)(names)


_ROW = {
    "question": "Who wrote it?",
    "label": 1,
    "score": 1234.567,
    "names": ["Ada", "Ben", "Cy"],
    "ages": [36, 7, 51],
    "people": [
        {"name": "Ada", "age": 36, "town": "Ulm"},
        {"name": "Ben", "age": 7, "town": "Ulm"},
        {"name": "Cy", "age": 51, "town": "Aix"},
    ],
    "answers": {"text": ["a poet", "a poet", "Ada"], "start": [4, 4, 0]},
    "text": "  It rained ;  we stayed in. ",
    "cell": '{"year": 1843}',
    "said": [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello!"}],
}

_SEEN = {**_ROW, "row": _ROW, "row_number": 41}


def _e(group: str, name: str, description: str, example: str, result: Any) -> Entry:
    return Entry(group, name, description, example, result, _SEEN)


_VALUES, _OPERATORS = "Values", "Operators"
_TEXT, _REGEX, _NUMBERS = "Text", "Regular expressions", "Numbers"
_LISTS, _MAPS, _JSON = "Lists", "Labels and maps", "JSON"
_CHATS = "Dialogues"
_TESTS, _FUNCTIONS, _DRAWS = "Tests", "Functions", "Draws"

ENTRIES: tuple[Entry, ...] = (
    _e(_VALUES, "a name", "A field; in `fields` and `id`, a column.", "question", "Who wrote it?"),
    _e(_VALUES, "text, number, list, map", "Written as in JSON; text also in single quotes.",
       "['yes', 2, {\"a\": true}]", ["yes", 2, {"a": True}]),
    _e(_VALUES, ".key, [\"key\"]", "A key of a map. An absent key drops the row.",
       "answers.text", ["a poet", "a poet", "Ada"]),
    _e(_VALUES, "row", "The whole row as a map, in the expressions over its columns.",
       "row['question']", "Who wrote it?"),
    _e(_VALUES, "row_number", "The row's place in its split, from 0, in the expressions over its "
       "columns and in the file's `where`; a column of that name comes first.", "row_number", 41),
    _e(_VALUES, "[n]", "An item, from 0, where 1.0 is 1; from the end with a negative literal. A "
       "negative index from a row's data drops that row.", "names[-1]", "Cy"),
    _e(_VALUES, "[a:b]", "A slice of a list or text. A null or negative bound from a row's data "
       "drops that row.", "question[:3]", "Who"),
    _e(_OPERATORS, "+ - * / // % **", "Arithmetic. `//` is floor division, `%` the remainder.",
       "(7 // 2) * 10 + 7 % 2", 31),
    _e(_OPERATORS, "~", "Joins values as text.", "names[0] ~ ', ' ~ ages[0]", "Ada, 36"),
    _e(_OPERATORS, "== != < <= > >=", "Comparison, chained as in Python.", "1 < label + 1 <= 2",
       True),
    _e(_OPERATORS, "and or not", "Logic.", "label == 1 and not names == []", True),
    _e(_OPERATORS, "in, not in", "Membership of a list, a map's keys or a text.", "'Ben' in names",
       True),
    _e(_OPERATORS, "a if c else b", "Conditional expression.",
       "'old' if ages[0] > 50 else 'young'", "young"),
    _e(_OPERATORS, "|", "Applies a filter; filters chain.", "question | lower | length", 13),
    _e(_TEXT, "trim", "Without white space at the ends, or without given characters.",
       "text | trim", "It rained ;  we stayed in."),
    _e(_TEXT, "lstrip", "Without white space, or given characters, at its beginning.",
       "'- a' | lstrip('- ')", "a"),
    _e(_TEXT, "rstrip", "Without white space, or given characters, at its end.",
       "'It rained.' | rstrip('.')", "It rained"),
    _e(_TEXT, "special", "A special token of the tokenizer, where the same text in data is text.",
       "('<s>' | special) == '<s>'", False),
    _e(_TEXT, "squeeze", "Runs of white space become one space; none at the ends.",
       "text | squeeze", "It rained ; we stayed in."),
    _e(_TEXT, "lower", "In lower case.", "'Ulm' | lower", "ulm"),
    _e(_TEXT, "upper", "In upper case.", "'Ulm' | upper", "ULM"),
    _e(_TEXT, "title", "Each word with an initial capital.", "'the old town' | title",
       "The Old Town"),
    _e(_TEXT, "capitalize", "First letter in upper case, the rest in lower case.",
       "'uLM' | capitalize", "Ulm"),
    _e(_TEXT, "upper_first", "First letter in upper case, the rest unchanged.",
       "'a NASA probe' | upper_first", "A NASA probe"),
    _e(_TEXT, "lower_first", "First letter in lower case, the rest unchanged.",
       "'The USA' | lower_first", "the USA"),
    _e(_TEXT, "replace", "Replace every occurrence.", "text | trim | replace(' ;', ';')",
       "It rained;  we stayed in."),
    _e(_TEXT, "split", "Split at a separator; without one, at white space.",
       "'a|b|c' | split('|')", ["a", "b", "c"]),
    _e(_TEXT, "words", "Split at white space.", "question | words", ["Who", "wrote", "it?"]),
    _e(_TEXT, "wordcount", "Number of words.", "question | wordcount", 3),
    _e(_TEXT, "truncate", "Cut at a word to a maximum length; see Jinja for its options.",
       "'one two three' | truncate(8, end='', leeway=0)", "one two"),
    _e(_TEXT, "indent", "Indent all lines but the first.", "'a\\nb' | indent(2)", "a\n  b"),
    _e(_TEXT, "wordwrap", "Break into lines of a maximum width.", "'one two three' | wordwrap(8)",
       "one two\nthree"),
    _e(_TEXT, "center", "Centre in a width.", "'a' | center(5)", "  a  "),
    _e(_TEXT, "format", "Format as printf does.", "'%s is %d' | format('Ada', 36)", "Ada is 36"),
    _e(_TEXT, "string", "A number or truth value as text.", "label | string", "1"),
    _e(_TEXT, "striptags", "Remove HTML tags.", "'<b>bold</b>' | striptags", "bold"),
    _e(_TEXT, "unescape_html", "Replace HTML entities by characters.",
       "'&amp;&quot;' | unescape_html",
       '&"'),
    _e(_TEXT, "urlencode", "Encode as part of a URL.", "'a b' | urlencode", "a%20b"),
    _e(_REGEX, "matches", "Whether a pattern is found.", "question | matches('^Wh')", True),
    _e(_REGEX, "regex_search", "The first match, or its group 1. None found drops the row.",
       "'born in 1815' | regex_search('(\\\\d{4})')", "1815"),
    _e(_REGEX, "regex_findall", "All matches.", "'1 or 22' | regex_findall('\\\\d+')",
       ["1", "22"]),
    _e(_REGEX, "regex_replace", "Replace every match; `\\1` is a group.",
       "'2, 3' | regex_replace('(\\\\d), (\\\\d)', '\\\\2, \\\\1')", "3, 2"),
    _e(_NUMBERS, "number", "In a form of Python's `format`; by default with commas. A text "
       "that is no finite number drops the row.", "score | number(',.2f')", "1,234.57"),
    _e(_NUMBERS, "ordinal", "1st, 2nd, 3rd. A fraction drops the row.", "22 | ordinal", "22nd"),
    _e(_NUMBERS, "int", "A whole number from a text. Any other value drops the row, unless "
       "a default is given.", "'7' | int", 7),
    _e(_NUMBERS, "float", "A number of a text; as `int`.", "'7.5' | float", 7.5),
    _e(_NUMBERS, "round", "Round to a number of decimal places.", "score | round(1)", 1234.6),
    _e(_NUMBERS, "abs", "Absolute value.", "-3 | abs", 3),
    _e(_NUMBERS, "sum", "The sum, of an attribute if one is given.", "people | sum('age')", 94),
    _e(_NUMBERS, "min", "The smallest.", "ages | min", 7),
    _e(_NUMBERS, "max", "The largest, by an attribute if one is given.",
       "(people | max(attribute='age')).name", "Cy"),
    _e(_LISTS, "first", "The first item.", "names | first", "Ada"),
    _e(_LISTS, "last", "The last item.", "names | last", "Cy"),
    _e(_LISTS, "length", "Number of items or characters.", "names | length", 3),
    _e(_LISTS, "spans", "Substrings of a text at {start, end} offsets; the end is inclusive.",
       "[{'start': 0, 'end': 2}] | spans(question)", ["Who"]),
    _e(_LISTS, "count", "The same as `length`.", "names | count", 3),
    _e(_LISTS, "join", "Items as one text.", "names | join(' and ')", "Ada and Ben and Cy"),
    _e(_LISTS, "map", "An attribute, or a filter, of each item.", "people | map(attribute='name')",
       ["Ada", "Ben", "Cy"]),
    _e(_LISTS, "select", "Items that pass a test.", "ages | select('gt', 30)", [36, 51]),
    _e(_LISTS, "reject", "Items that fail a test.", "ages | reject('odd')", [36]),
    _e(_LISTS, "selectattr", "Items whose attribute passes a test.",
       "people | selectattr('town', 'eq', 'Ulm') | map(attribute='name')", ["Ada", "Ben"]),
    _e(_LISTS, "rejectattr", "Items whose attribute fails a test.",
       "people | rejectattr('town', 'eq', 'Ulm') | map(attribute='name')", ["Cy"]),
    _e(_LISTS, "sort", "Sort; see Jinja for its options.", "ages | sort(reverse=true)",
       [51, 36, 7]),
    _e(_LISTS, "unique", "Distinct values, in order of first occurrence.", "answers.text | unique",
       ["a poet", "Ada"]),
    _e(_LISTS, "most_frequent", "The most frequent values.", "answers.text | most_frequent",
       ["a poet"]),
    _e(_LISTS, "reverse", "In reverse order.", "names | reverse", ["Cy", "Ben", "Ada"]),
    _e(_LISTS, "zip", "Tuples of items at equal places. Lists of unequal length drop the row.",
       "names | zip(ages)", [("Ada", 36), ("Ben", 7), ("Cy", 51)]),
    _e(_LISTS, "enumerate", "Items with their numbers.", "['a', 'b'] | enumerate(1)",
       [(1, "a"), (2, "b")]),
    _e(_LISTS, "flatten", "Concatenate lists of a list.", "[[1, 2], [3]] | flatten", [1, 2, 3]),
    _e(_LISTS, "index", "Index of a value. An absent value drops the row.",
       "names | index('Cy')", 2),
    _e(_LISTS, "option_index", "As `index`, but a whole number, or its digits, is the index.",
       "'1' | option_index(['no', 'yes'])", 1),
    _e(_LISTS, "batch", "Groups of a number of items.", "[1, 2, 3] | batch(2)", [[1, 2], [3]]),
    _e(_LISTS, "slice", "Split into a number of groups.", "[1, 2, 3] | slice(2)", [[1, 2], [3]]),
    _e(_LISTS, "groupby", "By an attribute: (value, items).",
       "people | groupby('town') | map(attribute='grouper')", ["Aix", "Ulm"]),
    _e(_LISTS, "list", "As a list: a text's characters, a map's keys.", "'abc' | list",
       ["a", "b", "c"]),
    _e(_MAPS, "a list by a label", "A label's name, from a list of names.",
       "['no', 'yes'][label]", "yes"),
    _e(_MAPS, "lookup", "Value of a key in a map. An absent key drops the row.",
       "'e' | lookup({'e': 'entailment', 'n': 'neutral'})", "entailment"),
    _e(_MAPS, "default", "Replaces an absent value; with `true`, also an empty one.",
       "answers.note | default('none')", "none"),
    _e(_MAPS, "items", "A map's keys and values.", "{'a': 1} | items", [("a", 1)]),
    _e(_MAPS, "dictsort", "As `items`, sorted by key.", "{'b': 2, 'a': 1} | dictsort",
       [("a", 1), ("b", 2)]),
    _e(_JSON, "fromjson", "Parse JSON text. Two equal keys drop the row; NaN is a "
       "null.", "(cell | fromjson).year", 1843),
    _e(_JSON, "tojson", "A value as JSON.", "{'é': [1]} | tojson", '{"é": [1]}'),
    _e(_JSON, "python_text", "A list or map in Python's `str` form, for data that other tools have "
       "printed so.", "names | python_text", "['Ada', 'Ben', 'Cy']"),
    _e(_CHATS, "chat", "A dialogue as a list of {role, content}. It reads messages, ShareGPT's "
       "`from` and `value`, a row of Alpaca's or TRL's, and lists of texts in turn; reasoning "
       "and tool calls become part of the content.", "said | chat",
       [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello!"}]),
    _e(_CHATS, "chat of a row", "The columns for prompt and answer as a dialogue, or the row's "
       "turns after its `system` and `tools`; in `fields`, `row | chat`.",
       "dict(instruction='Add.', input='2, 3', output='5') | chat | map(attribute='content')",
       ["Add.\n\n2, 3", "5"]),
    _e(_CHATS, "exchanges", "One item for each answer of a dialogue: `turns` up to it, `history`, "
       "`query`, `reply`, `n`, `last`. With `explode`, one row for each answer.",
       "(said | exchanges)[0].reply", "Hello!"),
    *(
        _e(_TESTS, name, description, example, True)
        for name, description, example in (
            ("defined", "The name or key is there.", "question is defined"),
            ("undefined", "It is not.", "answers.note is undefined"),
            ("none", "It is null.", "question is not none"),
            ("string", "It is text.", "question is string"),
            ("number", "It is a number.", "score is number"),
            ("integer", "A whole number.", "label is integer"),
            ("float", "A number with a fraction.", "score is float"),
            ("boolean", "True or false.", "(label == 1) is boolean"),
            ("true", "It is true.", "(label == 1) is true"),
            ("false", "It is false.", "(label == 0) is false"),
            ("mapping", "It is a map.", "answers is mapping"),
            ("sequence", "A list, a text or a map.", "names is sequence"),
            ("iterable", "It can be looped over.", "names is iterable"),
            ("even", "An even number.", "ages[0] is even"),
            ("odd", "An odd number.", "ages[1] is odd"),
            ("divisibleby", "A multiple of a number.", "ages[1] is divisibleby(7)"),
            ("lower", "All in small letters.", "'ulm' is lower"),
            ("upper", "All in capitals.", "'ULM' is upper"),
            ("in", "A member of a list.", "'Ben' is in(names)"),
            ("sameas", "The very same value.", "none is sameas(none)"),
            ("eq", "Equal; also `==`, `equalto`.", "label is eq(1)"),
            ("ne", "Unequal; also `!=`.", "label is ne(0)"),
            ("lt", "Less; also `<`, `lessthan`.", "label is lt(2)"),
            ("le", "Less or equal; also `<=`.", "label is le(1)"),
            ("gt", "Greater; also `>`, `greaterthan`.", "label is gt(0)"),
            ("ge", "Greater or equal; also `>=`.", "label is ge(1)"),
        )
    ),
    _e(_FUNCTIONS, "range", "Whole numbers up to the end, which is excluded.", "range(3) | list",
       [0, 1, 2]),
    _e(_FUNCTIONS, "len", "Number of items or characters.", "len(names)", 3),
    _e(_FUNCTIONS, "zip()", "Tuples of items at equal places, for loops of templates.",
       "zip(names, ages)[0]",
       ("Ada", 36)),
    _e(_FUNCTIONS, "dict", "A map of names and values.", "dict(a=1)", {"a": 1}),
    _e(_FUNCTIONS, "namespace", "For templates: a value that loops may set.",
       "namespace(n=3).n", 3),
    _e(_FUNCTIONS, "joiner", "For templates: prints nothing the first time, then its text.",
       "joiner(', ')()", ""),
    _e(_FUNCTIONS, "cycler", "For templates: yields its values in turn.",
       "cycler('a', 'b').next()", "a"),
    _e(_DRAWS, "pick", "Only in `let`: an item of a list, drawn for the row, the template and the "
       "epoch by the recipe's seed; input and target see the same.", "pick(names)", "Cy"),
)  # fmt: skip

_ALSO = {"equalto": "eq", "greaterthan": "gt", "lessthan": "lt"}

_HEAD = """# Expressions

`fields`, `where`, `id`, `let`, `when`, `choices`, `exemplars` and the slots of templates are in
one language: sandboxed Jinja. It is strict: an absent value drops the row, with the reason in the
ledger, and nothing is printed as an empty text. Only `pick` draws at random.

A null has no text and is no number; NaN in data is a null, and an infinite number has no text. A
row is dropped if a filter or an operator would convert one to text or a number, or a template would
print one, also inside a list; handle it first with `default(…, true)`, `is none` or a condition. A
field whose expression meets a null is null, so `where: premise and hypothesis` leaves that row out.
Filters return lists, never generators.

A row's data may not give a null argument to a filter or a text's method, where it would act as a
missing argument, nor a negative `attribute`, which would count from the end: both drop the row.
Literals (`split(none, 1)`, `map(attribute=-1)`) are allowed. An argument that is itself a value,
as of `default` and `index`, may be null.

A list, a map and bytes have no text either. If a template, a target, an option, an accepted
answer, `~` or a text filter would print one, the row is dropped, with a reason that names the
expression; `check` reports it if the types of the columns are known. Write `| join(', ')`, one of
the keys, `| tojson`, or `| python_text` for Python's own form. Numbers print as Python
writes them (`1.5`, `1e+16`), true and false as `True` and `False`.

The examples see this row:

```json
"""


def reference_page() -> str:
    """Text of docs/expressions.md: every entry with its example and result."""
    import json

    row_lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in _ROW.items()]
    parts = [_HEAD + "{\n" + ",\n".join(row_lines) + "\n}\n```\n"]
    for group, entries in groupby(ENTRIES, key=lambda entry: entry.group):
        rows = [f"\n## {group}\n\n| | | Example | Gives |\n| --- | --- | --- | --- |"]
        for entry in entries:
            cells = (
                f"`{entry.name}`" if " " not in entry.name or "|" in entry.name else entry.name,
                entry.description,
                f"`{entry.example}`",
                f"`{json.dumps(entry.result, ensure_ascii=False)}`",
            )
            rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        parts.append("\n".join(rows) + "\n")
    return "".join(parts)
