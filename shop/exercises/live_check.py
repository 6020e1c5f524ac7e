"""Adds the live stage to the check of a build exercise whose behavioural checks have passed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from shop.errors import ConfigurationError, ServiceUnavailable
from shop.exercises.definition import ExerciseDefinition
from shop.exercises.live import load_comparison
from shop.exercises.live_judgement import LiveResult
from shop.exercises.live_stage import LivePlan, run_live_stage
from shop.exercises.verdict import AttemptFailed, CannotJudge, CheckVerdict
from shop.lab.store_client import StoreClient
from shop.switches.attempt_slots import content_version

NOT_JUDGED = "Your code passed every check of its behaviour; its live stage could not be judged. "


def check_live(
    definition: ExerciseDefinition,
    path: Path,
    behaviour: CheckVerdict,
    store: StoreClient,
    lab_dir: Path,
    report: Callable[[str], None],
) -> CheckVerdict:
    """Compare the attempt with the store's own code, and return the verdict of the whole check.

    Args:
        definition: the exercise, with a live stage.
        path: the reader's file.
        behaviour: the verdict of the behavioural checks, which passed.
        store: a client of the running store.
        lab_dir: folder of the restore file.
        report: receives a sentence when an arm begins, or when a killed check was restored.

    Raises:
        ConfigurationError: another check or experiment is running, or a fault is set.
        ExperimentInterrupted: a signal stopped the check; the store has been restored.
    """
    assert definition.live is not None  # noqa: S101 - the caller passes an exercise with a live stage
    assert definition.build is not None  # noqa: S101 - only a build exercise has one
    comparison, switch = load_comparison(definition.live), definition.build.switch
    try:
        store.check_ready()
    except ConfigurationError as error:
        return could_not_judge(behaviour, str(error))
    try:
        plan = LivePlan(comparison, switch, store.default_of(switch), version=content_version(path.read_bytes()))
        result = run_live_stage(plan, store, lab_dir, report)
    except AttemptFailed as failed:
        return replace(behaviour, verdict="not yet", failure=failed.report)
    except (CannotJudge, ServiceUnavailable) as error:
        return could_not_judge(behaviour, str(error))
    return add_result(behaviour, result, f"bin/shop lab run {comparison.experiment}" if comparison.experiment else "")


def could_not_judge(behaviour: CheckVerdict, reason: str) -> CheckVerdict:
    """Return the verdict if the live stage could not be judged.

    Args:
        behaviour: the verdict of the behavioural checks.
        reason: why.
    """
    return replace(behaviour, verdict="could not judge", reason=NOT_JUDGED + reason)


def add_result(behaviour: CheckVerdict, result: LiveResult, following: str) -> CheckVerdict:
    """Return the verdict of the whole check.

    Args:
        behaviour: the verdict of the behavioural checks.
        result: of the live stage.
        following: the command of the full experiment.
    """
    return replace(
        behaviour,
        verdict="not yet" if result.failure else "passed",
        passed=(*behaviour.passed, *result.passed),
        failure=result.failure,
        figures=() if result.failure else result.figures,
        ratio=result.ratio,
        following=following,
    )
