"""A pytest plugin of ``make test``: prints at the end how much of the time budget the run has used.

The whole run took five minutes on two quiet cores before the exercises; they may add three, and the
lab with its documentation one.
"""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

BUDGET_S = 9 * 60
LEFT_OUT = "long"
"""The marker of tests that only ``make test-long`` runs."""
_started_at = time.monotonic()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the time of the run beside the budget, and the time of each folder of tests."""
    took_s = time.monotonic() - _started_at
    reports = [report for group in terminalreporter.stats.values() for report in group if hasattr(report, "duration")]
    terminalreporter.section("time budget")
    for line in budget_lines(took_s, ((report.nodeid, report.duration) for report in reports)):
        terminalreporter.line(line)


def budget_lines(took_s: float, durations: Iterable[tuple[str, float]]) -> list[str]:
    """Return the lines to print.

    Args:
        took_s: duration of the run.
        durations: id of each test, and how long one of its phases took.
    """
    folders: Counter[str] = Counter()
    for node_id, seconds in durations:
        folders["/".join(PurePosixPath(node_id.partition("::")[0]).parts[:2])] += seconds
    left_s = BUDGET_S - took_s
    rest = f"{_minutes(left_s)} left" if left_s >= 0 else f"{_minutes(-left_s)} too long"
    shares = ", ".join(f"{folder} {_minutes(seconds)}" for folder, seconds in folders.most_common())
    return [
        f"{_minutes(took_s)} of {_minutes(BUDGET_S)} (for two quiet cores): {rest}",
        f"Added up over all processes: {shares or 'nothing'}",
        f"Tests marked `{LEFT_OUT}` are left out: make test-long",
    ]


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
