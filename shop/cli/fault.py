"""``bin/shop fault``: injects a fault into a server of the running stack, and clears it."""

import click

from shop.cli.output import emit
from shop.errors import ConfigurationError, InvalidFields
from shop.faults import FAULTS, NONE, FaultChannel, FaultReport
from shop.settings import load_settings

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def fault() -> None:
    """Inject a fault into a server of this stack: down, hanging, slow or failing. Only in the lab profile."""


@fault.command("list")
@_json
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List the faults and their values."""
    report = FaultChannel(load_settings().run_dir).report()
    lines = []
    for name, known in FAULTS.items():
        value = report.active.get(name, NONE) if name in report.offered else "not offered"
        cell = value if value in (NONE, "not offered") else click.style(value, fg="red", bold=True)
        lines.append(f"{name:<10} {cell:<12} {' '.join(known.values)}\n{'':<10} {known.description}")
    emit({"items": [_to_dict(name, report) for name in FAULTS]}, "\n".join(lines), as_json=as_json)


@fault.command("set")
@click.argument("name")
@click.argument("value")
@_json
def set_(name: str, value: str, as_json: bool) -> None:  # noqa: FBT001
    """Inject one fault; the value none clears it."""
    try:
        report = _open_channel().request(name, value)
    except InvalidFields as refusal:
        raise click.UsageError(refusal.detail) from None
    text = f"{name} = {value}" if value == report.active[name] else f"{name} = {value}, done"
    emit(_to_dict(name, report), f"{text}.", as_json=as_json)


@fault.command()
@_json
def clear(as_json: bool) -> None:  # noqa: FBT001
    """Clear all faults."""
    report = _open_channel().clear()
    emit({"items": [_to_dict(name, report) for name in FAULTS]}, "All faults are cleared.", as_json=as_json)


def _open_channel() -> FaultChannel:
    channel = FaultChannel(load_settings().run_dir)
    if not channel.report().offered:
        raise ConfigurationError(
            "No stack accepts faults here: start it with `bin/shop up`, in the lab profile, with at least one server of"
            " its own."
        )
    return channel


def _to_dict(name: str, report: FaultReport) -> dict[str, object]:
    known = FAULTS[name]
    return {
        "name": name,
        "value": report.active.get(name, NONE),
        "values": list(known.values),
        "offered": name in report.offered,
        "does": known.description,
    }
