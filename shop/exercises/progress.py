"""The reader's progress, in ``var/exercises.json``."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.exercises.verdict import CheckVerdict
from shop.lab.strict_model import StrictModel

FILE_NAME = "exercises.json"
VERSION = 4
"""Of the file's form. Raise it with each change, also for a new key: an older release must not drop that key."""


class ExerciseProgress(StrictModel):
    """What the reader has done in one exercise."""

    begun_at: datetime | None = None
    passed_at: datetime | None = None
    """The first pass; a later failure does not undo it."""
    checks: int = 0
    hints: int = 0
    """The highest of the three hints that was shown."""
    hinted_check: str = ""
    """The check for which the first hint was shown last."""
    gave_up: bool = False
    prediction: float | None = None
    answer: str = ""
    """The reader's words, in a find exercise."""
    variant: int | None = None
    """Number of the situation that was drawn, in a find exercise; none after a pass, so that ``start`` draws again."""
    drawn: tuple[int, ...] = ()
    """Numbers of the situations that were drawn, in a find exercise, in this order; also after a reset, so that
    ``start`` draws each of them before one comes again."""
    failed_check: str = ""
    """The check at which the last attempt failed."""
    grader: str = ""
    """Version of the check that judged last."""

    def after_draw(self, variant: int, count: int) -> "ExerciseProgress":
        """Return the progress after a situation was drawn and set up.

        Args:
            variant: its number.
            count: how many situations there are.
        """
        earlier = self.drawn if len(self.drawn) < count else self.drawn[-1:]
        return self.with_changes(variant=variant, drawn=earlier if variant in earlier else (*earlier, variant))

    def after_reset(self) -> "ExerciseProgress":
        """Return the progress of an exercise that is begun again."""
        return ExerciseProgress(drawn=self.drawn)

    def after_check(self, verdict: CheckVerdict, now: datetime, grader: str) -> "ExerciseProgress":
        """Return the progress after a check; a check that could not judge changes nothing.

        Args:
            verdict: its outcome.
            now: when.
            grader: version of the check.
        """
        if verdict.verdict == "could not judge":
            return self
        failed = verdict.failure.check if verdict.failure else ""
        passed_at = self.passed_at or (now if verdict.verdict == "passed" else None)
        begun_at = self.begun_at or now
        return self.with_changes(
            begun_at=begun_at,
            passed_at=passed_at,
            checks=self.checks + 1,
            variant=None if verdict.verdict == "passed" else self.variant,
            failed_check=failed,
            grader=grader,
        )


class ProgressDocument(StrictModel):
    """The content of the file."""

    version: int = VERSION
    exercises: dict[str, ExerciseProgress] = {}
    """By the slug of the exercise, which stays when exercises are numbered again."""


class ProgressFile:
    """Reads and writes the progress. Two commands at once each keep the other's change.

    Args:
        var: the state directory; made if it is missing.
    """

    def __init__(self, var: Path) -> None:
        self.path = var / FILE_NAME

    def load(self) -> dict[str, ExerciseProgress]:
        """Return the progress by slug; empty if there is no file.

        Raises:
            ConfigurationError: the file cannot be read, or a newer release wrote it.
        """
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            version = document["version"]
            if version > VERSION:
                raise ConfigurationError(
                    f"{self.path} has version {version}, and this release reads version {VERSION}: a newer release of"
                    " the store wrote it. Upgrade this checkout, or set SHOP_VAR_DIR to another directory."
                )
            return dict(ProgressDocument.model_validate(document).exercises)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
            raise ConfigurationError(
                f"{self.path} cannot be read ({type(error).__name__}): move it away to begin again without progress."
            ) from None

    def of(self, slug: str) -> ExerciseProgress:
        """Return the progress of one exercise.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return self.load().get(slug, ExerciseProgress())

    def save(self, slug: str, progress: ExerciseProgress) -> None:
        """Replace the progress of one exercise.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        with self._locked():
            exercises = {**self.load(), slug: progress}
            document = ProgressDocument(exercises=exercises)
            atomic_write(self.path, document.model_dump_json(indent=1) + "\n", mode=0o644)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel, also after kill -9
            yield
