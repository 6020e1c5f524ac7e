"""Checks the text of an attempt without running it: its syntax, its function, and the names of the parameters."""

import ast
from pathlib import Path
from typing import NoReturn

from shop.errors import ConfigurationError
from shop.exercises.definition import BuildTask
from shop.exercises.verdict import AttemptFailed, FailureReport
from shop.settings import PROJECT_ROOT

SYNTAX, INTERFACE = "syntax", "interface"


def load_interface(task: BuildTask) -> ast.FunctionDef:
    """Return the store's own function, whose name and parameters an attempt has; from its text, as the attempt's.

    Args:
        task: names it.

    Raises:
        ConfigurationError: the store has no such function.
    """
    module, _, name = task.interface.partition(":")
    path = PROJECT_ROOT.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_bytes()) if path.is_file() else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise ConfigurationError(f"The store has no function {task.interface}, which an exercise names.")


def check_source(path: Path, task: BuildTask) -> None:
    """Check syntax and interface of an attempt.

    Args:
        path: the attempt.
        task: names the interface.

    Raises:
        AttemptFailed: the file is no Python, or lacks the function or one of its parameters.
    """
    tree = _parse(path)
    interface = load_interface(task)
    expected = _positional(interface)
    wanted = f"def {interface.name}({', '.join(expected)})"
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    function = defined.get(interface.name)
    if function is None:
        if interface.name in _other_names(tree):
            return  # assigned, imported or a class: the behavioural checks call it
        came = f"the file defines {', '.join(defined) or 'no function'}."
        _fail(path, wanted, came, f"Define `{wanted}` at the left margin of {path.name}.")
    elif isinstance(function, ast.AsyncFunctionDef):
        _fail(path, wanted, f"async def in line {function.lineno}.", "Remove `async`: the store calls it directly.")
    else:
        _check_parameters(path, wanted, function, expected)


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        message = getattr(error, "msg", None) or str(error)
        text = (getattr(error, "text", None) or "").strip()
        report = FailureReport(
            SYNTAX,
            f"Python read {path}.",
            "a file that is valid Python.",
            f"line {line}, column {column}: {message}." + (f" The line is: {text}" if text else ""),
            f"{path}:{line}:{column}",
        )
        raise AttemptFailed(report) from None


def _positional(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def _other_names(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _check_parameters(path: Path, wanted: str, function: ast.FunctionDef, expected: list[str]) -> None:
    arguments = function.args
    positional = _positional(function)
    required = len(positional) - len(arguments.defaults)
    keyword_only = [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    fits = positional[: len(expected)] == expected and required <= len(expected) and not keyword_only
    if not fits:
        came = f"def {function.name}({ast.unparse(arguments)}) in line {function.lineno}."
        _fail(path, wanted, came, f"Give the parameters in line {function.lineno} these names, in this order.")


def _fail(path: Path, wanted: str, came: str, look: str) -> NoReturn:
    report = FailureReport(INTERFACE, f"The check looked for a function in {path}.", f"{wanted}.", came, look)
    raise AttemptFailed(report)
