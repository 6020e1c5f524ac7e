"""``bin/shop lab run all``: every experiment, one after the other, and one page about them."""

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from shop.cli import EXIT_FAILED
from shop.cli.lab_measure import end_interrupted, measure_experiment, warn
from shop.cli.lab_summary import print_summary
from shop.cli.output import emit
from shop.errors import ShopError
from shop.lab.experiment import LabExperiment
from shop.lab.headline import verdict_line
from shop.lab.lab_lock import claim_lab
from shop.lab.result import Result
from shop.lab.run_summary import COULD_NOT_RUN, NOT_RUN, RunSummary, SummaryRow, row_of
from shop.lab.saved_state import ExperimentInterrupted, interruptible
from shop.lab.store_client import StoreClient

SUCCESSFUL_VERDICTS = ("confirmed", "look")
"""Verdicts with exit code 0. A look makes no claim, so it cannot fail."""


def run_all(experiments: Sequence[LabExperiment], address: str, folder: Path, *, quick: bool, as_json: bool) -> None:
    """Run experiments one after the other, and print the page about them, also if a signal ends the command.

    Args:
        experiments: as they are to run; those that damage the books come last, since each audit would then take longer.
        address: of the running store.
        folder: ``var/lab``.
        quick: whether they are in their quick form.
        as_json: print the results as one JSON document, and nothing else.

    Raises:
        ConfigurationError: no store is ready, or another process holds the lab.
    """
    with closing(StoreClient(address)) as store:
        store.check_ready()
    ordered = sorted(experiments, key=lambda one: one.breaks_books)
    with claim_lab(folder):  # for all of them: another command between two would keep the next one from running
        run = _RunOfAll(ordered, address, folder, quiet=as_json)
        stop = run.measure()
    summary = RunSummary(run.rows(), run.started, (datetime.now(UTC) - run.started).total_seconds(), quick)
    path = summary.write(folder)
    if as_json:
        emit(run.results, "", as_json=True)
    else:
        print_summary(summary)
        click.echo(f"\nPage  {path}")
    if stop:
        end_interrupted(stop)
    if run.failed or any(result["verdict"] not in SUCCESSFUL_VERDICTS for result in run.results):
        sys.exit(EXIT_FAILED)


class _RunOfAll:
    """The experiments with what came out so far."""

    def __init__(self, experiments: Sequence[LabExperiment], address: str, folder: Path, *, quiet: bool) -> None:
        self._experiments, self._address, self._folder, self._quiet = experiments, address, folder, quiet
        self.started = datetime.now(UTC)
        self.results: list[Result] = []
        self.failed: list[SummaryRow] = []

    def measure(self) -> ExperimentInterrupted | None:
        """Run all; return the signal that ended them, if there was one."""
        self._say(f"{len(self._experiments)} experiments, about {self._minutes():.0f} min, longer on a busy machine.")
        try:
            with interruptible():  # also between two experiments
                for number, experiment in enumerate(self._experiments, start=1):
                    self._say(f"\n{number} of {len(self._experiments)}: {experiment.name}")
                    self._measure_one(experiment)
        except ExperimentInterrupted as stop:
            return stop
        return None

    def rows(self) -> list[SummaryRow]:
        """Return one row for each experiment."""
        rows = [*map(row_of, self.results), *self.failed]
        done = {row.experiment for row in rows}
        return rows + [SummaryRow(one.name, NOT_RUN) for one in self._experiments if one.name not in done]

    def _measure_one(self, experiment: LabExperiment) -> None:
        try:
            result, _ = measure_experiment(experiment, self._address, self._folder, quiet=self._quiet, claimed=True)
        except Exception as error:  # noqa: BLE001 - also a fault of its own must not cost the page of the others
            reason = str(error) if isinstance(error, ShopError) else f"a fault in the lab: {error!r}"
            self.failed.append(SummaryRow(experiment.name, COULD_NOT_RUN, sentence=reason))
            self._say(f"{COULD_NOT_RUN}: {reason}")
            return
        self.results.append(result)
        self._say(f"{result['verdict']}: {verdict_line(result)}")

    def _minutes(self) -> float:
        return sum(one.expected_seconds() for one in self._experiments) / 60

    def _say(self, text: str) -> None:
        if not self._quiet:
            warn(text)
