"""Reads a file in which the reader answers in writing: a heading ``## name`` for each point, and fields below it. Pure.

A field is a line ``Name: value``. The field ``Answer`` goes on to the next heading or field. Comments are left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from shop.did_you_mean import did_you_mean

ANSWER = "answer"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^## +(?P<name>\S+)\s*$")


class UnreadableAnswer(Exception):
    """The file does not have the form of its template.

    Args:
        line: number of the faulty line.
        came: what is there.
        look: what to do.
    """

    def __init__(self, line: int, came: str, look: str) -> None:
        super().__init__(came)
        self.line = line
        self.came = came
        self.look = look


@dataclass
class WrittenPoint:
    """The reader's answer to one point.

    Args:
        line: of its heading.
        fields: values by the lower-case name of the field.
    """

    line: int
    fields: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """Return the value of a field without outer blanks; empty if it is missing."""
        return self.fields.get(name, "").strip()


def read_points(text: str, points: Sequence[str], fields: Sequence[str]) -> dict[str, WrittenPoint]:
    """Return the reader's answer to each point.

    Args:
        text: content of the file.
        points: the names of all points.
        fields: the names of all fields, in lower case.

    Raises:
        UnreadableAnswer: a heading is unknown or occurs twice, or a point is missing.
    """
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    found: dict[str, WrittenPoint] = {}
    point, current = None, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADING.match(line):
            name, current = match["name"], ""
            if name not in points:
                near = did_you_mean(name, dict.fromkeys(points))
                raise UnreadableAnswer(number, f"the heading {line.strip()}.", f"There is no such point.{near}")
            if name in found:
                raise UnreadableAnswer(number, f"the heading {line.strip()} again.", "Give each point once.")
            point = found[name] = WrittenPoint(number)
        elif point is not None:
            name, colon, value = line.partition(":")
            if colon and name.strip().lower() in fields:
                current = name.strip().lower()
                point.fields[current] = value
            elif current == ANSWER:
                point.fields[current] += f"\n{line}"
    for name in points:
        if name not in found:
            raise UnreadableAnswer(1, f"no heading ## {name}.", "Each point of the template has its heading.")
    return found
