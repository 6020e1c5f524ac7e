"""``shop fault``: break a dependency of the running stack on purpose, and mend it."""

import click

from shop.cli.output import emit
from shop.errors import ConfigurationError, InvalidFields
from shop.faults import FAULTS, NONE, FaultChannel, FaultReport
from shop.settings import load_settings

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def fault() -> None:
    """Break a server of this stack on purpose: down, hanging, slow or failing. The lab profile only."""


@fault.command("list")
@_json
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List what can be broken, and what is."""
    report = FaultChannel(load_settings().run_dir).report()
    items = [_described(name, report) for name in FAULTS]
    emit({"items": items}, "\n".join(_line(name, report) for name in FAULTS), as_json=as_json)


@fault.command("set")
@click.argument("name")
@click.argument("value")
@_json
def set_(name: str, value: str, as_json: bool) -> None:  # noqa: FBT001
    """Break one dependency; ``none`` mends it."""
    try:
        report = _desk().request(name, value)
    except InvalidFields as refusal:
        raise click.UsageError(refusal.detail) from None
    done = f"{name}: {value}" if value == report.active[name] else f"{name}: {value}, done"
    emit(_described(name, report), f"{done}.", as_json=as_json)


@fault.command()
@_json
def clear(as_json: bool) -> None:  # noqa: FBT001
    """Mend everything that was broken on purpose."""
    report = _desk().clear()
    emit({"items": [_described(name, report) for name in FAULTS]}, "Nothing is broken on purpose.", as_json=as_json)


def _desk() -> FaultChannel:
    desk = FaultChannel(load_settings().run_dir)
    if not desk.report().offered:
        raise ConfigurationError(
            "No stack takes faults here: start it with `shop up`, in the lab profile, with a server of its own."
        )
    return desk


def _described(name: str, report: FaultReport) -> dict[str, object]:
    known = FAULTS[name]
    return {
        "name": name,
        "value": report.active.get(name, NONE),
        "values": list(known.values),
        "offered": name in report.offered,
        "does": known.description,
    }


def _line(name: str, report: FaultReport) -> str:
    value = report.active.get(name, NONE) if name in report.offered else "not offered"
    shown = value if value in (NONE, "not offered") else click.style(value, fg="red", bold=True)
    return f"{name:<10} {shown:<12} {' '.join(FAULTS[name].values)}\n{'':<10} {FAULTS[name].description}"
