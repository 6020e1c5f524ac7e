"""What the reader does in an exercise: the table of ``exercise.toml`` that each kind has of its own.

A kind of exercise is a class here, and the file that the reader writes, if any.
"""

import re
from typing import Self

from pydantic import Field, model_validator

from shop.lab.strict_model import StrictModel

WORD = re.compile(r"[a-z][a-z0-9._-]*")
POINT_NAME = re.compile(r"[a-z][a-z0-9-]*")


class FindTask(StrictModel):
    """What the reader finds out on the running store, and answers in words."""

    case: str
    """Module of :mod:`shop.exercises.cases`."""
    question: str
    form: str
    """The form of the answer, as ``bin/shop exercise predict N`` shows it: ``LAYER REASON``."""
    places: tuple[tuple[str, ...], ...] = Field(min_length=1)
    """The words that are allowed at each place of the answer."""
    several: bool = False
    """Whether the only place may be filled several times, in any order."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        words = [word for place in self.places for word in place]
        if not all(map(WORD.fullmatch, words)) or not all(self.places):
            raise ValueError("places has lower-case words without blanks, and no empty list")
        if self.several and len(self.places) != 1:
            raise ValueError("an answer of several words in any order has one place")
        return self


class AuditPoint(StrictModel):
    """One question of the list with which the reader audits a program."""

    name: str = Field(pattern=POINT_NAME.pattern)
    asks: str
    weak: bool
    """Whether the program is weak here. A weak point has a probe of the same name."""
    file: str = ""
    """The file with the weakness."""
    function: str = ""
    """The function with the weakness."""

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.weak != bool(self.file and self.function):
            raise ValueError("a weak point has a file and a function, another has none")
        return self


class AuditTask(StrictModel):
    """The program that the reader audits and repairs."""

    patient: str = Field(pattern=r"^[a-z_]+$")
    """Folder beside the exercises' folders; its package has the same name."""
    probes: str
    """Module of :mod:`shop.exercises.probes`."""
    points: tuple[AuditPoint, ...] = Field(min_length=1)

    @property
    def weak_points(self) -> tuple[AuditPoint, ...]:
        """Return the points at which the program is weak."""
        return tuple(point for point in self.points if point.weak)


class DecidePoint(StrictModel):
    """One question that the reader answers in writing."""

    name: str = Field(pattern=POINT_NAME.pattern)
    asks: str
    least_words: int = Field(ge=1, le=200)
    choices: tuple[str, ...] = ()
    """The words of which the field ``Choice`` has one; without them, the point has no such field."""


class DecideFigure(StrictModel):
    """A number that the reader measures with a command, and that the check measures again."""

    name: str = Field(pattern=POINT_NAME.pattern)
    point: str
    """The point whose answer has the figure."""
    sql: str = ""
    """The query that measures it, as the reader runs it with ``bin/shop sql``."""
    header: str = ""
    """Path of the API whose ``Server-Timing`` header names the number of queries; ``{product}`` is a popular one."""
    unit: str
    tolerance: float = Field(ge=0)
    """How far the reader's number may be from the measured one, as a share of it."""

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if bool(self.sql) == bool(self.header):
            raise ValueError("a figure is measured by sql or from a header")
        return self


class DecideTask(StrictModel):
    """The decision that the reader defends in writing."""

    points: tuple[DecidePoint, ...] = Field(min_length=1)
    figures: tuple[DecideFigure, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        points = {point.name for point in self.points}
        if unknown := [figure.point for figure in self.figures if figure.point not in points]:
            raise ValueError(f"a figure names the point {unknown[0]}, which does not exist")
        return self
