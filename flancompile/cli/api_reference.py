"""Reference page of the Python API: signatures and docstrings of the public modules.

The page is made from the source files, not from the imported modules, so it needs no heavy
library, and annotations and defaults appear as they are written.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

__all__ = ["MODULES", "api_reference"]

# Title of a section -> the module that defines its names.
MODULES = {
    "flancompile": "flancompile.api",
    "flancompile.feed": "flancompile.feed.feed",
    "flancompile.feed.wrappers": "flancompile.feed.wrappers",
    "flancompile.store.build": "flancompile.store.build",
    "flancompile.store.manifest": "flancompile.store.manifest",
    "flancompile.forecast.forecast": "flancompile.forecast.forecast",
    "flancompile.forecast.ladder": "flancompile.forecast.ladder",
    "flancompile.lint.reading": "flancompile.lint.reading",
    "flancompile.lint.task": "flancompile.lint.task",
    "flancompile.evaluate.results": "flancompile.evaluate.results",
    "flancompile.evaluate.metrics": "flancompile.evaluate.metrics",
    "flancompile.errors": "flancompile.errors",
}
_HEAD = """# Python API

The public modules, generated from their docstrings by `flancompile schema --api`. Shapes such as
`int32[packs, length]` are those of numpy arrays; codes such as FC504 are explained in
[diagnostics.md](diagnostics.md).
"""
_WIDTH = 88
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def api_reference() -> str:
    """Markdown page with a section for each module of `MODULES` and an entry for each name."""
    parts = [_HEAD]
    for title, module in MODULES.items():
        tree = ast.parse(_source(module))
        defined = {name: node for node in tree.body for name in _names(node)}
        parts.append(f"## {title}\n\n{_text(tree)}")
        for name in ast.literal_eval(_value(defined["__all__"])):
            parts += _entry(f"{title}.{name}", name, defined[name])
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin).read_text(encoding="utf-8")


def _names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, _Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _value(node: ast.stmt) -> ast.expr:
    assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    return node.value


def _entry(title: str, name: str, node: ast.stmt) -> list[str]:
    heading = f"### {title}"
    if isinstance(node, _Function):
        return [heading, _code(_signature(node)), _text(node)]
    if not isinstance(node, ast.ClassDef):
        value = _unparsed(_value(node))
        return [heading, _code(f"{name} = {value if len(value) < _WIDTH else '...'}")]
    methods = [m for m in node.body if isinstance(m, _Function) and m.name[0] != "_"]
    members = (part for m in methods for part in (_code(_signature(m)), _text(m)))
    return [heading, _code(_class(node)), _text(node), *members]


def _class(node: ast.ClassDef) -> str:
    """A class with the arguments that make an instance: of `__init__`, else its fields."""
    for method in node.body:
        if isinstance(method, _Function) and method.name == "__init__":
            method.args.args.pop(0)
            return _wrapped(f"class {node.name}", _arguments(method.args), "")
    bases = ", ".join(_unparsed(base) for base in node.bases)
    fields = [_unparsed(f) for f in node.body if isinstance(f, ast.AnnAssign)]
    head = f"class {node.name}({bases})" if bases else f"class {node.name}"
    return "\n    ".join([f"{head}:", *fields]) if fields else head


def _signature(node: _Function) -> str:
    """A function as it is called; a method without its `self`."""
    marks = {_unparsed(d) for d in node.decorator_list}
    returns = f" -> {_unparsed(node.returns)}" if node.returns is not None else ""
    if marks & {"property", "cached_property"}:
        return f"{node.name}{returns}"
    args = node.args
    if args.args and args.args[0].arg in ("self", "cls"):
        args.args.pop(0)
    return _wrapped(node.name, _arguments(args), returns)


def _arguments(args: ast.arguments) -> list[str]:
    positional = [*args.posonlyargs, *args.args]
    missing = len(positional) - len(args.defaults)
    found = [
        _argument(a, args.defaults[n - missing] if n >= missing else None)
        for n, a in enumerate(positional)
    ]
    if args.vararg is not None:
        found.append(f"*{_unparsed(args.vararg)}")
    elif args.kwonlyargs:
        found.append("*")
    pairs = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    found += [_argument(a, default) for a, default in pairs]
    return [*found, f"**{_unparsed(args.kwarg)}"] if args.kwarg is not None else found


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return _unparsed(argument) + ("" if default is None else f" = {_unparsed(default)}")


def _wrapped(name: str, arguments: list[str], returns: str) -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) <= _WIDTH:
        return line
    return "\n    ".join([f"{name}(", *(f"{a}," for a in arguments)]) + f"\n){returns}"


def _unparsed(node: ast.AST) -> str:
    """Source of a node, with double quotes as in the package."""
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', ast.unparse(node))


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _text(node: ast.Module | ast.ClassDef | _Function) -> str:
    """A docstring as Markdown: its examples as blocks of code."""
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    return re.sub(r"^>>> (?:.+\n?)+", lambda found: _code(found[0].rstrip()), text, flags=re.M)
