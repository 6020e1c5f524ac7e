"""Filters of the templates: they format values for people."""

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
"""Units of an age, the longest first."""


def install(app: Flask, address: str, clock: Clock | None = None) -> None:
    """Give the app's templates their filters and functions.

    ``has_page(endpoint)`` is for links to pages that not every profile has. ``absolute(path)`` is for search engines
    and link previews, which need whole URLs. It uses the settings, because a cached page is the same for every
    ``Host``.

    Args:
        app: the application.
        address: public address of the store.
        clock: the current time for ``ago``; the machine's own by default.
    """
    clock = clock or SystemClock()
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(
        money=money,
        date=date,
        clock_time=clock_time,
        ago=lambda value: ago(value, clock.now()),
        iso=lambda value: as_datetime(value).isoformat(timespec="seconds"),
        words=words,
    )
    environment.globals["absolute"] = lambda path: f"{address}{path}"
    environment.globals["has_page"] = app.view_functions.__contains__


def money(value: Money | MoneySchema | MoneyJSON) -> str:
    """Format an amount for a shopper, from any of its three types."""
    if isinstance(value, Mapping):
        return str(Money(value["amount"], value["currency"]))
    return str(Money(value.amount, value.currency))


def date(value: datetime | str) -> str:
    """Format a date, such as ``3 May 2025``."""
    day = as_datetime(value)
    return f"{day.day} {day:%B %Y}"


def clock_time(value: datetime | str) -> str:
    """Format a time of day, such as ``14:05 UTC``."""
    return f"{as_datetime(value).astimezone(UTC):%H:%M} UTC"


def ago(value: datetime | str, now: datetime) -> str:
    """Format an age, such as ``2 days ago``; ``just now`` for less than a minute."""
    age = now - as_datetime(value)
    for unit, name in AGES:
        count = age // unit
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def words(value: str) -> str:
    """Format an identifier as words: ``pending_payment`` becomes ``Pending payment``."""
    return value.replace("_", " ").replace("-", " ").replace(".", " ").capitalize()


def as_datetime(value: datetime | str) -> datetime:
    """Return a ``datetime``, also from the ISO 8601 text in a cached page.

    Raises:
        ValueError: the text is no date and time.
    """
    return datetime.fromisoformat(value) if isinstance(value, str) else value
