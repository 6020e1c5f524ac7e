"""How values become what a person reads: the filters of the templates."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from flask import Flask

from shop.clock import Clock, SystemClock
from shop.money import Money, MoneyJSON
from shop.web.schemas import MoneySchema

AGES = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
"""Units an age is told in, longest first."""


def install(app: Flask, address: str, clock: Clock | None = None) -> None:
    """Give the app's templates their filters and functions.

    ``has_page(endpoint)`` is for links to pages not every profile has, ``absolute(path)`` for readers without a base:
    search engines and link previews. It asks the settings, since a kept page is the same under every ``Host``.

    Args:
        app: the application.
        address: where shoppers find the store.
        clock: what ``ago`` counts from; the machine's own by default.
    """
    clock = clock or SystemClock()
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(
        money=money,
        date=date,
        clock_time=clock_time,
        ago=lambda moment: ago(moment, clock.now()),
        iso=lambda moment: as_datetime(moment).isoformat(timespec="seconds"),
        words=words,
    )
    environment.globals["absolute"] = lambda path: f"{address}{path}"
    environment.globals["has_page"] = app.view_functions.__contains__


def money(value: Money | MoneySchema | MoneyJSON) -> str:
    """Write an amount as a shopper reads it, from any of its three shapes."""
    if isinstance(value, Mapping):
        return str(Money(value["amount"], value["currency"]))
    return str(Money(value.amount, value.currency))


def date(value: datetime | str) -> str:
    """Write a moment's day, such as ``3 May 2025``."""
    moment = as_datetime(value)
    return f"{moment.day} {moment:%B %Y}"


def clock_time(value: datetime | str) -> str:
    """Write a moment's time of day, such as ``14:05 UTC``."""
    return f"{as_datetime(value).astimezone(UTC):%H:%M} UTC"


def ago(value: datetime | str, now: datetime) -> str:
    """Write how long ago a moment was, such as ``2 days ago``; ``just now`` for less than a minute."""
    age = now - as_datetime(value)
    for unit, name in AGES:
        count = age // unit
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def words(value: str) -> str:
    """Write a program's name for something as words: ``pending_payment`` becomes ``Pending payment``."""
    return value.replace("_", " ").replace("-", " ").replace(".", " ").capitalize()


def as_datetime(value: datetime | str) -> datetime:
    """Return the moment itself, from a ``datetime`` or from the ISO 8601 text a cached screen holds.

    Raises:
        ValueError: the text is not a moment.
    """
    return datetime.fromisoformat(value) if isinstance(value, str) else value
