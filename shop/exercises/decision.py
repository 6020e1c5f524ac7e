"""Checks a decision in writing: that each point is answered, and that its figures agree with the running store.

It does not judge the reasons. After a pass, the reader compares them with the model answer, point by point.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from shop.exercises.definition import WHY, ExerciseDefinition
from shop.exercises.tasks import DecideFigure, DecidePoint, DecideTask
from shop.exercises.verdict import (
    AttemptFailed,
    CannotJudge,
    CheckVerdict,
    FailureReport,
    PointComparison,
)
from shop.exercises.written_answer import ANSWER, UnreadableAnswer, WrittenPoint, read_points

ANSWERS, FIGURES = "answers", "figures"
"""The checks, in their order."""
CHOICE = "choice"
SQL_TIMEOUT_S = 30.0
ROUNDING = 1e-9
_WORD = re.compile(r"\w[\w'’-]*")

MeasureHeader = Callable[[str], float]
"""Returns the number of queries that the response to a path of the API names. Raises ``CannotJudge``."""


def check_decision(definition: ExerciseDefinition, path: Path, measure_header: MeasureHeader) -> CheckVerdict:
    """Check the reader's file, and stop at the first failure.

    Args:
        definition: the exercise, of kind decide.
        path: the reader's file.
        measure_header: measures a figure on the running store.
    """
    task = _task(definition)
    passed: tuple[str, ...] = ()
    try:
        written = check_answers(task, path)
        passed = (ANSWERS,)
        for figure in task.figures:
            check_figure(figure, written[figure.point][figure.name], path, measure_header)
    except AttemptFailed as failed:
        return CheckVerdict("not yet", passed, failed.report)
    except CannotJudge as error:
        return CheckVerdict("could not judge", passed, reason=str(error))
    return CheckVerdict("passed", (ANSWERS, FIGURES), comparison=compare_points(definition, written))


def check_answers(task: DecideTask, path: Path) -> Mapping[str, WrittenPoint]:
    """Return the reader's points, each of which is answered.

    Args:
        task: has the points.
        path: the reader's file.

    Raises:
        AttemptFailed: a point is missing, too short, or has no valid choice.
    """
    did = f"The check read {path}."
    fields = (CHOICE, ANSWER, *(figure.name for figure in task.figures))
    try:
        written = read_points(path.read_text(encoding="utf-8"), [point.name for point in task.points], fields)
    except UnreadableAnswer as error:
        look = f"{path}:{error.line}: {error.look}"
        raise AttemptFailed(FailureReport(ANSWERS, did, "the headings of the template.", error.came, look)) from None
    except UnicodeDecodeError:
        report = FailureReport(ANSWERS, did, "text in UTF-8.", "other bytes.", "Store the file as UTF-8.")
        raise AttemptFailed(report) from None
    for point in task.points:
        _check_point(point, written[point.name], did, path)
    return written


def check_figure(figure: DecideFigure, text: str, path: Path, measure_header: MeasureHeader) -> None:
    """Compare a figure of the reader with the store's own.

    Args:
        figure: says how it is measured.
        text: as the reader wrote it.
        path: the reader's file.
        measure_header: measures a figure from a header.

    Raises:
        AttemptFailed: it is no number, or too far from the measured one.
        CannotJudge: it cannot be measured.
    """
    look = f"{path}: the line `{figure.name}:` below ## {figure.point}. The page has the command."
    match = re.match(r"-?[\d ]*\.?\d+", text.replace(",", "").strip())
    if match is None:
        did, came = f"The check read {figure.name}.", f"{text!r}." if text else "nothing."
        raise AttemptFailed(FailureReport(FIGURES, did, f"a number of {figure.unit}.", came, look))
    given = float(match[0].replace(" ", ""))
    measured = measure_header(figure.header) if figure.header else measure_sql(figure.sql)
    if abs(given - measured) > abs(measured) * figure.tolerance + ROUNDING:
        how = f"GET {figure.header}" if figure.header else figure.sql
        did = f"The check measured {figure.name} on your store: {how}"
        within = f", give or take {100 * figure.tolerance:g} %" if figure.tolerance else ""
        came = f"{measured:g} {figure.unit}."
        raise AttemptFailed(FailureReport(FIGURES, did, f"your figure, {given:g} {figure.unit}{within}.", came, look))


def measure_sql(query: str) -> float:
    """Return the number that a query of the store's database returns, asked with ``bin/shop sql``.

    Args:
        query: returns one number.

    Raises:
        CannotJudge: the database does not answer.
    """
    command = [sys.executable, "-m", "shop.cli", "sql", "--no-psqlrc", "--tuples-only", "--no-align", "-c", query]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SQL_TIMEOUT_S)
        return float(done.stdout)
    except subprocess.TimeoutExpired:
        raise CannotJudge(f"`bin/shop sql` did not answer within {SQL_TIMEOUT_S:g} s.") from None
    except ValueError:
        raise CannotJudge(f"`bin/shop sql` did not answer: {(done.stderr or done.stdout).strip()[:300]}") from None


def compare_points(definition: ExerciseDefinition, written: Mapping[str, WrittenPoint]) -> tuple[PointComparison, ...]:
    """Return the reader's answer and the model answer to each point.

    Args:
        definition: the exercise; the model answer is in ``why.md``, under headings with the names of the points.
        written: the reader's points.
    """
    models = model_answers(definition)
    return tuple(
        PointComparison(point.name, point.asks, _own_words(written[point.name]), models[point.name])
        for point in _task(definition).points
    )


def model_answers(definition: ExerciseDefinition) -> dict[str, str]:
    """Return the model answer to each point.

    Args:
        definition: the exercise.
    """
    sections = re.split(r"^## +(.*)$", definition.page(WHY), flags=re.MULTILINE)
    texts = {title.strip(): text.strip() for title, text in zip(sections[1::2], sections[2::2], strict=True)}
    return {point.name: texts[point.name] for point in _task(definition).points}


def _check_point(point: DecidePoint, written: WrittenPoint, did: str, path: Path) -> None:
    look = f"{path}:{written.line}: {point.asks}"
    if point.choices and written[CHOICE].lower() not in point.choices:
        expected = f"Choice: {' or '.join(point.choices)}, for ## {point.name}."
        came = f"Choice: {written[CHOICE]}".rstrip() + "."
        raise AttemptFailed(FailureReport(ANSWERS, did, expected, came, look))
    words = len(_WORD.findall(written[ANSWER]))
    if words < point.least_words:
        expected = f"an answer of at least {point.least_words} words to ## {point.name}."
        raise AttemptFailed(FailureReport(ANSWERS, did, expected, f"{words} words.", look))


def _own_words(written: WrittenPoint) -> str:
    choice = f"Choice: {written[CHOICE]}\n" if written[CHOICE] else ""
    return choice + " ".join(written[ANSWER].split())


def _task(definition: ExerciseDefinition) -> DecideTask:
    assert definition.decide is not None  # noqa: S101 - the caller passes a decision
    return definition.decide
