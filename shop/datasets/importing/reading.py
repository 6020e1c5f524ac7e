"""Rows of a file, one at a time, however large the file is."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from shop.datasets.importing.csv_rows import CsvRows
from shop.datasets.importing.entry import COLUMNS, REQUIRED, UNDECODED, RefusedRow
from shop.errors import ConfigurationError

MAX_LINE = 262_144
"""Bytes. A longer line is no product; reading it whole would let a broken file take all memory."""
DELIMITERS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}
FORMATS = (".csv", ".jsonl")
Found = tuple[int, Mapping[str, Any] | RefusedRow]
"""A line number, and its fields or why it has none."""


def rows(path: Path, delimiter: str = ",") -> Iterator[Found]:
    """Read a file of either format, by its name.

    Args:
        path: ends in ``.csv`` or ``.jsonl``; UTF-8, with or without a byte order mark.
        delimiter: what separates the fields of a CSV file.

    Raises:
        ConfigurationError: there is no such file, it is of no known format, or its header is wrong.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{path} is neither .csv nor .jsonl.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        lines = _lines(file)
        yield from _csv_rows(path, lines, delimiter) if path.suffix.lower() == ".csv" else _jsonl_rows(lines)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield lines; bytes that are not UTF-8 become surrogates, which the check of the fields then names."""
    first = True
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE + 1)
            yield TOO_LONG
            continue
        yield line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
        first = False


TOO_LONG = "\x00too long\n"
"""Stands for a line that was not kept: no field may contain the character, so nobody's row looks like it."""
_OTHER_ENCODING = "is not UTF-8: save the file in that encoding"
_TOO_LONG_REASON = f"the line is longer than {MAX_LINE:,} bytes"


def _csv_rows(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[Found]:
    found = CsvRows(lines, delimiter, MAX_LINE)
    _, first = next(found, (1, []))
    if isinstance(first, RefusedRow):
        raise ConfigurationError(f"{path}: the first line cannot be read: {first}.")
    header = [name.strip().lower() for name in first]
    _check_header(path, header, delimiter)
    for begun, values in found:
        if isinstance(values, RefusedRow):
            yield begun, values
        elif values:
            yield begun, _fields(header, values, begun, found.line)


def _fields(header: Sequence[str], values: Sequence[str], begun: int, ended: int) -> Mapping[str, Any] | RefusedRow:
    if values[0].startswith(TOO_LONG.strip()):
        return RefusedRow(_TOO_LONG_REASON)
    if len(values) != len(header):
        where = f", on lines {begun} to {ended}: is a quote missing?" if ended > begun else ""
        return RefusedRow(f"{len(values)} fields where the header has {len(header)}{where}")
    return dict(zip(header, values, strict=True))


def _jsonl_rows(lines: Iterator[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if line == TOO_LONG:
            yield number, RefusedRow(_TOO_LONG_REASON)
        elif line.strip():
            yield number, _object(line)


def _object(line: str) -> Mapping[str, Any] | RefusedRow:
    try:
        found = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        return RefusedRow(f"the line {_OTHER_ENCODING}" if _of_other_encoding(line) else f"not JSON: {error}")
    if not isinstance(found, dict):
        return RefusedRow("not a JSON object")
    unknown = [name for name in found if name not in COLUMNS]
    return RefusedRow(f"unknown field {unknown[0]!r}{_nearest(unknown[0])}") if unknown else found


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if header[:1] == [TOO_LONG.strip()]:
        raise ConfigurationError(f"{path}: the first line cannot be read: {_TOO_LONG_REASON}.")
    if _of_other_encoding("".join(header)):
        raise ConfigurationError(f"{path} {_OTHER_ENCODING}.")
    if not any(header):
        raise ConfigurationError(f"{path} is empty: its first line must name the columns {', '.join(COLUMNS)}.")
    if len(header) == 1:
        for other, name in DELIMITERS.items():
            if other != delimiter and other in header[0]:
                raise ConfigurationError(f"{path} seems to be separated by {name}: add --delimiter {other!r}.")
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        raise ConfigurationError(
            f"{path}: there is no column {unknown[0][:60]!r}{_nearest(unknown[0])}; known are {', '.join(COLUMNS)}."
        )
    named = {*header, "category"} if "category_slug" in header else set(header)
    missing = [name for name in REQUIRED if name not in named]
    if missing and "slug" not in header:
        raise ConfigurationError(
            f"{path}: the first line does not name the column {missing[0]!r}: new products need {', '.join(REQUIRED)},"
            " known ones are named by the column 'slug'."
        )
    if len(set(header)) != len(header):
        raise ConfigurationError(f"{path}: the first line names a column twice.")


def _of_other_encoding(text: str) -> bool:
    """Tell whether something was not written as UTF-8; that of UTF-16 without a mark is read as one NUL a letter."""
    return bool(UNDECODED.search(text)) or "\x00" in text


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, COLUMNS, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
