"""What the pages of the experiments show: experiments by chapter, who holds the lab, the history, and single runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from shop.errors import NotFound
from shop.lab.comparison import RunComparison, compare_runs
from shop.lab.experiment import CHAPTERS, LabExperiment, load_experiments
from shop.lab.headline import headline_figure, verdict_line
from shop.lab.lab_lock import LabHolder, find_holder
from shop.lab.next_steps import next_steps
from shop.lab.progress_file import LabProgress, read_progress
from shop.lab.report import figure_rows, render_report
from shop.lab.result import LATEST, read_result

SHOWN_RUNS = 30


@dataclass(frozen=True)
class RunEntry:
    """A run in the history.

    Args:
        name: of its folder.
        experiment: its name.
        title: of the experiment.
        verdict: its word.
        sentence: the verdict with the figure and how sure it is.
        figure: the figure alone; empty if it was not measured.
        started_at: its start.
    """

    name: str
    experiment: str
    title: str
    verdict: str
    sentence: str
    figure: str
    started_at: datetime


@dataclass(frozen=True)
class ExperimentEntry:
    """An experiment that can be run; ``latest`` is its newest run."""

    name: str
    title: str
    hypothesis: str
    seconds: int
    quick_seconds: int
    latest: RunEntry | None


@dataclass(frozen=True)
class LabOverview:
    """The content of the page."""

    chapters: Sequence[tuple[str, Sequence[ExperimentEntry]]]
    holder: LabHolder | None
    progress: LabProgress | None
    history: Sequence[RunEntry]


@dataclass(frozen=True)
class RunDetails:
    """One run: its entry, its result document, and its table of figures."""

    entry: RunEntry
    result: dict[str, Any]
    rows: Sequence[tuple[str, Sequence[str]]]
    steps: Sequence[str]
    before: RunEntry | None
    """The run of the same experiment before this one."""


@dataclass(frozen=True)
class ComparedRuns:
    """Two runs, and their figures side by side.

    Args:
        runs: the first and the second.
        comparison: of their results.
        history: all runs, for another choice.
    """

    runs: tuple[RunEntry, RunEntry]
    comparison: RunComparison
    history: Sequence[RunEntry]


def load_overview(folder: Path) -> LabOverview:
    """Return the content of the page.

    Args:
        folder: ``var/lab``.

    Raises:
        ConfigurationError: an experiment does not parse.
    """
    history = list_runs(folder)
    latest = {run.experiment: run for run in reversed(history)}
    chapters = [
        (title, [_describe(one, latest.get(one.name)) for one in _experiments().values() if one.chapter == chapter])
        for chapter, title in CHAPTERS.items()
    ]
    holder = find_holder(folder)
    return LabOverview(chapters, holder, read_progress(folder, holder), history[:SHOWN_RUNS])


def load_run(folder: Path, name: str) -> RunDetails:
    """Return one run.

    Args:
        folder: ``var/lab``.
        name: of the run's folder.

    Raises:
        NotFound: there is no such run.
    """
    runs = list_runs(folder)
    entry = _find(runs, name)
    older = (run for run in runs[runs.index(entry) + 1 :] if run.experiment == entry.experiment)
    result = read_result(folder / name)
    return RunDetails(entry, result, figure_rows(result), next_steps(result), next(older, None))


def render_run(folder: Path, name: str) -> str:
    """Return the report of one run, drawn from its stored figures as this release draws them.

    Args:
        folder: ``var/lab``.
        name: of the run's folder.

    Raises:
        NotFound: there is no such run.
    """
    return render_report(read_result(folder / _find(list_runs(folder), name).name))


def load_comparison(folder: Path, first: str, second: str) -> ComparedRuns:
    """Return two runs side by side.

    Args:
        folder: ``var/lab``.
        first: the name of a run's folder.
        second: of the other run.

    Raises:
        NotFound: there is no such run.
    """
    history = list_runs(folder)
    runs = (_find(history, first), _find(history, second))
    comparison = compare_runs(*(read_result(folder / run.name) for run in runs))
    return ComparedRuns(runs, comparison, history[:SHOWN_RUNS])


def list_runs(folder: Path) -> list[RunEntry]:
    """Return all runs, the newest first; a folder with a damaged result is left out."""
    homes = [path.parent for path in folder.glob("*/result.json") if path.parent.name != LATEST]
    runs = [run for home in homes if (run := _read_entry(home, (home / "result.json").stat().st_mtime_ns))]
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def _find(runs: Sequence[RunEntry], name: str) -> RunEntry:
    """Return the run of that name.

    Raises:
        NotFound: there is none.
    """
    for run in runs:
        if run.name == name:
            return run
    raise NotFound(f"There is no run {name!r}.")


@cache
def _experiments() -> dict[str, LabExperiment]:
    """Read the experiments once a process; a changed file is shown after the next start."""
    return load_experiments()


@cache
def _read_entry(home: Path, changed_ns: int) -> RunEntry | None:
    """Read a run once for each version of its file: a result has a hundred kilobytes."""
    try:
        result = read_result(home)
        return RunEntry(
            name=home.name,
            experiment=result["experiment"],
            title=result["title"],
            verdict=result["verdict"],
            sentence=verdict_line(result),
            figure=headline_figure(result),
            started_at=datetime.fromisoformat(result["started_at"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def _describe(experiment: LabExperiment, latest: RunEntry | None) -> ExperimentEntry:
    seconds, quick = (round(one.expected_seconds()) for one in (experiment, experiment.in_quick_form()))
    return ExperimentEntry(experiment.name, experiment.title, experiment.hypothesis, seconds, quick, latest)
