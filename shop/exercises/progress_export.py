"""The file that a learner hands in: progress and answers, without personal data but a name that she gives.

It has no path, no address and no host name. The answers are the text files that the learner wrote or changed in an
exercise; an untouched one is left out.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import from_json

from shop.errors import ConfigurationError
from shop.exercises.definition import EXERCISES, ExerciseDefinition
from shop.exercises.exercise_list import Definitions
from shop.exercises.progress import VERSION as PROGRESS_VERSION
from shop.exercises.progress import ExerciseProgress, ProgressDocument
from shop.lab.strict_model import StrictModel

FORMAT: Literal["shop-exercises"] = "shop-exercises"
VERSION = 1
"""Of the file's form. Raise it with each change, also for a new key. The progress in it has a version of its own."""
MAX_NAME_CHARS = 60
MAX_ANSWER_BYTES = 256 * 1024
"""An answer is written by hand; a larger file is data."""
MAX_FILE_BYTES = 32 * 1024 * 1024
LEFT_OUT = ("__pycache__", ".")
"""Folders and files that begin so are no answers."""


class ProgressExport(StrictModel):
    """The content of the file."""

    format: Literal["shop-exercises"] = FORMAT
    version: int = VERSION
    store: str
    """Release of the store that wrote it."""
    name: str = Field(default="", max_length=MAX_NAME_CHARS)
    """As the learner gave it; empty if she gave none."""
    exported_at: datetime
    progress: ProgressDocument
    answers: dict[str, dict[str, str]] = {}
    """By slug: the text of each file, by its name."""

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("it cannot be printed")
        return name


class UnreadableExport(Exception):
    """A file is not the progress of a learner."""


def validate_name(name: str) -> str:
    """Return a name as it is written, without blanks around it.

    Raises:
        ConfigurationError: it is too long, or cannot be printed.
    """
    name = name.strip()
    if len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise ConfigurationError(f"A name has at most {MAX_NAME_CHARS} characters, and no line break.")
    return name


def build_export(
    definitions: Definitions,
    progress: Mapping[str, ExerciseProgress],
    exercises_dir: Path,
    name: str,
    now: datetime,
) -> ProgressExport:
    """Return the progress and the answers of a learner.

    Args:
        definitions: all exercises by slug.
        progress: by slug.
        exercises_dir: has a folder for each begun exercise in which something is written.
        name: of the learner; may be empty.
        now: the time.
    """
    answers = {slug: _own_answers(one, exercises_dir / one.name) for slug, one in definitions.items()}
    return ProgressExport(
        store=metadata.version("shop"),
        name=validate_name(name),
        exported_at=now,
        progress=ProgressDocument(exercises=dict(progress)),
        answers={slug: files for slug, files in answers.items() if files},
    )


def _own_answers(definition: ExerciseDefinition, folder: Path) -> dict[str, str]:
    untouched = {definition.file: definition.page(definition.file)} if definition.file else {}
    if definition.audit is not None:
        patient = definition.audit.patient
        untouched |= {f"{patient}/{name}": text for name, text in read_answers(EXERCISES / patient).items()}
    return {name: text for name, text in read_answers(folder).items() if text != untouched.get(name)}


def read_answers(folder: Path) -> dict[str, str]:
    """Return the text files of a folder by their relative names; none if there is no such folder."""
    files = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        is_left_out = any(part.startswith(LEFT_OUT) for part in relative.parts)
        if is_left_out or path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_ANSWER_BYTES:
            continue
        try:
            files[relative.as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return files


def export_file_name(name: str) -> str:
    """Return the name of the file for a learner's name."""
    words = "-".join(re.findall(r"\w+", name.lower()))
    return f"{FORMAT}-{words}.json" if words else f"{FORMAT}.json"


def read_export(path: Path) -> ProgressExport:
    """Read the file of a learner.

    Raises:
        UnreadableExport: it is damaged, of another kind, or of a newer release; the message says which.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnreadableExport("it is too large for the progress of one learner")
        text = path.read_bytes()
    except OSError as error:
        raise UnreadableExport(f"it cannot be read ({error.strerror})") from None
    return _parse(text)


def _parse(text: bytes) -> ProgressExport:
    try:
        document = from_json(text)
    except ValueError:
        raise UnreadableExport("it is damaged: not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UnreadableExport("it is not from `bin/shop exercise export`")
    progress = document.get("progress")
    _refuse_newer(document, VERSION)
    _refuse_newer(progress if isinstance(progress, dict) else {}, PROGRESS_VERSION)
    try:
        return ProgressExport.model_validate(document)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise UnreadableExport(f"it is damaged: {field}") from None


def _refuse_newer(part: Mapping[str, object], known: int) -> None:
    version = part.get("version")
    if not isinstance(version, int):
        raise UnreadableExport("it is damaged: no version")
    if version > known:
        raise UnreadableExport(
            f"a newer release of the store wrote it (version {version}, this release reads {known}):"
            " upgrade this checkout"
        )
