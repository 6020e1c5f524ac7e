"""Rows of a CSV file, some of whose quotes may not match.

Problem: a quoted field may hold line breaks (RFC 4180, 2.6), so after one quote too many a reader swallows good rows
until it meets the next quote, or its limit.
Method: when that ends badly, only the line the row began on is given up. What was swallowed is read again, each line as
the beginning of a row, if it can be one: the rest of a broken row has a quote in the middle of a field.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator

from shop.datasets.importing.entry import RefusedRow


class CsvRows:
    """Reads rows, each with the line it begins on.

    Args:
        lines: of the file, with their ends.
        delimiter: what separates the fields.
        longest: characters a row may have; a longer one is no row.
    """

    def __init__(self, lines: Iterator[str], delimiter: str, longest: int) -> None:
        csv.field_size_limit(2 * longest)  # not met: a row ends within a line of its own limit
        self._lines = _PushbackLines(lines, longest)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._beginning = _beginning(delimiter)

    def __iter__(self) -> Iterator[tuple[int, list[str] | RefusedRow]]:
        return self

    def __next__(self) -> tuple[int, list[str] | RefusedRow]:
        """Return the next row's fields, or why it has none."""
        begun = self._lines.begin()
        swallowed = self._lines.swallowed
        if swallowed is not None and not self._beginning.fullmatch(swallowed):
            next(self._lines)
            return begun, RefusedRow("the quotes do not match (a quote stands inside a field)")
        try:
            return begun, next(self._reader)
        except csv.Error as error:
            self._lines.give_back()
            return begun, RefusedRow(f"the quotes do not match ({error})")

    @property
    def line(self) -> int:
        """The line the last row ended on."""
        return self._lines.number


class _PushbackLines:
    """Lines that can be given back, to be taken again."""

    def __init__(self, lines: Iterator[str], longest: int) -> None:
        self._lines = lines
        self._longest = longest
        self._given_back: deque[str] = deque()
        self._taken: list[str] = []
        self._size = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > self._longest:
            raise csv.Error(f"the row would be longer than {self._longest:,} characters")
        line = self._given_back.popleft() if self._given_back else next(self._lines)
        self._taken.append(line)
        self._size += len(line)
        self.number += 1
        return line

    @property
    def swallowed(self) -> str | None:
        """The next line, if it was given back."""
        return self._given_back[0] if self._given_back else None

    def begin(self) -> int:
        """Begin a row; return the number of its first line."""
        self._taken.clear()
        self._size = 0
        return self.number + 1

    def give_back(self) -> None:
        """Give back every line of the row but its first."""
        self._given_back.extendleft(reversed(self._taken[1:]))
        self.number -= len(self._taken[1:])


def _beginning(delimiter: str) -> re.Pattern[str]:
    """Return what a line looks like with which a row begins: whole fields, the last of which may go on."""
    separated = re.escape(delimiter)
    inside = r'(?:[^"]|"")*+'
    field = rf'(?:"{inside}"|[^"{separated}]*+)'
    return re.compile(rf'(?:{field}{separated})*+(?:"{inside}"\s*|[^"{separated}]*+|"{inside})')
