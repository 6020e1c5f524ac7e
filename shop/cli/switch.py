"""``bin/shop switch``: reads and sets the patterns' switches at run time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.did_you_mean import did_you_mean
from shop.errors import InvalidFields
from shop.settings import load_settings
from shop.switches.attempt_slots import AttemptSlots
from shop.switches.registry import SWITCHES, PatternSwitch, SwitchSnapshot, list_switches
from shop.switches.store import SwitchStore

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def switch() -> None:
    """Read and set the patterns' switches. A new value is active in every process within a second."""


@switch.command("list")
@_json
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List every switch with its value, its other values and its lesson."""
    values, known_switches = _load_values(), _switches()
    if as_json:
        emit({"items": [_to_dict(known, values) for known in known_switches.values()]}, "", as_json=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("switch", "value", "values", "what it teaches"):
        table.add_column(heading)
    for name, known in known_switches.items():
        value = values.get(name, known.default)
        style = "bold red" if value in known.unsafe else "" if value == known.default else "yellow"
        table.add_row(name, f"[{style}]{value}[/]" if style else value, " ".join(known.values), known.description)
    Console().print(table)


@switch.command()
@click.argument("name")
@_json
def get(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Print the value of one switch."""
    known = _require_known(name)
    values = _load_values()
    emit(_to_dict(known, values), values.get(name, known.default), as_json=as_json)


@switch.command("set")
@click.argument("name")
@click.argument("value")
@_json
def set_(name: str, value: str, as_json: bool) -> None:  # noqa: FBT001
    """Set one switch."""
    try:
        with _store() as store:
            store.set(name, value)
            value = store.load().get(name, value)  # an attempt has got its version
    except InvalidFields as refusal:
        raise click.UsageError(refusal.detail) from None
    emit(_to_dict(_switches()[name], {name: value}), f"{name} = {value}", as_json=as_json)


@switch.command()
@click.argument("name", required=False)
@_json
def reset(name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Reset one switch, or all of them, to the default."""
    known = None if name is None else _require_known(name)
    with _store() as store:
        store.reset(name)
    names = list(SWITCHES) if known is None else [known.name]
    text = "All switches are reset to their defaults." if known is None else f"{known.name} = {known.default}"
    emit({"reset": names}, text, as_json=as_json)


@contextmanager
def _store() -> Iterator[SwitchStore]:
    settings = store_settings()
    engine = build_engine(settings)
    try:
        slots = AttemptSlots(settings.var_dir)
        yield SwitchStore(Database(engine), allow_unsafe=settings.is_lab, slots=slots)
    finally:
        engine.dispose()


def _load_values() -> dict[str, str]:
    with _store() as store:
        return SwitchSnapshot.from_stored(store.load()).to_dict()


def _switches() -> dict[str, PatternSwitch]:
    settings = load_settings()
    return list_switches(AttemptSlots(settings.var_dir).load() if settings.is_lab else {})


def _require_known(name: str) -> PatternSwitch:
    known = _switches()
    if name not in known:
        raise click.UsageError(f"There is no switch {name!r}.{did_you_mean(name, known)}")
    return known[name]


def _to_dict(known: PatternSwitch, values: dict[str, str]) -> dict[str, Any]:
    return {
        "name": known.name,
        "value": values.get(known.name, known.default),
        "default": known.default,
        "values": list(known.values),
        "unsafe": sorted(known.unsafe),
        "teaches": known.description,
    }
