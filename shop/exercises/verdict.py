"""The three verdicts of a check, and what a failure tells."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

VerdictName = Literal["passed", "not yet", "could not judge"]

EXIT_CODES: dict[VerdictName, int] = {"passed": 0, "not yet": 1, "could not judge": 3}
"""2 stays wrong usage, as for every command."""


@dataclass(frozen=True)
class FailureReport:
    """The first failure of a check, in the words of the reader's code.

    Args:
        check: name of the check.
        did: what was done: the call or the request.
        expected: the outcome of a right answer.
        came: the outcome.
        look: where to look next.
    """

    check: str
    did: str
    expected: str
    came: str
    look: str


class AttemptFailed(Exception):
    """The attempt does not do what a check asks for.

    Args:
        report: what happened.
    """

    def __init__(self, report: FailureReport) -> None:
        super().__init__(report.came)
        self.report = report


class CannotJudge(Exception):
    """The check could not be carried out; nothing is known about the answer."""


@dataclass(frozen=True)
class PointComparison:
    """The reader's answer to one point beside the model answer, for the reader to compare.

    Args:
        name: of the point.
        asks: its question.
        own: the reader's answer.
        model: the model answer.
    """

    name: str
    asks: str
    own: str
    model: str


@dataclass(frozen=True)
class CheckVerdict:
    """The outcome of one check of an exercise.

    Args:
        verdict: the word.
        passed: the names of the checks that passed.
        failure: the first failure, if the word is "not yet".
        reason: why it could not be judged; otherwise empty.
        prediction: the number that the reader gave, for a predict exercise.
        measured: the measured number, for a predict exercise.
        answer: the reader's words, for a find exercise.
        output: what the attempt printed, shortened.
        comparison: for a decision that passed: the points, which the check has not judged.
        figures: what the live stage counted, a line each.
        ratio: of attempt and default in the live stage.
        following: the command that measures more, outside the verdict; empty if there is none.
    """

    verdict: VerdictName
    passed: tuple[str, ...] = ()
    failure: FailureReport | None = None
    reason: str = ""
    prediction: float | None = None
    measured: float | None = None
    answer: str = ""
    output: str = ""
    comparison: tuple[PointComparison, ...] = ()
    figures: tuple[str, ...] = ()
    ratio: float | None = None
    following: str = ""

    @property
    def exit_code(self) -> int:
        """Return the exit code of ``bin/shop exercise check``."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return the form of ``--json``."""
        return asdict(self)
