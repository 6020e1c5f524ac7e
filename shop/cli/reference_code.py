"""Takes the code that a page of the docs shows from the source, by the names of its functions, methods and classes.

``<!-- code: shop/patterns/caching/loader.py CacheLoader.load -->`` names a file and one or several definitions in it.
Of each docstring, the page shows the first sentence. A line number would be wrong after the next change; a name is
either right, or the page is refused.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import dedent, indent

LEAST_LINES, MOST_LINES = 10, 30
"""Fewer lines explain no pattern. More lines are read by few, and the page links the file."""
CONSTANT = re.compile(r"[A-Z_]+\b")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def code_excerpt(place: str, page: Path, root: Path) -> str:
    """Return definitions as a block of Markdown, with a link to their file below it.

    Args:
        place: the file's path from the root and the names, such as ``shop/x.py Cache.get Cache.put``.
        page: the page that shows the code; the link is relative to it.
        root: the folder of the project.

    Raises:
        ValueError: there is no such file or name, or the definitions together have too few or too many lines.
    """
    path, *names = place.split()
    source = root / path
    if not names or not source.is_file():
        raise ValueError(f"there is no file {path}" if names else "name a file and a definition in it")
    code = _join(source.read_text(encoding="utf-8"), names, path)
    lines = len(code.splitlines())
    if not LEAST_LINES <= lines <= MOST_LINES:
        raise ValueError(f"{lines} lines of code; a page shows {LEAST_LINES} to {MOST_LINES}")
    named = ", ".join(f"`{name}`" for name in names)
    link = os.path.relpath(source, page.parent)
    return f"```python\n{code}\n```\n\n{named} in [{source.name}]({link})"


def _join(source: str, names: Iterable[str], path: str) -> str:
    """Return the definitions spaced as the formatter wants them; methods stand below the name of their class."""
    code = last_owner = ""
    for name in names:
        owner, part = name.rpartition(".")[0], definition_code(source, name, path)
        if owner:
            part = indent(part, "    ") if owner == last_owner else f"class {owner}:\n{indent(part, '    ')}"
        after_constant = CONSTANT.match(part) and CONSTANT.match(code.rpartition("\n")[2])
        gap = "\n" if after_constant else "\n\n" if owner and owner == last_owner else "\n\n\n"
        code = f"{code}{gap}{part}" if code else part
        last_owner = owner
    return code


def definition_code(source: str, name: str, path: str) -> str:
    """Return the code of a definition, without the indentation and the long part of each docstring.

    Args:
        source: the text of a module.
        name: a function, class or constant; ``Class.method`` inside of a class.
        path: of the module, for the message.

    Raises:
        ValueError: the module has no such name.
    """
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        found = [each for each in getattr(node, "body", ()) if part in _names(each)]
        if not found:
            raise ValueError(f"{path} has no {name}")
        node = found[-1]
    assert isinstance(node, ast.stmt) and node.end_lineno is not None  # noqa: S101, PT018 - parsed, and in a body
    lines: list[str | None] = list(source.splitlines())
    for docstring in _docstrings(node):
        first, end = docstring.lineno - 1, docstring.end_lineno or docstring.lineno
        stop = next((number for number in range(first, end - 1) if (lines[number] or "").endswith(".")), None)
        if stop is not None:
            lines[stop] = f'{lines[stop]}"""'
            lines[stop + 1 : end] = [None] * (end - stop - 1)
    start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return dedent("\n".join(line for line in lines[start - 1 : node.end_lineno] if line is not None))


def _names(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, Definition):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _docstrings(node: ast.AST) -> Iterator[ast.Constant]:
    for each in ast.walk(node):
        if isinstance(each, Definition) and isinstance(each.body[0], ast.Expr):
            value = each.body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value
