"""Two runs side by side: of the same experiment, for example before and after a change of the code."""

from collections.abc import Sequence
from dataclasses import dataclass

from shop.lab.headline import verdict_line
from shop.lab.report import figure_rows
from shop.lab.result import Result

ROW = tuple[str, str, str]


@dataclass(frozen=True)
class RunComparison:
    """Two runs side by side.

    Args:
        verdicts: the sentence of each run.
        arms: for each arm that both runs have, its title and its rows: label, and the figure of each run.
        warnings: why the runs are hard to compare.
    """

    verdicts: tuple[str, str]
    arms: Sequence[tuple[str, Sequence[ROW]]]
    warnings: Sequence[str]


def compare_runs(first: Result, second: Result) -> RunComparison:
    """Compare two runs, arm by arm.

    Args:
        first: the earlier run.
        second: the later run.
    """
    rows = [dict(figure_rows(result)) for result in (first, second)]
    names = [[arm["name"] for arm in result["arms"]] for result in (first, second)]
    arms = [
        (arm["title"], _arm_rows(rows[0], rows[1], position, names[1].index(arm["name"])))
        for position, arm in enumerate(first["arms"])
        if arm["name"] in names[1]
    ]
    verdicts = tuple(f"{result['verdict']}: {verdict_line(result)}" for result in (first, second))
    return RunComparison((verdicts[0], verdicts[1]), arms, list(_warnings(first, second)))


def _arm_rows(first: dict[str, list[str]], second: dict[str, list[str]], at: int, other_at: int) -> list[ROW]:
    labels = dict.fromkeys((*first, *second))
    cells = [
        (label, first[label][at] if label in first else "", second[label][other_at] if label in second else "")
        for label in labels
    ]
    return [row for row in cells if row[1] or row[2]]


def _warnings(first: Result, second: Result) -> Sequence[str]:
    warnings = []
    if first["experiment"] != second["experiment"]:
        warnings.append("These are two experiments: only arms of the same name stand side by side.")
    known = first["machine"].keys() & second["machine"].keys()  # an older result has fewer
    if any(first["machine"][name] != second["machine"][name] for name in known):
        warnings.append("The runs were measured on different machines or systems.")
    if first.get("form", "full") != second.get("form", "full"):
        warnings.append("One run is quick, and the other is not.")
    if first["runs"] != second["runs"]:
        warnings.append(f"The arms were measured {first['runs']} and {second['runs']} times.")
    return warnings
