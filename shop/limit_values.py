"""Reads the value of a limit from the file that owns it, without importing that file.

Problem: a list of limits that repeats their values is wrong after the next change. A list that imports every module
with a limit can only be read by a process that loads them all: the web framework, every driver.
Method: an owner is a text. ``SHOP_THREADS`` names a setting; ``shop/x.py NAME`` a constant, whose expression is read
from the source; ``shop/x.py NAME KEY`` an entry of a constant that is a mapping; ``nginx BLOCK DIRECTIVE`` a directive
of the edge's configuration; ``docs/figures/x.json ARM FIGURE`` a figure of a stored run.
Source: the text of the files themselves.
"""

import ast
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from shop.settings import PREFIX, PROJECT_ROOT, Settings, variable

NGINX_TEMPLATE = PROJECT_ROOT / "deploy" / "nginx" / "nginx.conf.template"
FIELDS: Mapping[str, str] = MappingProxyType({variable(field): field for field in Settings.model_fields})
"""The field of each variable."""
OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.Pow: operator.pow,
    }
)
NGINX_UNITS: Mapping[str, float] = MappingProxyType({"ms": 0.001, "s": 1, "k": 1024, "m": 1024 * 1024})
"""Factors to seconds and bytes. ``m`` is a minute in nginx's times, and none of our times is in minutes."""
NGINX_NUMBER = re.compile(r"(\d+)(ms|s|k|m)?")


@dataclass(frozen=True, slots=True)
class OwnedValue:
    """A value, and what its owner says about it.

    Args:
        number: in the owner's unit; for nginx in seconds or bytes.
        reason: the owner's own words, on one line; may be empty.
    """

    number: float
    reason: str = ""


def is_setting(owner: str) -> bool:
    """Return whether the user sets the value."""
    return owner.startswith(PREFIX)


def read_owner(owner: str, settings: Settings) -> OwnedValue | None:
    """Return the value of a limit.

    Args:
        owner: see the module.
        settings: the values of the settings.

    Returns:
        ``None`` if this installation has no such file: the image of the containers has no documents and no nginx.

    Raises:
        LookupError: the file has no such name.
    """
    if is_setting(owner):
        field = FIELDS[owner]
        reason = (Settings.model_fields[field].description or "").replace("``", "`")
        return OwnedValue(float(getattr(settings, field)), " ".join(reason.split()))
    place, *names = owner.split()
    path = NGINX_TEMPLATE if place == "nginx" else PROJECT_ROOT / place
    if not path.is_file():
        return None
    if place == "nginx":
        return _nginx_value(path.read_text(encoding="utf-8"), *names)
    if path.suffix == ".json":
        return _stored_figure(path, *names)
    return _constant(path, *names)


def _nginx_value(text: str, block: str, directive: str) -> OwnedValue:
    """Return the last number of a directive, the first one after the start of a block; ``main`` is the whole file."""
    opening = re.search("" if block == "main" else rf"^ *{block}(?: \w+)? \{{$", text, re.MULTILINE)
    pattern = rf"^[^#\n]*?(?<![\w$]){re.escape(directive)}(?:=(\S+)|\s([^;\n]+);)[^#\n]*(?:# (.*))?$"
    found = opening and re.compile(pattern, re.MULTILINE).search(text, opening.start())
    number = found and NGINX_NUMBER.fullmatch((found[1] or found[2]).split()[-1])
    if not found or not number:
        raise LookupError(f"the edge's configuration has no number {directive} after {block}")
    return OwnedValue(int(number[1]) * NGINX_UNITS.get(number[2] or "", 1), found[3] or "")


def _stored_figure(path: Path, arm: str, figure: str) -> OwnedValue:
    run = json.loads(path.read_text(encoding="utf-8"))
    values = next(one for one in run["arms"] if one["name"] == arm)
    return OwnedValue(float(values["measures"][figure]))


def _constant(path: Path, name: str, key: str | None = None) -> OwnedValue:
    body = _module(path).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if name not in _targets(node) or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        value = node.value if key is None else _entry(node.value, key)
        return OwnedValue(_number(value, path), _text_below(following))
    raise LookupError(f"{path} has no {name}")


@lru_cache(maxsize=1)  # the rules name constants of one file together; a tree is large, and the supervisor stays
def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _targets(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text_below(node: ast.stmt | None) -> str:
    """Return the text that stands below an assignment and describes it."""
    text = node.value if isinstance(node, ast.Expr) else None
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return " ".join(text.value.replace("``", "`").split())
    return ""


def _entry(mapping: ast.expr, key: str) -> ast.expr:
    if isinstance(mapping, ast.Dict):
        for entry, value in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(entry, ast.Constant) and entry.value == key:
                return value
    raise LookupError(f"no {key} in the mapping")


def _number(node: ast.expr, path: Path) -> float:
    """Return the value of an expression of numbers, of texts with a number, and of constants of the same module."""
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return float(value)
        case ast.Name(id=name):
            return _constant(path, name).number
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            return OPERATORS[type(sign)](_number(left, path), _number(right, path))
    raise LookupError(f"{path}: {ast.unparse(node)} is no number")
