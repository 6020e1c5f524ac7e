"""``shop switch``: reads and sets the patterns' switches at run time."""

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
from shop.switches.registry import SWITCHES, SwitchSnapshot
from shop.switches.store import SwitchStore

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def switch() -> None:
    """Read and set the patterns' switches. A new value is active in every process within a second."""


@switch.command("list")
@_json
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List every switch with its value, its other values and its lesson."""
    values = _load_values()
    if as_json:
        emit({"items": [_to_dict(name, values) for name in SWITCHES]}, "", as_json=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("switch", "value", "values", "what it teaches"):
        table.add_column(heading)
    for name, known in SWITCHES.items():
        value = values[name]
        style = "bold red" if value in known.unsafe else "" if value == known.default else "yellow"
        table.add_row(name, f"[{style}]{value}[/]" if style else value, " ".join(known.values), known.description)
    Console().print(table)


@switch.command()
@click.argument("name")
@_json
def get(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Print the value of one switch."""
    _require_known(name)
    values = _load_values()
    emit(_to_dict(name, values), values[name], as_json=as_json)


@switch.command("set")
@click.argument("name")
@click.argument("value")
@_json
def set_(name: str, value: str, as_json: bool) -> None:  # noqa: FBT001
    """Set one switch."""
    try:
        with _store() as store:
            store.set(name, value)
    except InvalidFields as refusal:
        raise click.UsageError(refusal.detail) from None
    emit(_to_dict(name, {name: value}), f"{name} = {value}", as_json=as_json)


@switch.command()
@click.argument("name", required=False)
@_json
def reset(name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Reset one switch, or all of them, to the default."""
    if name is not None:
        _require_known(name)
    with _store() as store:
        store.reset(name)
    names = [name] if name else list(SWITCHES)
    text = f"{name} = {SWITCHES[name].default}" if name else "All switches are reset to their defaults."
    emit({"reset": names}, text, as_json=as_json)


@contextmanager
def _store() -> Iterator[SwitchStore]:
    settings = store_settings()
    engine = build_engine(settings)
    try:
        yield SwitchStore(Database(engine), allow_unsafe=settings.is_lab)
    finally:
        engine.dispose()


def _load_values() -> dict[str, str]:
    with _store() as store:
        return SwitchSnapshot.from_stored(store.load()).to_dict()


def _require_known(name: str) -> None:
    if name not in SWITCHES:
        raise click.UsageError(f"There is no switch {name!r}.{did_you_mean(name, SWITCHES)}")


def _to_dict(name: str, values: dict[str, str]) -> dict[str, Any]:
    known = SWITCHES[name]
    return {
        "name": name,
        "value": values[name],
        "default": known.default,
        "values": list(known.values),
        "unsafe": sorted(known.unsafe),
        "teaches": known.description,
    }
