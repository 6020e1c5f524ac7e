"""``bin/shop up``, ``bin/shop down``, ``bin/shop status``."""

import sys

import click

from shop.cli import EXIT_FAILED
from shop.cli.output import emit
from shop.datasets.choice import SIZES, require_size
from shop.lab.restore_file import read_holder
from shop.limit_rules import require_consistent
from shop.production_rules import require_production
from shop.settings import Settings, load_settings
from shop.stack.console import StackConsole
from shop.stack.detached import start_detached
from shop.stack.down import stop_stack
from shop.stack.privileges import drop_privileges, was_started_by_root
from shop.stack.status import collect_report, format_report
from shop.stack.supervisor import StartFailed
from shop.stack.up import run_stack

SHOP = (sys.executable, "-m", "shop.cli")


@click.command()
@click.option("--detach", is_flag=True, help="Return when the store answers; the stack runs in the background.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of the store.  [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 64), help="gunicorn worker processes.  [default: 2]")
@click.option("--no-edge", is_flag=True, help="Start no caching proxy in front.")
@click.option("--dataset", type=click.Choice(list(SIZES)), help="The data set for an empty store.  [default: demo]")
@click.option("--size", type=click.Choice(["s", "m", "l"]), help="The size of the demo data.  [default: m]")
def up(
    detach: bool,  # noqa: FBT001 - click passes options by name
    port: int | None,
    workers: int | None,
    no_edge: bool,  # noqa: FBT001
    dataset: str | None,
    size: str | None,
) -> None:
    """Start the store and everything it needs; Ctrl-C stops all of it."""
    if dataset is not None and size is not None:
        require_size(dataset, size)  # before a server starts: the data is loaded after that
    overrides = {name: value for name, value in (("port", port), ("workers", workers)) if value is not None}
    settings = load_settings(None, **overrides, **({"edge": False} if no_edge else {}))
    require_production(settings)
    require_consistent(settings)
    drop_privileges(settings, sys.argv[1:], click.echo)
    data = _options(dataset=dataset, size=size)
    for line in _held_lines(settings):
        click.echo(line)
    if detach:
        command = (*SHOP, "up", *_options(**overrides), *(["--no-edge"] if no_edge else []), *data)
        sys.exit(start_detached(settings, command, click.echo, lambda line: click.echo(line, err=True)))
    try:
        run_stack(settings, (*SHOP, "prepare", *data), StackConsole())
    except StartFailed as error:
        if str(error):
            click.echo(f"shop: {error}", err=True)
        sys.exit(error.exit_code)


@click.command()
def down() -> None:
    """Stop what `bin/shop up` started, also after it was killed. The data is kept."""
    settings = load_settings()
    if settings.run_dir.exists() and not was_started_by_root(settings):
        drop_privileges(settings, sys.argv[1:], click.echo)
    stopped = stop_stack(settings, click.echo)
    click.echo("Stopped; the data is kept." if stopped else "Nothing was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show each process: pid, port, health, memory. Exit code 1 if the stack is not up and well."""
    settings = load_settings()
    report = collect_report(settings)
    emit(report.to_dict(), "\n".join([format_report(report), *_held_lines(settings)]), as_json=as_json)
    if not report.is_healthy:
        sys.exit(EXIT_FAILED)


def _held_lines(settings: Settings) -> list[str]:
    """Return a line if an exercise has changed switches of this store, so that nobody wonders about its figures."""
    holder = read_holder(settings.var_dir / "lab")
    return [f"changed for exercise {holder}: `bin/shop exercise reset {holder}` restores the store"] if holder else []


def _options(**values: object) -> list[str]:
    return [word for name, value in values.items() if value is not None for word in (f"--{name}", str(value))]
