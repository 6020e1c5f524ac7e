"""``bin/shop fault``: injects a fault into a server of the running stack, and clears it."""

import time

import click

from shop.cli.output import emit
from shop.errors import ConfigurationError, InvalidFields
from shop.faults import FAULT_S, FAULTS, LONGEST_FAULT_S, NONE, FaultChannel, FaultReport, resolve_name
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
        cell = f"{value:<12}"
        if value not in (NONE, "not offered"):
            cell = click.style(cell, fg="red", bold=True)
        rest = f"  ends in {left_s} s" if (left_s := _left_s(name, report)) is not None else ""
        lines.append(f"{name:<10} {cell} {' '.join(known.values)}{rest}\n{'':<10} {known.description}")
    emit({"items": [_to_dict(name, report) for name in FAULTS]}, "\n".join(lines), as_json=as_json)


@fault.command("set")
@click.argument("name")
@click.argument("value")
@click.option(
    "--for",
    "seconds",
    metavar="SECONDS",
    type=click.IntRange(1, LONGEST_FAULT_S),
    default=FAULT_S,
    show_default=True,
    help="The fault ends by itself after this time, at most an hour, also when this terminal is gone.",
)
@_json
def set_(name: str, value: str, seconds: int, as_json: bool) -> None:  # noqa: FBT001
    """Inject one fault; the value none clears it."""
    name = resolve_name(name)
    try:
        report = _open_channel().request(name, value, seconds=seconds)
    except InvalidFields as refusal:
        raise click.UsageError(refusal.detail) from None
    if value != report.active[name]:
        text = f"{name} = {value}, done"
    else:
        text = f"{name} = {value}" if value == NONE else f"{name} = {value} for {seconds} s"
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
        "ends_in_s": _left_s(name, report),
        "does": known.description,
    }


def _left_s(name: str, report: FaultReport) -> int | None:
    """Return the seconds until a fault ends by itself; ``None`` if there is no fault."""
    ends_at = report.ends_at.get(name)
    return None if ends_at is None else max(round(ends_at - time.time()), 0)
