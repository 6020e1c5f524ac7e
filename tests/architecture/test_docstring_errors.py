"""A ``Raises:`` section names existing errors: after the rename of a class, the section must change, too."""

import ast
import builtins
import re

from tests.architecture.house_figures import class_names, read_modules

RAISES = re.compile(r"^( *)Raises:\n((?:\1 +.*\n?|\n)+)", re.MULTILINE)
OF_LIBRARIES = {"OperationalError", "UndefinedError", "ValidationError"}
NAMED = re.compile(r"^ +([A-Z]\w+(?:, [A-Z]\w+)*): ", re.MULTILINE)


def raised_names(text: str) -> set[str]:
    """Return the errors that a docstring names."""
    entries = [entry for _, section in RAISES.findall(text) for entry in NAMED.findall(section)]
    return {name for entry in entries for name in entry.split(", ")}


def test_a_raises_section_names_errors_that_exist():
    modules = read_modules()
    known = {*class_names(modules), *dir(builtins), *OF_LIBRARIES}
    unknown = []
    for module in modules:
        nodes = list(ast.walk(module.tree))
        imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        documented = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        named = {name for node in documented for name in raised_names(ast.get_docstring(node) or "")}
        unknown += [f"{module.name}: {name}" for name in sorted(named - known - imported)]
    assert unknown == []


def test_every_name_of_a_raises_section_is_read():
    raises = "Raises:\n    OneError, OtherError: it is away\n        for a while.\n    Third: no.\n"
    text = f"Do it.\n\nArgs:\n    Path: of it.\n\n{raises}"
    assert raised_names(text) == {"OneError", "OtherError", "Third"}
