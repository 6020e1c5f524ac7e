"""``shop up``, ``shop down``, ``shop status``."""

import sys

import click

from shop.cli import EXIT_FAILED
from shop.cli.output import emit
from shop.datasets.choice import SIZES, require_size
from shop.production_rules import require_production
from shop.settings import load_settings
from shop.stack import detached as background
from shop.stack import down as stopping
from shop.stack import status as looking
from shop.stack import up as starting
from shop.stack.console import StackConsole
from shop.stack.privileges import drop_privileges, was_started_by_root
from shop.stack.supervisor import StartFailed

SHOP = (sys.executable, "-m", "shop.cli")


@click.command()
@click.option("--detach", is_flag=True, help="Return once the store answers; it goes on in the background.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the store listens.  [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 64), help="gunicorn worker processes.  [default: 2]")
@click.option("--no-edge", is_flag=True, help="Without the caching proxy in front.")
@click.option("--dataset", type=click.Choice(list(SIZES)), help="What to sell.  [default: demo]")
@click.option("--size", type=click.Choice(["s", "m", "l"]), help="Of the demo data.  [default: m]")
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
        require_size(dataset, size)  # here already: by the time the data is looked at, servers run
    given = {name: value for name, value in (("port", port), ("workers", workers)) if value is not None}
    settings = load_settings(None, **given, **({"edge": False} if no_edge else {}))
    require_production(settings)
    drop_privileges(settings, sys.argv[1:], click.echo)
    data = _options(dataset=dataset, size=size)
    if detach:
        sys.exit(
            background.start_detached(
                settings,
                (*SHOP, "up", *_options(**given), *(["--no-edge"] if no_edge else []), *data),
                click.echo,
                _complain,
            )
        )
    try:
        starting.run_stack(settings, (*SHOP, "prepare", *data), StackConsole())
    except StartFailed as error:
        if str(error):
            _complain(f"shop: {error}")
        sys.exit(error.exit_code)


@click.command()
def down() -> None:
    """Stop what `shop up` started, also after it was killed. The data is kept."""
    settings = load_settings()
    if settings.run_dir.exists() and not was_started_by_root(settings):
        drop_privileges(settings, sys.argv[1:], click.echo)
    stopped = stopping.stop_stack(settings, click.echo)
    click.echo("Stopped; the data is kept." if stopped else "Nothing was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show each process: pid, port, health, memory. Exit code 1 when the stack is not up and well."""
    report = looking.collect_report(load_settings())
    emit(report.to_dict(), looking.format_report(report), as_json=as_json)
    if not report.is_healthy:
        sys.exit(EXIT_FAILED)


def _options(**given: object) -> list[str]:
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]


def _complain(line: str) -> None:
    click.echo(line, err=True)
