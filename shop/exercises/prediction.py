"""Checks a prediction: measures the number on the running store and compares."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from shop.errors import ConfigurationError, ServiceUnavailable
from shop.exercises.definition import ExerciseDefinition, PredictTask
from shop.exercises.measurements import StoreMeasurement, load_measurement
from shop.exercises.verdict import CannotJudge, CheckVerdict, FailureReport
from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient
from shop.lab.unprotected_store import switches_of_measurement

ROUNDING = 1e-9


def parse_prediction(task: PredictTask, text: str) -> float:
    """Return the number that the reader typed.

    Args:
        task: states unit and range.
        text: a number, with or without a percent sign.

    Raises:
        ConfigurationError: it is no number, or outside the range.
    """
    question = f"{task.question} Give a number of {task.unit} from {task.lowest:g} to {task.highest:g}"
    try:
        value = float(text.strip().removesuffix("%").replace(",", "."))
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a number. {question}.") from None
    if not task.lowest <= value <= task.highest:
        raise ConfigurationError(f"{text} is out of range. {question}.")
    return value


def check_prediction(
    definition: ExerciseDefinition,
    prediction: float,
    store: StoreClient,
    lab_dir: Path,
    report: Callable[[str], None],
    show: Callable[[CheckVerdict], None] = lambda verdict: None,
) -> CheckVerdict:
    """Measure on the running store and judge the prediction; afterwards the store is as it was.

    Args:
        definition: the exercise, of kind predict.
        prediction: the reader's number.
        store: the running store.
        lab_dir: folder of the restore file, which experiments use, too: only one of them runs at a time.
        report: receives a sentence about a killed check or experiment that was restored, and one about the duration.
        show: receives the verdict as soon as the number is measured; restoring the store comes after it.

    Raises:
        ConfigurationError: another check or experiment is running, or a fault is set.
        ExperimentInterrupted: a signal stopped the check; the store has been restored.
    """
    assert definition.predict is not None  # noqa: S101 - the caller passes a predict exercise
    measurement, rule = load_measurement(definition.predict), definition.checks[0]
    verdict: CheckVerdict | None = None
    try:
        store.check_ready()
    except ConfigurationError as error:
        return CheckVerdict("could not judge", reason=str(error), prediction=prediction)
    try:
        _require_faults(store, measurement)
        restored = restore_afterwards(
            store,
            lab_dir,
            switches_of_measurement(measurement.switches),
            report,
            parameters=measurement.parameters,
            faults=measurement.faults,
            own_products=measurement.own_products,
        )
        with restored:
            report(f"Measuring takes about {measurement.seconds} seconds, longer on a busy machine.")
            measured = _measure(store, measurement, rule.repetitions)
            verdict = judge_prediction(definition, measurement, prediction, measured)
            show(verdict)
    except (CannotJudge, ServiceUnavailable) as error:
        if verdict is None:
            return CheckVerdict("could not judge", reason=str(error), prediction=prediction)
        report(f"The store is not restored yet ({error}): the next check or experiment does it.")
    return verdict


def judge_prediction(
    definition: ExerciseDefinition, measurement: StoreMeasurement, prediction: float, measured: float
) -> CheckVerdict:
    """Return the verdict on a prediction: it passes within the stated tolerance.

    Args:
        definition: states the tolerance and the unit.
        measurement: how it was measured.
        prediction: the reader's number.
        measured: the mean of the repetitions.
    """
    assert definition.predict is not None  # noqa: S101 - the caller passes a predict exercise
    rule, unit = definition.checks[0], definition.predict.unit
    if abs(prediction - measured) <= rule.threshold + ROUNDING:
        return CheckVerdict("passed", (rule.name,), prediction=prediction, measured=measured)
    times = f", {rule.repetitions} times (seeds 1 to {rule.repetitions})" if rule.repetitions > 1 else ""
    failure = FailureReport(
        rule.name,
        f"{measurement.did}{times}.",
        f"your prediction, {prediction:g} {unit}, give or take {rule.threshold:g}.",
        f"{round(measured, 1):g} {unit}.",
        measurement.look,
    )
    return CheckVerdict("not yet", (), failure, prediction=prediction, measured=measured)


def _require_faults(store: StoreClient, measurement: StoreMeasurement) -> None:
    """Require that the stack runs the servers that the measurement breaks.

    Raises:
        CannotJudge: it does not.
    """
    if missing := sorted(set(measurement.faults) - set(store.faults() if measurement.faults else ())):
        raise CannotJudge(
            f"This exercise breaks the {', '.join(missing)}, and the store's own stack does not run it: start the store"
            " with `bin/shop up`, without the address of that server in the settings."
        )


def _measure(store: StoreClient, measurement: StoreMeasurement, repetitions: int) -> float:
    for name, value in switches_of_measurement(measurement.switches).items():
        store.set_switch(name, value)
    for name, number in measurement.parameters.items():
        store.set_parameter(name, number)
    store.wait_applied()
    return fmean(measurement.measure(store, seed) for seed in range(1, repetitions + 1))
