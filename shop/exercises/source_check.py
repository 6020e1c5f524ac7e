"""Checks the text of an attempt without running it: its syntax, what it defines, and the names of the parameters."""

import ast
from collections.abc import Iterator
from inspect import Parameter, Signature
from pathlib import Path
from typing import NoReturn

from shop.exercises.attempt_interface import AttemptInterface, accepts, parameter_text, without_self
from shop.exercises.verdict import AttemptFailed, FailureReport

SYNTAX, INTERFACE = "syntax", "interface"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_source(path: Path, interface: AttemptInterface) -> None:
    """Check syntax and interface of an attempt, as far as its text tells; the rest is checked when it runs.

    Args:
        path: the attempt.
        interface: what it must define.

    Raises:
        AttemptFailed: the file is no Python, or lacks the function, the class, or one of its parameters.
    """
    tree = _parse(path)
    wanted = f"class {interface.call_text}" if interface.is_class else f"def {interface.call_text}"
    defined = {node.name: node for node in tree.body if isinstance(node, Function | ast.ClassDef)}
    node = defined.get(interface.defines)
    if node is None:
        if interface.defines in _assigned_names(tree.body):
            return  # assigned or imported: what it is shows when the file is imported
        came = f"the file defines {', '.join(defined) or 'no function and no class'}."
        what = f"the class {interface.defines}" if interface.is_class else f"`{wanted}`"
        _fail(path, wanted, came, f"Define {what} at the left margin of {path.name}.")
    elif isinstance(node, ast.AsyncFunctionDef):
        _fail(path, wanted, f"async def in line {node.lineno}.", "Remove `async`: the store calls it directly.")
    elif isinstance(node, ast.FunctionDef):
        _check_parameters(path, wanted, node, _signature(node), interface.signature)
    else:
        _check_class(path, wanted, node, interface)


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


def _assigned_names(body: list[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _check_class(path: Path, wanted: str, node: ast.ClassDef, interface: AttemptInterface) -> None:
    """Check a class that is called as a factory, unless a base or a decorator may define what its text lacks."""
    methods = {method.name: method for method in node.body if isinstance(method, Function)}
    is_complete = not node.bases and not node.keywords and not node.decorator_list
    assigned = _assigned_names(node.body)
    if "__init__" in methods:
        constructor = methods["__init__"]
        _check_parameters(path, wanted, constructor, without_self(_signature(constructor)), interface.signature)
    for name, signature in interface.returned.items():
        text = f"def {name}(self, {parameter_text(signature)})" if signature.parameters else f"def {name}(self)"
        method = methods.get(name)
        if method is not None and not method.decorator_list:
            _check_parameters(path, text, method, without_self(_signature(method)), signature)
        elif method is None and is_complete and name not in assigned:
            came = f"the class {node.name} in line {node.lineno} defines {', '.join(methods) or 'no method'}."
            _fail(path, text, came, f"Add the method {name} to the class {node.name}.")


def _signature(function: Function) -> Signature:
    return Signature(list(_parameters(function.args)))


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    for number, argument in enumerate(positional):
        is_first = number < len(arguments.posonlyargs)
        kind = Parameter.POSITIONAL_ONLY if is_first else Parameter.POSITIONAL_OR_KEYWORD
        yield Parameter(argument.arg, kind, default=None if number >= first_default else Parameter.empty)
    if arguments.vararg:
        yield Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=None if default else Parameter.empty)
    if arguments.kwarg:
        yield Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD)


def _check_parameters(path: Path, wanted: str, function: Function, given: Signature, expected: Signature) -> None:
    if isinstance(function, ast.AsyncFunctionDef):
        _fail(path, wanted, f"async def in line {function.lineno}.", "Remove `async`: the store calls it directly.")
    if not accepts(given, expected):
        came = f"def {function.name}({ast.unparse(function.args)}) in line {function.lineno}."
        _fail(path, wanted, came, f"Give the parameters in line {function.lineno} these names, in this order.")


def _fail(path: Path, wanted: str, came: str, look: str) -> NoReturn:
    report = FailureReport(INTERFACE, f"The check looked for the interface in {path}.", f"{wanted}.", came, look)
    raise AttemptFailed(report)
