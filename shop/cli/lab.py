"""``bin/shop lab``: lists, shows and runs experiments, and shows their results."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from shop.cli import EXIT_FAILED, EXIT_USAGE
from shop.cli.lab_all import SUCCESSFUL_VERDICTS, run_all
from shop.cli.lab_load import demo, load
from shop.cli.lab_measure import end_interrupted, measure_experiment
from shop.cli.lab_summary import COLOURS, COLUMNS
from shop.cli.output import emit
from shop.errors import NotFound
from shop.lab.arms import ExperimentArm
from shop.lab.comparison import compare_runs
from shop.lab.experiment import LabExperiment, load_experiment, load_experiments
from shop.lab.headline import verdict_line
from shop.lab.new_experiment import write_experiment
from shop.lab.next_steps import next_steps
from shop.lab.report import draw_picture, figure_rows, write_report
from shop.lab.result import LATEST, Result, find_result, read_result
from shop.lab.saved_state import ExperimentInterrupted
from shop.settings import Settings, load_settings
from shop.stack.endpoints import web_url

ALL = "all"
ARMS_A_TABLE = 2
"""A figure with its spread takes up to 26 columns."""


@click.group()
def lab() -> None:
    """Run the experiments that measure the patterns."""


lab.add_command(load)
lab.add_command(demo)


@lab.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List the experiments."""
    experiments = load_experiments().values()
    document = [
        {
            "name": one.name,
            "title": one.title,
            "seconds": round(one.expected_seconds()),
            "quick_seconds": round(one.in_quick_form().expected_seconds()),
        }
        for one in experiments
    ]
    text = "\n".join(
        f"{one['name']:<22} {one['seconds']:>4} {one['quick_seconds']:>5}  {one['title']}" for one in document
    )
    head = f"{'':<22} full quick  seconds, about"
    emit(document, f"{head}\n{text}", as_json=as_json)


@lab.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def show(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show one experiment: its claim, its switches, and the conditions of its verdict."""
    experiment = _load_experiment(name)
    arms = "\n".join(f"  {arm.name:<6} {arm.title}: {_arm_values(arm)}" for arm in experiment.arms)
    if unnamed := experiment.unnamed_switches():
        arms += f"\n  in arms that do not name them: {', '.join(f'{name}={value}' for name, value in unnamed.items())}"
    rules = experiment.verdict
    conditions = (
        ("The problem shows when", rules.problem_when),
        ("Correct when", rules.correct_when),
        ("Timing confirmed when", rules.confirmed_when),
    )
    verdict = "\n".join(f"{label} {'; '.join(rule)}" for label, rule in conditions if rule)
    text = (
        f"{experiment.title}\n\n{experiment.hypothesis}\n\n{experiment.teaches.strip()}\n\nArms\n{arms}\n\n"
        f"Steady state: {experiment.steady_state.says}\n{verdict}\n"
        f"Takes about {experiment.expected_seconds():.0f} s: bin/shop lab run {experiment.name}\n"
        f"With --quick about {experiment.in_quick_form().expected_seconds():.0f} s."
    )
    emit(experiment.model_dump(mode="json"), text, as_json=as_json)


@lab.command()
@click.argument("name")
@click.option("--quick", is_flag=True, help="The quick form: fewer arms, shorter phases, still two runs in turn.")
@click.option("--runs", type=click.IntRange(1, 20), help="Measurements of each arm.  [default: as in its file]")
@click.option("--duration", type=click.FloatRange(2, 300), help="Seconds of one measurement.")
@click.option("--url", help="Address of the store.  [default: the running stack]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def run(
    name: str,
    quick: bool,  # noqa: FBT001
    runs: int | None,
    duration: float | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run an experiment on the running store, or `all` of them, one after the other.

    Exit code 0: each is confirmed, or a look (a single run makes no claim); 1: one is refuted or invalid, or could not
    run; 2: none can run; 130: ended by Ctrl-C. `all` then prints the page of those that ran.
    """
    chosen = list(load_experiments().values()) if name == ALL else [_load_experiment(name)]
    forms = [(one.in_quick_form() if quick else one).with_duration(duration, runs) for one in chosen]
    settings = load_settings()
    address = url or web_url(settings)
    if name == ALL:
        run_all(forms, address, _lab_dir(settings), quick=quick, as_json=as_json)
        return
    try:
        result, home = measure_experiment(forms[0], address, _lab_dir(settings), quiet=as_json)
    except ExperimentInterrupted as stop:
        end_interrupted(stop)
    if as_json:
        emit(result, "", as_json=True)
    else:
        _print_result(result, home)
    if result["verdict"] not in SUCCESSFUL_VERDICTS:
        sys.exit(EXIT_FAILED)


@lab.command()
@click.argument("first")
@click.argument("second", default=LATEST)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def compare(first: str, second: str, as_json: bool) -> None:  # noqa: FBT001
    """Show two runs side by side. FIRST and SECOND are folders of var/lab; the second is the latest by default."""
    folder = _lab_dir(load_settings())
    try:
        homes = [find_result(folder, name) for name in (first, second)]
    except NotFound as error:
        _usage_error(error.detail)
    comparison = compare_runs(read_result(homes[0]), read_result(homes[1]))
    if as_json:
        emit(asdict(comparison), "", as_json=True)
        return
    console = Console(width=min(Console().width, COLUMNS))
    for home, verdict in zip(homes, comparison.verdicts, strict=True):
        console.print(f"{home.name}\n  {verdict}", highlight=False)
    for title, rows in comparison.arms:
        table = Table(title, "first", "second", box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print()
        console.print(table)
    for warning in comparison.warnings:
        click.echo(f"\n{warning}")


@lab.command()
@click.argument("name")
def new(name: str) -> None:
    """Make the file of a new experiment from a template. It is valid, and runs."""
    path = write_experiment(name)
    click.echo(f"{path}\nReplace each TODO. Then: bin/shop lab show {name}; bin/shop lab run {name} --quick")


@lab.command()
@click.argument("run", default=LATEST)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the chart, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def report(run: str, picture: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Show a result and write its report again. RUN is a folder of var/lab; the latest by default."""
    try:
        home = find_result(_lab_dir(load_settings()), run)
    except NotFound as error:
        _usage_error(error.detail)
    result = read_result(home)
    write_report(home)
    if picture is not None:
        if picture.suffix != ".svg":
            _usage_error(f"{picture}: the picture is an SVG file; its name must end in .svg.")
        if result["verdict"] == "invalid":
            click.echo(f"shop: an invalid result has no chart: {result['reason']}", err=True)
            sys.exit(EXIT_FAILED)
        picture.write_text(draw_picture(result) + "\n", encoding="utf-8")
    emit(result, "", as_json=True) if as_json else _print_result(result, home)


def _print_result(result: Result, home: Path) -> None:
    """Print a result: the verdict and its figure first."""
    console = Console(width=min(Console().width, COLUMNS))
    colour = COLOURS.get(result["verdict"], "yellow")
    console.print(f"\n[bold {colour}]{result['verdict']}[/]: {verdict_line(result)}\n", highlight=False)
    console.print(f"[bold]{result['title']}[/]: {result['hypothesis']}\n", highlight=False)
    for table in figure_tables(result):
        console.print(table)
    for name, value in result["ratios"].items():
        bounds = result["spread"].get(name)
        spread = f" ({bounds['min']:.2f} to {bounds['max']:.2f})" if bounds else ""
        console.print(f"{name}: {'not measured' if value is None else value}{spread}", highlight=False)
    console.print(f"\n{result['reason']}\n", highlight=False)
    for step in next_steps(result):
        console.print(f"- {step}", highlight=False)
    click.echo(f"\nFigures  {home / 'result.json'}\nReport   {home / 'report.html'}")


def figure_tables(result: Result) -> Iterator[Table]:
    """Yield the figures as tables of at most 80 columns: several, if there are many arms."""
    rows = figure_rows(result)
    for start in range(0, len(result["arms"]), ARMS_A_TABLE):
        chosen = slice(start, start + ARMS_A_TABLE)
        titles = [arm["title"] for arm in result["arms"][chosen]]
        table = Table("", *titles, box=None, header_style="bold", pad_edge=False)
        for label, cells in rows:
            if any(cells[chosen]):
                table.add_row(label, *cells[chosen])
        yield table


def _load_experiment(name: str) -> LabExperiment:
    try:
        return load_experiment(name)
    except NotFound as error:
        _usage_error(error.detail)


def _usage_error(message: str) -> NoReturn:
    click.echo(f"shop: {message}", err=True)
    sys.exit(EXIT_USAGE)


def _lab_dir(settings: Settings) -> Path:
    return settings.var_dir / "lab"


def _arm_values(arm: ExperimentArm) -> str:
    values = [f"{name}={value}" for name, value in arm.switches.items()]
    values += [f"fault {name}={value}" for name, value in arm.faults.items()]
    values += [] if arm.exponent is None else [f"exponent {arm.exponent:g}"]
    values += [f"fault {action.fault}={action.value} after {action.at_s:g} s" for action in arm.actions]
    return ", ".join(values)
