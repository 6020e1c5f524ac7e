"""The map of the exercises with the reader's progress, as the page ``/lab/exercises`` shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from shop.exercises.definition import CHAPTERS, PAGE, ExerciseDefinition, load_definitions
from shop.exercises.exercise_list import Definitions, ExerciseState, ProgressBySlug, advise_next, exercise_state
from shop.exercises.grader_version import check_has_changed
from shop.exercises.progress import ExerciseProgress, ProgressFile
from shop.lab.restore_file import changed_at, read_holder
from shop.settings import PROJECT_ROOT


@dataclass(frozen=True)
class ExerciseOnMap:
    """One exercise.

    Args:
        label: its number.
        title: its title.
        page: path of its page in the checkout.
        kind: its kind.
        level: its level.
        minutes: about how long it takes.
        state: how far the reader is.
        command: the next command.
        notes: short remarks: exercises to do before, a check that has changed, a solution that was shown.
    """

    label: str
    title: str
    page: str
    kind: str
    level: str
    minutes: int
    state: ExerciseState
    command: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ChapterOnMap:
    """One chapter with its exercises."""

    name: str
    title: str
    exercises: Sequence[ExerciseOnMap]

    @property
    def passed(self) -> int:
        """Return the number of passed exercises."""
        return sum(one.state == "passed" for one in self.exercises)


@dataclass(frozen=True)
class StoreChange:
    """The store is changed for an exercise, for longer than a command runs.

    Args:
        label: number of the exercise.
        title: its title.
        since: when it was changed.
        command: puts the store back.
    """

    label: str
    title: str
    since: datetime
    command: str


@dataclass(frozen=True)
class ExerciseMap:
    """All chapters.

    Args:
        chapters: those with an exercise.
        advice: the exercise to do next; ``None`` if all are passed.
        change: for which exercise the store is changed now; ``None`` if for none.
    """

    chapters: Sequence[ChapterOnMap]
    advice: ExerciseOnMap | None
    change: StoreChange | None = None


def load_map(var: Path) -> ExerciseMap:
    """Return the map.

    Args:
        var: the state directory, with the reader's progress.

    Raises:
        ConfigurationError: this installation has no exercises, or the progress cannot be read.
    """
    definitions = load_definitions()
    return replace(build_map(definitions, ProgressFile(var).load()), change=find_change(definitions, var / "lab"))


def find_change(definitions: Definitions, folder: Path) -> StoreChange | None:
    """Return for which exercise the store is changed; ``None`` if for none, or if the restore file cannot be read.

    Args:
        definitions: all exercises by slug.
        folder: the folder of the restore file.
    """
    try:
        holder, since = read_holder(folder), changed_at(folder)
    except (OSError, ValueError):
        return None
    one = next((one for one in definitions.values() if one.name == holder), None)
    return StoreChange(one.label, one.title, since, f"bin/shop exercise reset {one.number}") if one and since else None


def build_map(definitions: Definitions, progress: ProgressBySlug) -> ExerciseMap:
    """Return the map of these exercises; a chapter without an exercise is left out."""
    shown = {slug: _show(one, definitions, progress.get(slug)) for slug, one in definitions.items()}
    chapters = [
        ChapterOnMap(name, title, [shown[slug] for slug, one in definitions.items() if one.chapter == name])
        for name, title in CHAPTERS.items()
    ]
    following = advise_next(definitions, progress)
    return ExerciseMap([one for one in chapters if one.exercises], shown[following.slug] if following else None)


def _show(one: ExerciseDefinition, definitions: Definitions, progress: ExerciseProgress | None) -> ExerciseOnMap:
    state = exercise_state(progress)
    verb = {"open": "start", "begun": "check", "passed": "solution"}[state]
    return ExerciseOnMap(
        label=one.label,
        title=one.title,
        page=str((one.folder / PAGE).relative_to(PROJECT_ROOT)),
        kind=one.kind,
        level=one.level,
        minutes=one.minutes,
        state=state,
        command=f"bin/shop exercise {verb} {one.number}",
        notes=tuple(_notes(one, definitions, progress)),
    )


def _notes(one: ExerciseDefinition, definitions: Definitions, progress: ExerciseProgress | None) -> list[str]:
    notes = []
    if one.prerequisites and exercise_state(progress) == "open":
        notes.append("after " + ", ".join(definitions[slug].label for slug in one.prerequisites))
    if check_has_changed(one, progress):
        notes.append("its check has changed since your last one")
    if progress is not None and progress.gave_up:
        notes.append("you have seen the solution")
    return notes
