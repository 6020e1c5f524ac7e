"""Read the rows of a CSV or JSON Lines file one at a time, with bounded memory."""

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
"""Bytes. A longer line is not a product; reading it whole could take all memory."""
DELIMITERS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}
FORMATS = (".csv", ".jsonl")
NumberedRow = tuple[int, Mapping[str, Any] | RefusedRow]
"""A line number, and the row's fields or the reason why it has none."""
TOO_LONG = "\x00too long\n"
"""Stands for a line that is longer than the limit. No valid row can contain a NUL character."""
_OTHER_ENCODING = "is not UTF-8: save the file in that encoding"
_TOO_LONG_REASON = f"the line is longer than {MAX_LINE:,} bytes"


def rows(path: Path, delimiter: str = ",") -> Iterator[NumberedRow]:
    """Read a CSV or JSON Lines file; the file's name gives the format.

    Args:
        path: ends in ``.csv`` or ``.jsonl``; UTF-8, with or without a byte order mark.
        delimiter: separates the fields of a CSV file.

    Raises:
        ConfigurationError: the file does not exist, its format is unknown, or its header is wrong.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{path} is neither .csv nor .jsonl.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        lines = _decoded_lines(file)
        if path.suffix.lower() == ".csv":
            yield from _csv_rows(path, lines, delimiter)
            return
        for number, line in enumerate(lines, start=1):
            if line == TOO_LONG:
                yield number, RefusedRow(_TOO_LONG_REASON)
            elif line.strip():
                yield number, _json_object(line)


def _decoded_lines(file: BinaryIO) -> Iterator[str]:
    """Yield lines. Bytes that are not UTF-8 become surrogates, which the check of the fields reports."""
    first = True
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE + 1)
            yield TOO_LONG
            continue
        yield line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
        first = False


def _csv_rows(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[NumberedRow]:
    reader = CsvRows(lines, delimiter, MAX_LINE)
    _, first = next(reader, (1, []))
    if isinstance(first, RefusedRow):
        raise ConfigurationError(f"{path}: the first line cannot be read: {first}.")
    header = [name.strip().lower() for name in first]
    _check_header(path, header, delimiter)
    for number, values in reader:
        if isinstance(values, RefusedRow):
            yield number, values
        elif not values:
            continue
        elif values[0].startswith(TOO_LONG.strip()):
            yield number, RefusedRow(_TOO_LONG_REASON)
        elif len(values) != len(header):
            many = reader.last_line > number
            hint = f", on lines {number} to {reader.last_line}: is a quote missing?" if many else ""
            yield number, RefusedRow(f"{len(values)} fields where the header has {len(header)}{hint}")
        else:
            yield number, dict(zip(header, values, strict=True))


def _json_object(line: str) -> Mapping[str, Any] | RefusedRow:
    try:
        fields = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        return RefusedRow(f"the line {_OTHER_ENCODING}" if _has_other_encoding(line) else f"not JSON: {error}")
    if not isinstance(fields, dict):
        return RefusedRow("not a JSON object")
    unknown = [name for name in fields if name not in COLUMNS]
    return RefusedRow(f"unknown field {unknown[0]!r}{_did_you_mean(unknown[0])}") if unknown else fields


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if header[:1] == [TOO_LONG.strip()]:
        raise ConfigurationError(f"{path}: the first line cannot be read: {_TOO_LONG_REASON}.")
    if _has_other_encoding("".join(header)):
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
            f"{path}: there is no column {unknown[0][:60]!r}{_did_you_mean(unknown[0])};"
            f" known are {', '.join(COLUMNS)}."
        )
    columns = {*header, "category"} if "category_slug" in header else set(header)
    missing = [name for name in REQUIRED if name not in columns]
    if missing and "slug" not in header:
        raise ConfigurationError(
            f"{path}: the first line does not name the column {missing[0]!r}: new products need {', '.join(REQUIRED)},"
            " known ones are named by the column 'slug'."
        )
    if len(set(header)) != len(header):
        raise ConfigurationError(f"{path}: the first line names a column twice.")


def _has_other_encoding(text: str) -> bool:
    """Return whether a text was not UTF-8. UTF-16 without a byte order mark decodes to a NUL for each letter."""
    return bool(UNDECODED.search(text)) or "\x00" in text


def _did_you_mean(name: str) -> str:
    matches = difflib.get_close_matches(name, COLUMNS, n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
