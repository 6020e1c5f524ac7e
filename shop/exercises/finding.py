"""Sets up the case of a find exercise on the running store, checks the reader's answer, and restores the store."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shop.did_you_mean import did_you_mean
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.exercises.cases import ANSWER, CaseScene, StoreCase, load_case
from shop.exercises.definition import ExerciseDefinition
from shop.exercises.tasks import FindTask
from shop.exercises.verdict import CannotJudge, CheckVerdict
from shop.lab.lab_lock import claim_lab
from shop.lab.restore_file import read_holder, read_restore_file
from shop.lab.saved_state import restore_after_kill, restore_afterwards
from shop.lab.store_client import StoreClient

Report = Callable[[str], None]


def parse_answer(task: FindTask, text: str) -> str:
    """Return the reader's answer in its one form: its words in lower case, one blank between them.

    Args:
        task: states the words.
        text: as typed.

    Raises:
        ConfigurationError: there are too many or too few words, or an unknown one.
    """
    words = [word for word in re.split(r"[\s,;]+", text.lower()) if word]
    places = task.places * len(words) if task.several else task.places
    if len(words) != len(places) or not words:
        raise ConfigurationError(f"The answer has the form {task.form}. {_allowed(task)}")
    for word, place in zip(words, places, strict=True):
        if word not in place:
            near = did_you_mean(word, dict.fromkeys(place))
            near = near if near.endswith("?") else ""  # the choices follow in any case
            raise ConfigurationError(
                f"{word!r} is not one of the words.{near} The answer has the form {task.form}. {_allowed(task)}"
            )
    return " ".join([word for word in task.places[0] if word in words] if task.several else words)


def count_variants(task: FindTask) -> int:
    """Return how many variants the case has."""
    return len(load_case(task).variants)


def draw_variant(task: FindTask, drawn: Sequence[int] = ()) -> int:
    """Return the number of one of the case's variants, chosen at random among those that have not come yet.

    Args:
        task: names the case.
        drawn: the numbers that have come. After all of them, each may come again but the last one.
    """
    numbers = range(count_variants(task))
    left = [number for number in numbers if number not in drawn]
    return random.choice(left or [number for number in numbers if number != drawn[-1]])


def set_up_case(definition: ExerciseDefinition, variant: int, store: StoreClient, lab_dir: Path, report: Report) -> str:
    """Set up the case on the running store, and return the text that the reader is shown.

    Args:
        definition: the exercise, of kind find.
        variant: number of the variant.
        store: the running store.
        lab_dir: folder of the restore file.
        report: receives a sentence about an experiment or an exercise that was restored before.

    Raises:
        ConfigurationError: the store does not run, another experiment is running, or a fault is set.
        ServiceUnavailable: the store did not get into the situation.
        ExperimentInterrupted: a signal stopped the set-up; the store has been restored.
    """
    case = _load(definition)
    store.check_ready()
    scene = CaseScene(store, variant, case.draw_products())
    holder = definition.name if case.lasting else ""
    try:
        with _changed_store(case, scene, lab_dir, report, holder):
            return case.set_up(scene)
    except CannotJudge as error:
        raise ServiceUnavailable(f"The exercise could not be set up: {error} The store has been restored.") from None


def check_answer(
    definition: ExerciseDefinition, answer: str, variant: int, store: StoreClient, lab_dir: Path, report: Report
) -> CheckVerdict:
    """Check an answer. After a pass, the store is as it was before ``start``.

    Args:
        definition: the exercise, of kind find.
        answer: in the form of :func:`parse_answer`.
        variant: number of the variant that was set up.
        store: the running store.
        lab_dir: folder of the restore file.
        report: receives a sentence about an experiment or an exercise that was restored before, and one about the
            duration.

    Raises:
        ConfigurationError: another check or experiment is running, or a fault is set.
        ExperimentInterrupted: a signal stopped the check; the store has been restored.
    """
    case = _load(definition)
    duration = f"The check takes about {case.check_seconds} seconds, longer on a busy machine."
    try:
        store.check_ready()
    except ConfigurationError as error:
        return CheckVerdict("could not judge", reason=str(error), answer=answer)
    try:
        if case.lasting:
            with claim_lab(lab_dir):
                scene = _held_scene(definition, variant, store, lab_dir)
                report(duration)
                failure = case.judge(scene, answer)
                if failure is None:
                    restore_after_kill(store, lab_dir, lambda text: None)
        else:
            scene = CaseScene(store, variant, case.draw_products())
            with _changed_store(case, scene, lab_dir, report):
                report(duration)
                failure = case.judge(scene, answer)
    except (CannotJudge, ServiceUnavailable) as error:
        again = f"`bin/shop exercise start {definition.number}` sets it up again."
        return CheckVerdict("could not judge", reason=f"{error} {again}", answer=answer)
    if failure is not None:
        return CheckVerdict("not yet", (), failure, answer=answer)
    return CheckVerdict("passed", (ANSWER,), answer=answer)


def release_case(definition: ExerciseDefinition, store: StoreClient, lab_dir: Path) -> None:
    """Restore the store, if it is changed for this exercise.

    Args:
        definition: the exercise.
        store: the running store.
        lab_dir: folder of the restore file.

    Raises:
        ConfigurationError: the store does not run.
        ServiceUnavailable: the store does not answer.
    """
    if read_holder(lab_dir) == definition.name:
        store.check_ready()
        with claim_lab(lab_dir):
            restore_after_kill(store, lab_dir, lambda text: None)


@contextmanager
def _changed_store(
    case: StoreCase, scene: CaseScene, lab_dir: Path, report: Report, holder: str = ""
) -> Iterator[None]:
    """Set the switches of the situation; restore them afterwards, unless a holder needs them."""
    store, switches = scene.store, case.variants[scene.variant]
    with restore_afterwards(store, lab_dir, switches, report, own_products=scene.products, holder=holder):
        for name, value in switches.items():
            store.set_switch(name, value)
        store.wait_applied()
        yield


def _held_scene(definition: ExerciseDefinition, variant: int, store: StoreClient, lab_dir: Path) -> CaseScene:
    content = read_restore_file(lab_dir)
    holder = content.get("holder", "")
    if holder != definition.name or content["url"] != store.base_url:
        by = f"the store is now changed for exercise {holder}" if holder else "the store has been restored since"
        raise CannotJudge(f"The exercise is not set up: {by}.")
    return CaseScene(store, variant, tuple(content["kept"]["own_products"]))


def _load(definition: ExerciseDefinition) -> StoreCase:
    assert definition.find is not None  # noqa: S101 - the caller passes a find exercise
    return load_case(definition.find)


def _allowed(task: FindTask) -> str:
    lists = [", ".join(place) for place in task.places]
    if task.several:
        return f"Give one or more of these words, in any order: {lists[0]}."
    ordinals = ("The first word", "The second word", "The third word") if len(lists) > 1 else ("The word",)
    return " ".join(f"{ordinal} is one of: {words}." for ordinal, words in zip(ordinals, lists, strict=False))
