"""The table of a class: how far each learner is, and at which check an exercise stops them. Pure but for reading."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shop.errors import ConfigurationError
from shop.exercises.definition import CHAPTERS, ExerciseDefinition
from shop.exercises.exercise_list import Definitions, exercise_state
from shop.exercises.progress_export import ProgressExport, UnreadableExport, read_export


@dataclass(frozen=True)
class LearnerRow:
    """One learner.

    Args:
        name: as given; the name of the file if she gave none.
        file: name of the file.
        passed: number of passed exercises, by chapter.
        begun: labels of the exercises that are begun and not passed.
        checks: number of checks.
        hints: number of hints shown.
        gave_up: labels of the exercises whose solution was shown before a pass.
        last_pass: time of the newest pass; ``None`` if there is none.
    """

    name: str
    file: str
    passed: dict[str, int]
    begun: tuple[str, ...]
    checks: int
    hints: int
    gave_up: tuple[str, ...]
    last_pass: datetime | None


@dataclass(frozen=True)
class ExerciseRow:
    """One exercise, over all learners.

    Args:
        label: its number.
        slug: its slug.
        title: its title.
        passed: number of learners who passed it.
        begun: number of learners who have begun it and not passed it.
        gave_up: number of learners who saw the solution before a pass.
        stopped_at: the checks at which these learners stopped last, each with their number; the most frequent first.
    """

    label: str
    slug: str
    title: str
    passed: int
    begun: int
    gave_up: int
    stopped_at: dict[str, int]


@dataclass(frozen=True)
class ClassReport:
    """The table of a class.

    Args:
        learners: one row each, by name.
        exercises: one row for each exercise that somebody has begun.
        skipped: name of each file that could not be used, and why.
    """

    learners: tuple[LearnerRow, ...]
    exercises: tuple[ExerciseRow, ...]
    skipped: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the form of ``--json``."""
        return {
            "learners": [
                {**vars(row), "last_pass": row.last_pass.isoformat() if row.last_pass else None}
                for row in self.learners
            ],
            "exercises": [vars(row) for row in self.exercises],
            "skipped": self.skipped,
        }


def collect_class(definitions: Definitions, folder: Path) -> ClassReport:
    """Read the files of a class.

    Args:
        definitions: all exercises by slug.
        folder: has the file of each learner; other files, and folders, are skipped.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder: put the file of each learner into one.")
    exports: dict[str, ProgressExport] = {}
    skipped: dict[str, str] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        try:
            exports[path.name] = read_export(path)
        except UnreadableExport as error:
            skipped[path.name] = str(error)
    learners = [_learner_row(definitions, file, export) for file, export in exports.items()]
    learners.sort(key=lambda row: (row.name.casefold(), row.file))
    rows = _exercise_rows(definitions, list(exports.values()))
    return ClassReport(tuple(learners), tuple(rows), skipped)


def _learner_row(definitions: Definitions, file: str, export: ProgressExport) -> LearnerRow:
    known = {slug: progress for slug, progress in export.progress.exercises.items() if slug in definitions}
    states = {slug: exercise_state(progress) for slug, progress in known.items()}
    passed: Counter[str] = Counter(definitions[slug].chapter for slug, state in states.items() if state == "passed")
    passes = [progress.passed_at for progress in known.values() if progress.passed_at]
    return LearnerRow(
        name=export.name or file,
        file=file,
        passed={chapter: passed[chapter] for chapter in CHAPTERS},
        begun=_labels(definitions, (slug for slug, state in states.items() if state == "begun")),
        checks=sum(progress.checks for progress in known.values()),
        hints=sum(progress.hints for progress in known.values()),
        gave_up=_labels(definitions, (slug for slug, progress in known.items() if progress.gave_up)),
        last_pass=max(passes, default=None),
    )


def _labels(definitions: Definitions, slugs: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(definitions[slug].label for slug in slugs))


def _exercise_rows(definitions: Definitions, exports: Sequence[ProgressExport]) -> Iterator[ExerciseRow]:
    for slug, definition in definitions.items():
        if any(exercise_state(export.progress.exercises.get(slug)) != "open" for export in exports):
            yield _exercise_row(definition, exports)


def _exercise_row(definition: ExerciseDefinition, exports: Sequence[ProgressExport]) -> ExerciseRow:
    all_progress = [
        export.progress.exercises[definition.slug] for export in exports if definition.slug in export.progress.exercises
    ]
    unfinished = [progress for progress in all_progress if exercise_state(progress) == "begun"]
    stops = Counter(progress.failed_check for progress in unfinished if progress.failed_check)
    return ExerciseRow(
        label=definition.label,
        slug=definition.slug,
        title=definition.title,
        passed=sum(exercise_state(progress) == "passed" for progress in all_progress),
        begun=len(unfinished),
        gave_up=sum(progress.gave_up for progress in all_progress),
        stopped_at=dict(stops.most_common()),
    )
