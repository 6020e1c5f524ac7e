"""The repairs with which the probes of an audit are proven: blocks of Python whose first line names their file.

A block replaces the definitions of the same name in its file, as ``why.md`` says of its blocks.
"""

import ast
import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from shop.exercises.definition import EXERCISES, WHY, ExerciseDefinition

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```python\n(?P<text># \w+\.py\n.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^# (\w+\.py)$", re.MULTILINE)


@dataclass(frozen=True)
class WrongRepair:
    """A repair that must fail, its probe, and a part of what came."""

    name: str
    path: Path
    probe: str
    came: str


def copy_of(exercise: ExerciseDefinition, folder: Path, *texts: str) -> Path:
    """Return the package of a copy of the audited program with repairs."""
    package = shutil.copytree(
        EXERCISES / exercise.audit.patient,
        folder / exercise.audit.patient,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for text in texts:
        repair(package, text)
    return package


def repair(package: Path, text: str) -> None:
    """Replace definitions of a program's files by those of a text; add its imports and new definitions."""
    parts = FILE.split(text)
    for name, block in zip(parts[1::2], parts[2::2], strict=True):
        path = package / name
        for node in ast.parse(block).body:
            path.write_text(_with(path.read_text(), node, _source(block, node)))


def model_repairs(exercise: ExerciseDefinition) -> list[str]:
    """Return the blocks of the solution."""
    return [match["text"] for match in BLOCK.finditer(exercise.page(WHY))]


def wrong_repairs(exercise: ExerciseDefinition) -> list[WrongRepair]:
    """Return every named wrong repair."""
    home = HERE / exercise.label
    expected = tomllib.loads((home / "expected.toml").read_text())["wrong"]
    paths = {path.stem.removeprefix("wrong-"): path for path in sorted(home.glob("wrong-*.py"))}
    assert set(expected) == set(paths), "expected.toml names the wrong repairs, and no others"
    return [WrongRepair(name, path, **expected[name]) for name, path in paths.items()]


def right_repairs(exercise: ExerciseDefinition) -> dict[str, str]:
    """Return the text of each repair of another form that must pass, by name; the name ends with its probe."""
    home = HERE / exercise.label
    paths = sorted([*home.glob("also-right-*.py"), *home.glob("slow-*.py")])
    return {path.stem: path.read_text() for path in paths}


def untouched_messages(exercise: ExerciseDefinition) -> dict[str, str]:
    """Return what comes from the untouched program, by probe."""
    return dict(tomllib.loads((HERE / exercise.label / "expected.toml").read_text())["untouched"])


def _with(text: str, node: ast.stmt, source: str) -> str:
    name, lines = _name(node), text.splitlines()
    for other in ast.parse(text).body:
        if name and _name(other) == name:
            lines[_first(other) - 1 : other.end_lineno] = source.splitlines()
            return "\n".join(lines) + "\n"
    if name:
        return f"{text}\n\n{source}\n"
    lines.insert(1, source)
    return "\n".join(lines) + "\n"


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""


def _source(block: str, node: ast.stmt) -> str:
    return "\n".join(block.splitlines()[_first(node) - 1 : node.end_lineno])


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
