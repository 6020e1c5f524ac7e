"""Rows of a CSV file that may contain unmatched quotes.

Problem: a quoted field may hold line breaks (RFC 4180, 2.6). After an unmatched quote a reader consumes good rows until
the next quote, or until its limit.
Method: if the row cannot be parsed, only its first line is refused. The reader pushes the other consumed lines back and
parses each as the beginning of a row, if it can be one: the rest of a broken row has a quote in the middle of a field.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator

from shop.datasets.importing.entry import RefusedRow


class CsvRows:
    """Reads rows, each with the number of its first line.

    Args:
        lines: the lines of the file, with their line breaks.
        delimiter: separates the fields.
        max_length: characters of a row; a longer row is refused.
    """

    def __init__(self, lines: Iterator[str], delimiter: str, max_length: int) -> None:
        csv.field_size_limit(2 * max_length)  # never reached: a row ends within a line of its own limit
        self._lines = _PushbackLines(lines, max_length)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._row_start = _row_start(delimiter)

    def __iter__(self) -> Iterator[tuple[int, list[str] | RefusedRow]]:
        return self

    def __next__(self) -> tuple[int, list[str] | RefusedRow]:
        """Return the next row's fields, or the reason why it has none."""
        first_line = self._lines.begin_row()
        pushed_back = self._lines.next_pushed_back
        if pushed_back is not None and not self._row_start.fullmatch(pushed_back):
            next(self._lines)
            return first_line, RefusedRow("the quotes do not match (a quote stands inside a field)")
        try:
            return first_line, next(self._reader)
        except csv.Error as error:
            self._lines.push_back()
            return first_line, RefusedRow(f"the quotes do not match ({error})")

    @property
    def last_line(self) -> int:
        """The number of the last row's last line."""
        return self._lines.number


class _PushbackLines:
    """An iterator of lines that can be pushed back and read again."""

    def __init__(self, lines: Iterator[str], max_length: int) -> None:
        self._lines = lines
        self._max_length = max_length
        self._pushed_back: deque[str] = deque()
        self._row: list[str] = []
        self._row_length = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._row_length > self._max_length:
            raise csv.Error(f"the row would be longer than {self._max_length:,} characters")
        line = self._pushed_back.popleft() if self._pushed_back else next(self._lines)
        self._row.append(line)
        self._row_length += len(line)
        self.number += 1
        return line

    @property
    def next_pushed_back(self) -> str | None:
        """The next line, if it was pushed back."""
        return self._pushed_back[0] if self._pushed_back else None

    def begin_row(self) -> int:
        """Begin a row; return the number of its first line."""
        self._row.clear()
        self._row_length = 0
        return self.number + 1

    def push_back(self) -> None:
        """Push back every line of the row except its first."""
        self._pushed_back.extendleft(reversed(self._row[1:]))
        self.number -= len(self._row[1:])


def _row_start(delimiter: str) -> re.Pattern[str]:
    """Return the pattern of a row's first line: complete fields, of which the last may continue on the next line."""
    separated = re.escape(delimiter)
    inside = r'(?:[^"]|"")*+'
    field = rf'(?:"{inside}"|[^"{separated}]*+)'
    return re.compile(rf'(?:{field}{separated})*+(?:"{inside}"\s*|[^"{separated}]*+|"{inside})')
