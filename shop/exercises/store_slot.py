"""Offers the attempt of a build exercise to the running store, from the beginning of the exercise to its reset."""

from pathlib import Path

from shop.exercises.definition import ExerciseDefinition
from shop.exercises.in_store.seams import has_seam
from shop.switches.attempt_slots import AttemptSlot, AttemptSlots


def offer_attempt(definition: ExerciseDefinition, path: Path, var: Path) -> AttemptSlot | None:
    """Let the switch of an exercise take ``attempt``.

    Args:
        definition: the exercise.
        path: the reader's file.
        var: the state directory of the store.

    Returns:
        The slot; ``None`` if the attempt of this exercise cannot run in the store.
    """
    build = definition.build
    if build is None or not has_seam(definition.slug):
        return None
    slot = AttemptSlot(
        switch=build.switch,
        exercise=definition.name,
        file=str(path),
        defines=build.defines,
        interface=build.interface,
        processes=tuple(build.processes),
        call_limit_ms=build.call_limit_ms,
    )
    slots = AttemptSlots(var)
    if slots.load().get(slot.switch) != slot:
        slots.offer(slot)
    return slot


def withdraw_attempt(definition: ExerciseDefinition, var: Path) -> None:
    """Let the switch of an exercise take ``attempt`` no more; the store then runs its own code.

    Args:
        definition: the exercise.
        var: the state directory of the store.
    """
    if definition.build is not None:
        AttemptSlots(var).withdraw(definition.build.switch)
