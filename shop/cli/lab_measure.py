"""Runs one experiment for a command: progress in the terminal, result and report in a folder of their own."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from shop.cli import SIGNAL_EXIT
from shop.cli.lab_progress import BothWatchers, ExperimentBar, PhaseLines, SilentWatcher
from shop.errors import ConfigurationError
from shop.lab.broken_books import record_new_mismatches
from shop.lab.drivers.auditor import AuditorProcess, BooksAuditor
from shop.lab.drivers.driver_context import STAYING_START_S
from shop.lab.experiment import LabExperiment
from shop.lab.load import GeneratorProcess
from shop.lab.progress_file import show_progress
from shop.lab.report import write_report
from shop.lab.result import Result, build_result, save_result
from shop.lab.runner import ExperimentRunner, RunRecord
from shop.lab.saved_state import ExperimentInterrupted, restore_afterwards
from shop.lab.store_client import StoreClient
from shop.switches.parameters import WEB_PROCESSES


def measure_experiment(
    experiment: LabExperiment, address: str, folder: Path, *, quiet: bool, claimed: bool = False
) -> tuple[Result, Path]:
    """Run an experiment, save its result and its report, and return the result with its folder.

    Args:
        experiment: the experiment.
        address: of the running store.
        folder: ``var/lab``.
        quiet: show no progress.
        claimed: whether the caller holds the lab already.

    Raises:
        ConfigurationError: it cannot run on this store.
        ServiceUnavailable: the store or the generator failed.
        ExperimentInterrupted: a signal stopped it; the store has been restored.
    """
    started = datetime.now(UTC)
    with closing(StoreClient(address)) as store:
        store.check_ready()
        experiment, size = with_processes(experiment, store), store.size()
        record, before = _run(experiment, store, folder, started, quiet=quiet, claimed=claimed)
    result = build_result(experiment, record, started, before, size)
    result["took_s"] = round((datetime.now(UTC) - started).total_seconds(), 1)
    home = save_result(result, folder)
    write_report(home)
    return result, home


def _run(
    experiment: LabExperiment, store: StoreClient, folder: Path, started: datetime, *, quiet: bool, claimed: bool
) -> tuple[RunRecord, Mapping[str, str]]:
    """Run an experiment and restore the store; return its observations and the values of the switches before it."""
    with AuditorProcess() as auditor:
        return _run_audited(
            experiment, store, folder, started, BooksAuditor(auditor.audit), quiet=quiet, claimed=claimed
        )


def _run_audited(
    experiment: LabExperiment,
    store: StoreClient,
    folder: Path,
    started: datetime,
    books: BooksAuditor,
    *,
    quiet: bool,
    claimed: bool,
) -> tuple[RunRecord, Mapping[str, str]]:
    def mismatches() -> set[tuple[str, str]]:
        return {(mismatch.kind, mismatch.id) for mismatch in books.known_mismatches()}

    restored = restore_afterwards(
        store,
        folder,
        experiment.switch_names(),
        warn,
        parameters=experiment.parameter_names(),
        faults=experiment.fault_names(),
        edits_price=experiment.arm_driver.edits_price,
        claimed=claimed,
    )
    recorded: AbstractContextManager[None] = nullcontext()
    if experiment.breaks_books:
        recorded = record_new_mismatches(experiment.name, folder, mismatches, started, warn)
    expected_s = experiment.expected_seconds()
    progress = ExperimentBar if sys.stderr.isatty() else PhaseLines
    watcher = SilentWatcher() if quiet else progress(expected_s)
    with (
        recorded,
        restored as before,
        watcher,
        show_progress(folder, expected_s) as file,
        GeneratorProcess() as generator,
    ):
        watchers = BothWatchers(watcher, file)
        try:
            return ExperimentRunner(
                experiment, store, watchers, generator.run_phase, STAYING_START_S, books
            ).run(), before
        except BaseException:
            books.forget()  # the arm that was interrupted has not been audited
            raise


def with_processes(experiment: LabExperiment, store: StoreClient) -> LabExperiment:
    """Return the experiment with as many web processes as it needs; they are ended with it.

    Raises:
        ConfigurationError: the store has too few, and its stack cannot start more.
    """
    if (workers := store.workers()) >= experiment.workers:
        return experiment
    if WEB_PROCESSES not in store.parameters():
        raise ConfigurationError(
            f"{experiment.name} needs {experiment.workers} web processes, and the store has {workers}: start it"
            f" with `bin/shop up --workers {experiment.workers}`."
        )
    return experiment.with_changes(parameters={**experiment.parameters, WEB_PROCESSES: experiment.workers})


def warn(text: str) -> None:
    """Print a line on stderr."""
    click.echo(text, err=True)


def end_interrupted(stop: ExperimentInterrupted) -> NoReturn:
    """End the command after a signal."""
    click.echo("shop: interrupted; all faults are cleared, and all switches have their earlier values.", err=True)
    sys.exit(SIGNAL_EXIT + stop.number)
