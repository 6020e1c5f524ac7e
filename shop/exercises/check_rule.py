"""One check of an exercise, as its file states it.

A plain dataclass: the process that runs an attempt starts ten times faster without the library that parses the file.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class CheckRule:
    """One check of an exercise.

    Args:
        name: lower-case words with hyphens.
        says: what must hold, as a sentence.
        threshold: the bound of the check; the check says of what.
        repetitions: how often it is done.
    """

    name: str
    says: str
    threshold: float = 0.0
    repetitions: int = 1

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
    """An unknown key is a mistake in the file."""
