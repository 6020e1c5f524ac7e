"""The exercises beside the reader's progress: finds one, tells its state, advises the next. Pure."""

from collections.abc import Mapping
from typing import Literal

from shop.did_you_mean import did_you_mean
from shop.errors import ConfigurationError
from shop.exercises.definition import ExerciseDefinition
from shop.exercises.progress import ExerciseProgress

ExerciseState = Literal["passed", "begun", "open"]

Definitions = Mapping[str, ExerciseDefinition]
ProgressBySlug = Mapping[str, ExerciseProgress]


def find_exercise(definitions: Definitions, name: str) -> ExerciseDefinition:
    """Return an exercise by its number (``4`` or ``04``), slug or folder name.

    Args:
        definitions: all exercises by slug.
        name: as typed.

    Raises:
        ConfigurationError: there is no such exercise.
    """
    for definition in definitions.values():
        if name in (definition.slug, definition.name, definition.label, str(definition.number)):
            return definition
    known = {definition.name: definition for definition in definitions.values()}
    raise ConfigurationError(
        f"There is no exercise {name!r}.{did_you_mean(name, known)} `bin/shop exercise list` shows them."
    )


def exercise_state(progress: ExerciseProgress | None) -> ExerciseState:
    """Return how far the reader is in an exercise.

    Args:
        progress: ``None`` if there is none.
    """
    if progress is None or progress.begun_at is None:
        return "open"
    return "begun" if progress.passed_at is None else "passed"


def advise_next(definitions: Definitions, progress: ProgressBySlug) -> ExerciseDefinition | None:
    """Return the exercise to do next: a begun one, else the first whose prerequisites are passed, else the first.

    Args:
        definitions: all exercises by slug, in their order.
        progress: by slug.

    Returns:
        ``None`` if all are passed.
    """
    states = {slug: exercise_state(progress.get(slug)) for slug in definitions}
    left = [definition for slug, definition in definitions.items() if states[slug] != "passed"]
    begun = [definition for definition in left if states[definition.slug] == "begun"]
    ready = [one for one in left if all(states[slug] == "passed" for slug in one.prerequisites)]
    return next(iter([*begun, *ready, *left]), None)
