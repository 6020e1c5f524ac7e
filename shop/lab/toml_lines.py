"""Finds the line of a key in a TOML text, for error messages: the standard parser does not tell it. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

KeyPath = tuple[str | int, ...]

_TABLE = re.compile(r"^\s*\[([\w.-]+)\]\s*(?:#.*)?$")
_ARRAY_TABLE = re.compile(r"^\s*\[\[([\w.-]+)\]\]\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([\w-]+)\s*=")
_MULTI_LINE_QUOTES = ('"""', "'''")


def find_line(text: str, path: Sequence[str | int]) -> int:
    """Return the line of a key, counted from 1; if the key is missing, the line of the table that lacks it.

    Args:
        text: TOML, with its keys on lines of their own.
        path: of the key; the index of a table in an array is a number.
    """
    lines = _key_lines(text)
    wanted = tuple(path)
    while wanted and wanted not in lines:
        wanted = wanted[:-1]
    return lines.get(wanted, 1)


def _key_lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    tables: Counter[str] = Counter()
    table: KeyPath = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if match := _ARRAY_TABLE.match(line):
            name = match[1]
            table = (*name.split("."), tables[name])
            tables[name] += 1
            lines[table] = number
            lines.setdefault(table[:-1], number)
        elif match := _TABLE.match(line):
            table = tuple(match[1].split("."))
            lines[table] = number
        elif match := _KEY.match(line):
            lines.setdefault((*table, match[1]), number)
        inside = next((quotes for quotes in _MULTI_LINE_QUOTES if line.count(quotes) % 2), "")
    return lines
