"""What ``bin/shop exercise`` does with the running store for exercises whose answer is found or measured there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from shop.cli import SIGNAL_EXIT
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.exercises.decision import check_decision
from shop.exercises.definition import ExerciseDefinition
from shop.exercises.finding import check_answer, draw_variant, release_case, set_up_case
from shop.exercises.live_check import check_live, could_not_judge
from shop.exercises.progress import ExerciseProgress
from shop.exercises.query_count import count_queries
from shop.exercises.verdict import CannotJudge, CheckVerdict
from shop.lab.saved_state import ExperimentInterrupted
from shop.lab.store_client import StoreClient
from shop.settings import load_settings
from shop.stack.endpoints import web_url


@contextmanager
def running_store(url: str | None) -> Iterator[tuple[StoreClient, Path]]:
    """Yield a client of the running store, and the folder of the restore file; an interrupted block ends the command.

    Args:
        url: address of the store; ``None`` for the running stack.

    Raises:
        ConfigurationError: the stack does not run.
    """
    settings = load_settings()
    store = StoreClient(url or web_url(settings))
    try:
        yield store, settings.var_dir / "lab"
    except ExperimentInterrupted as stop:
        click.echo("shop: interrupted; all switches have their earlier values.", err=True)
        sys.exit(SIGNAL_EXIT + stop.number)
    finally:
        store.close()


def begin_case(definition: ExerciseDefinition, progress: ExerciseProgress, url: str | None) -> tuple[int, str]:
    """Set up the case of a find exercise; return the number of its variant, and the text for the reader.

    Args:
        definition: the exercise, of kind find.
        progress: has the variant that was drawn before; until a pass, another ``start`` sets up the same one.
        url: address of the store; ``None`` for the running stack.

    Raises:
        ConfigurationError: the store does not run, or another experiment is running.
        ServiceUnavailable: the case could not be set up; the store has been restored.
    """
    assert definition.find is not None  # noqa: S101 - the caller passes a find exercise
    variant = draw_variant(definition.find, progress.drawn) if progress.variant is None else progress.variant
    with running_store(url) as (store, lab_dir):
        return variant, set_up_case(definition, variant, store, lab_dir, _report)


def check_case(definition: ExerciseDefinition, progress: ExerciseProgress, url: str | None) -> CheckVerdict:
    """Check the answer to a find exercise.

    Args:
        definition: the exercise, of kind find.
        progress: has variant and answer.
        url: address of the store; ``None`` for the running stack.

    Raises:
        ConfigurationError: there is no answer yet, or another experiment is running.
    """
    assert definition.find is not None  # noqa: S101 - the caller passes a find exercise
    number = definition.number
    if progress.variant is None:
        state = "passed; the next start draws another case" if progress.passed_at else "not set up yet"
        raise ConfigurationError(f"Exercise {definition.label} is {state}: bin/shop exercise start {number}")
    if not progress.answer:
        raise ConfigurationError(f"Give your answer first: bin/shop exercise predict {number} {definition.find.form}")
    try:
        address = url or web_url(load_settings())
    except ConfigurationError as error:
        return CheckVerdict("could not judge", reason=str(error), answer=progress.answer)
    with running_store(address) as (store, lab_dir):
        return check_answer(definition, progress.answer, progress.variant, store, lab_dir, _report)


def check_written(definition: ExerciseDefinition, path: Path, url: str | None) -> CheckVerdict:
    """Check a decision in writing.

    Args:
        definition: the exercise, of kind decide.
        path: the reader's file.
        url: address of the store; ``None`` for the running stack.
    """

    def measure_header(path: str) -> float:
        try:
            with running_store(url) as (store, _):
                store.check_ready()
                return count_queries(store, path)
        except (ConfigurationError, ServiceUnavailable) as error:
            raise CannotJudge(str(error)) from None

    return check_decision(definition, path, measure_header)


def compare_live(definition: ExerciseDefinition, path: Path, behaviour: CheckVerdict, url: str | None) -> CheckVerdict:
    """Add the live stage to a check whose behavioural checks have passed.

    Args:
        definition: the exercise, with a live stage.
        path: the reader's file.
        behaviour: the verdict of the behavioural checks.
        url: address of the store; ``None`` for the running stack.

    Raises:
        ConfigurationError: another check or experiment is running, or a fault is set.
    """
    try:
        address = url or web_url(load_settings())
    except ConfigurationError as error:
        return could_not_judge(behaviour, str(error))
    with running_store(address) as (store, lab_dir):
        return check_live(definition, path, behaviour, store, lab_dir, _report)


def end_case(definition: ExerciseDefinition, url: str | None) -> None:
    """Restore the store, if it is changed for this exercise.

    Args:
        definition: the exercise.
        url: address of the store; ``None`` for the running stack.

    Raises:
        ConfigurationError: the store does not run.
        ServiceUnavailable: the store does not answer.
    """
    with running_store(url) as (store, lab_dir):
        release_case(definition, store, lab_dir)


def _report(text: str) -> None:
    click.echo(text, err=True)
