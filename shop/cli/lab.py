"""``shop lab``: list, show and run experiments, and look at what came out."""

import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from shop.cli import EXIT_FAILED, EXIT_USAGE
from shop.cli.lab_progress import ExperimentBar, SilentWatcher
from shop.cli.output import emit
from shop.errors import ConfigurationError, NotFound, ServiceUnavailable
from shop.lab import experiment as experiments
from shop.lab import report as reports
from shop.lab import result as results
from shop.lab.arms import ExperimentArm
from shop.lab.broken_books import record_new_mismatches
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.experiment import LabExperiment
from shop.lab.runner import ExperimentRunner
from shop.lab.saved_state import ExperimentInterrupted, restore_afterwards
from shop.lab.store_client import StoreClient
from shop.settings import Settings, load_settings
from shop.stack.endpoints import web_url

SUCCESSFUL_VERDICTS = ("confirmed", "look")
"""Verdicts that are no failure: a look claims nothing, and so nothing of it has failed."""
COLOURS = {"confirmed": "green", "refuted": "red", "look": "cyan"}
SIGNAL_EXIT = 128
"""A shell reads 128 + n as ended by signal n."""


@click.group()
def lab() -> None:
    """Run the experiments that measure the patterns."""


@lab.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List the experiments."""
    known = experiments.load_experiments().values()
    table = [{"name": one.name, "title": one.title, "seconds": round(one.expected_seconds())} for one in known]
    text = "\n".join(f"{one.name:<20} {one.title} (about {one.expected_seconds():.0f} s)" for one in known)
    emit(table, text, as_json=as_json)


@lab.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def show(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show one experiment: what it claims, what it flips, what would confirm it."""
    one = _experiment(name)
    arms = "\n".join(f"  {arm.name:<6} {arm.title}: {_pairs(arm)}" for arm in one.arms)
    rules = one.verdict
    claims = (
        ("The problem shows when", rules.problem_when),
        ("Right when", rules.correct_when),
        ("Worth it when", rules.confirmed_when),
    )
    told = "\n".join(f"{words} {'; '.join(each)}" for words, each in claims if each)
    text = (
        f"{one.title}\n\n{one.hypothesis}\n\n{one.teaches.strip()}\n\nArms\n{arms}\n\n"
        f"Steady state: {one.steady_state.says}\n{told}\n"
        f"Takes about {one.expected_seconds():.0f} s: shop lab run {one.name}"
    )
    emit(one.model_dump(mode="json"), text, as_json=as_json)


@lab.command()
@click.argument("name")
@click.option("--runs", type=click.IntRange(1, 20), help="How often each arm is measured.  [default: as in its file]")
@click.option("--duration", type=click.FloatRange(2, 300), help="Seconds each arm is measured in each run.")
@click.option("--url", help="Where the store listens.  [default: the running stack]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def run(name: str, runs: int | None, duration: float | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Run an experiment on the running store.

    Exit code 0: confirmed, or a look, which is what one run is; 1: refuted or invalid; 2: cannot run.
    """
    chosen = _experiment(name).with_duration(duration, runs)
    settings = load_settings()
    try:
        result, home = _measure(chosen, StoreClient(url or web_url(settings)), _folder(settings), quiet=as_json)
    except ExperimentInterrupted as stop:
        click.echo("shop: interrupted; faults are mended, and every switch stands as it stood before.", err=True)
        sys.exit(SIGNAL_EXIT + stop.number)
    except ServiceUnavailable as error:
        click.echo(f"shop: {error.detail}", err=True)
        sys.exit(EXIT_FAILED)
    emit(result, "", as_json=True) if as_json else _print(result, home)
    if result["verdict"] not in SUCCESSFUL_VERDICTS:
        sys.exit(EXIT_FAILED)


@lab.command()
@click.argument("run", default=results.LATEST)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the before-and-after, SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def report(run: str, picture: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Show a result again and render its report anew. RUN is a folder of var/lab; the latest by default."""
    try:
        home = results.find_result(_folder(load_settings()), run)
    except NotFound as error:
        _misused(error.detail)
    result = results.read_result(home)
    reports.write_report(home)
    if picture is not None:
        if picture.suffix != ".svg":
            _misused(f"{picture}: the picture is drawn as SVG; name it so.")
        if result["verdict"] == "invalid":
            click.echo(f"shop: there is no before and after to draw: {result['reason']}", err=True)
            sys.exit(EXIT_FAILED)
        picture.write_text(reports.draw_picture(result) + "\n", encoding="utf-8")
    emit(result, "", as_json=True) if as_json else _print(result, home)


def _measure(chosen: LabExperiment, store: StoreClient, folder: Path, *, quiet: bool) -> tuple[results.Result, Path]:
    try:
        store.check_ready()
        _check_workers(chosen, store)
        started = datetime.now(UTC)
        kept = restore_afterwards(
            store,
            folder,
            chosen.switch_names(),
            lambda text: click.echo(text, err=True),
            parameters=chosen.parameter_names(),
            faults=chosen.fault_names(),
            edits_price=chosen.arm_driver.edits_price,
        )
        with _noting(chosen, folder, started), kept as before, _watcher(chosen, quiet=quiet) as watcher:
            record = ExperimentRunner(chosen, store, watcher).run()
        result = results.build_result(chosen, record, started, before)
    finally:
        store.close()
    home = results.save_result(result, folder)
    reports.write_report(home)
    return result, home


def _noting(chosen: LabExperiment, folder: Path, started: datetime) -> AbstractContextManager[None]:
    """Write down whose the mismatches are that an experiment leaves on purpose."""
    if not chosen.breaks_books:
        return nullcontext()

    def audit() -> set[tuple[str, str]]:
        return {(one.kind, one.id) for one in audit_mismatches()}

    return record_new_mismatches(chosen.name, folder, audit, started, lambda text: click.echo(text, err=True))


def _check_workers(chosen: LabExperiment, store: StoreClient) -> None:
    if (there := store.workers()) < chosen.workers:
        raise ConfigurationError(
            f"{chosen.name} needs {chosen.workers} web processes, and the store has {there}: start it with "
            f"`shop up --workers {chosen.workers}`."
        )


def _watcher(chosen: LabExperiment, *, quiet: bool) -> SilentWatcher:
    return SilentWatcher() if quiet or not sys.stderr.isatty() else ExperimentBar(chosen.expected_seconds())


def _print(result: results.Result, home: Path) -> None:
    console = Console()
    console.print(f"\n[bold]{result['title']}[/]: {result['hypothesis']}\n")
    table = Table("", *(arm["title"] for arm in result["arms"]), box=None, header_style="bold", pad_edge=False)
    for words, cells in reports.figure_rows(result):
        table.add_row(words, *cells)
    console.print(table)
    for name, value in result["ratios"].items():
        bounds = result["spread"].get(name)
        spread = f" ({bounds['min']:.2f} to {bounds['max']:.2f})" if bounds else ""
        console.print(f"{name}: {value}{spread}", highlight=False)
    colour = COLOURS.get(result["verdict"], "yellow")
    console.print(f"\n[bold {colour}]{result['verdict']}[/]: {result['reason']}", highlight=False)
    click.echo(f"\nFigures  {home / 'result.json'}\nReport   {home / 'report.html'}")


def _experiment(name: str) -> LabExperiment:
    try:
        return experiments.load_experiment(name)
    except NotFound as error:
        _misused(error.detail)


def _misused(message: str) -> NoReturn:
    click.echo(f"shop: {message}", err=True)
    sys.exit(EXIT_USAGE)


def _folder(settings: Settings) -> Path:
    return settings.var_dir / "lab"


def _pairs(arm: ExperimentArm) -> str:
    stands = [f"{name}={value}" for name, value in arm.switches.items()]
    stands += [f"fault {name}={value}" for name, value in arm.faults.items()]
    stands += [] if arm.exponent is None else [f"exponent {arm.exponent:g}"]
    stands += [f"fault {one.fault}={one.value} after {one.at_s:g} s" for one in arm.actions]
    return ", ".join(stands)
