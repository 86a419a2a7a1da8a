"""Python's errors in plain words, for the reasons why rows are dropped.

The names of Python's classes mean nothing to an author of data: a null is a null, not a `NoneType`.
"""

from __future__ import annotations

import re

__all__ = ["plain_message", "plain_type"]

_TYPES = {
    "NoneType": "a null", "str": "a text", "int": "a whole number", "float": "a number",
    "bool": "true or false", "dict": "a map", "list": "a list", "tuple": "a list",
    "bytes": "bytes", "Decimal": "a decimal number", "date": "a date",
    "datetime": "a date and time", "time": "a time of day", "timedelta": "a duration",
    "_Missing": "an absent value",
    "Sequence": "a list", "Mapping": "a map", "set": "a list", "range": "a list",
}  # fmt: skip
_OTHER = "an object of the program"
_T = r"(?P<{}>[\w.]+)"
_A, _B = _T.format("a"), _T.format("b")
_FORMS = [
    (rf"unsupported operand type\(s\) for (?P<op>\S+?)(?: or \S+)?: '{_A}' and '{_B}'.*",
     "{op} is not defined for {a} and {b}"),
    (rf"'(?P<op>\S+)' not supported between instances of '{_A}' and '{_B}'",
     "{op} is not defined for {a} and {b}"),
    (rf"can only concatenate \w+ \(not \"{_A}\"\) to {_B}", "+ is not defined for {b} and {a}"),
    (rf"can't multiply sequence by non-int of type '{_A}'",
     "a text or list cannot be repeated by {a}"),
    (rf"bad operand type for (?P<op>.+): '{_A}'", "{op} is not defined for {a}"),
    (rf"'{_A}' object is not iterable", "{a} has no items"),
    (rf"object of type '{_A}' has no len\(\)", "{a} has no length"),
    (rf"'{_A}' object has no attribute '(?P<op>\w+)'.*", "{a} has no '{op}'"),
    (rf"'{_A}' object is not callable", "{a} cannot be called"),
    (rf"'{_A}' object is not (?:subscriptable|a mapping|reversible)", "{a} has no items"),
    (rf"'{_A}' object cannot be interpreted as an integer", "{a} where a whole number is needed"),
    (rf".*unhashable type: '{_A}'.*", "{a} cannot be looked up"),
    (rf"argument of type '{_A}' is not .*", "{a} has no items"),
    (rf"'in <string>' requires string as left operand, not {_A}",
     "{a} cannot be searched in a text"),
    (rf"sequence item \d+: expected str instance, {_A} found", "{a} where a text is needed"),
    (rf"expected string or bytes-like object(?:, got '{_A}')?", "{a} where a text is needed"),
    (rf"\w+ indices must be integers(?: or slices)?, not '?{_A}'?", "{a} is not an index"),
    (rf"cannot use '{_A}' as a .*", "{a} cannot be looked up"),
    (rf"Object of type {_A} is not JSON serializable", "{a} cannot be written as JSON"),
    (rf".*argument must be .*, not '{_A}'", "{a} where a number is needed"),
    (rf"type {_A} doesn't define \w+ method", "{a} where a number is needed"),
    (r".*(?:takes|got|missing) .*arguments?.*",
     "a filter or function got arguments it does not take"),
    (r"(?:pop from empty .*|.* (?:index|argument) out of range)", "an index beyond the last item"),
    (r"(?:.* )?arg(?:ument)? is (?:an )?empty.*", "an empty list has no such item"),
]  # fmt: skip
_PLAIN = [(re.compile(pattern, re.DOTALL), words) for pattern, words in _FORMS]
_CLASS = re.compile(
    r"<(?:class|type) '([\w.]+)'>|<[\w.]+ object at [^>]*>|<(?:function|bound) [^>]*>"
)
_NAMES = re.compile(r"\b(NoneType|dict|tuple|_Missing)\b")
_ERROR_NAME = re.compile(r"\b\w*(?:Error|Exception): ?")


def plain_type(name: str) -> str:
    """The kind of a value by the name of its class, with its article."""
    return _TYPES.get(name.rsplit(".", 1)[-1], _OTHER)


def plain_message(error: BaseException) -> str:
    """Text of an error without names of Python classes.

    >>> plain_message(KeyError("text"))
    "no 'text'"
    >>> plain_message(TypeError("'NoneType' object is not iterable"))
    'a null has no items'
    """
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, MemoryError):
        return "more than the memory holds"
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}" if error.args else "no such key"
    text = str(error).strip()
    if isinstance(error, UnicodeError):
        return "a character that the encoding does not have"
    if isinstance(error, TypeError | AttributeError | IndexError) or text.startswith("max()"):
        text = _in_words(text)
    text = _ERROR_NAME.sub("", text) or "the operation failed"
    return _CLASS.sub(lambda m: plain_type(m[1] or ""), text)


def _in_words(text: str) -> str:
    """A message of Python's own about the types of values."""
    for pattern, words in _PLAIN:
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            kinds = {n: plain_type(found[n] or "") for n in ("a", "b") if n in found}
            return words.format(**(found | kinds))
    return _NAMES.sub(lambda m: plain_type(m[1]), text)
