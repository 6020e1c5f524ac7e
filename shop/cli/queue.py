"""``shop queue``: what waits, what nobody could handle, and another chance for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from shop import queue_wiring
from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.patterns.health import checks
from shop.patterns.health.readiness import PartialService
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.outbox.relay import BrokerUnavailable, OutboxBacklog, backlog
from shop.patterns.queue import dispatcher
from shop.patterns.queue.models import DeadLetter
from shop.settings import Settings

LISTED = 50
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def queue() -> None:
    """Look at the messages between the store and its worker."""


@queue.command()
@AS_JSON
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show what waits in the outbox and in each queue, and how many dead letters there are.

    Ends with 1 while the broker is away, or takes no messages: what waits in the outbox is safe, and goes on when it is
    well again.
    """
    with _database() as (settings, database):
        with database.reading() as session:
            waiting, dead = backlog(session), dispatcher.count_dead_letters(session)
        queues = _lengths(settings)
        state, detail = _broker(settings, answers=queues is not None)
    found = {
        "outbox": {"waiting": waiting.waiting, "lag_s": round(waiting.oldest_s, 3)},
        "broker": state,
        "detail": detail,
        "queues": queues or {},
        "dead": dead,
    }
    emit(found, _told(waiting, f"{state} ({detail})" if detail else state, queues, dead), as_json=as_json)
    if state != "ok":
        raise SystemExit(1)


@queue.command()
@AS_JSON
def dead(as_json: bool) -> None:  # noqa: FBT001
    """List the latest dead letters, the newest first: messages that a consumer has given up on."""
    with _database() as (_, database), database.reading() as session:
        letters = [_described(letter) for letter in dispatcher.list_dead_letters(session, LISTED)]
    lines = [
        f"{one['id']:>6}  {one['died_at']}  {one['consumer'] or one['topic']}  {one['aggregate_id']}"
        f"  {one['attempts']} attempts: {one['error']}"
        for one in letters
    ]
    emit({"items": letters}, "\n".join(lines) or "There are no dead letters.", as_json=as_json)


@queue.command()
@click.argument("letter_id", metavar="ID", type=int)
@AS_JSON
def requeue(letter_id: int, as_json: bool) -> None:  # noqa: FBT001
    """Give a dead letter another chance, once what it failed over is put right."""
    with _database() as (_, database), database.transaction() as session:
        letter = _described(dispatcher.requeue(session, letter_id))
    whom = f"{letter['consumer']} alone" if letter["consumer"] else f"all who take {letter['topic']}"
    emit(letter, f"Dead letter {letter_id} is back in the outbox, for {whom}.", as_json=as_json)


@contextmanager
def _database() -> Iterator[tuple[Settings, Database]]:
    settings = store_settings()
    database = Database(build_engine(settings))
    try:
        yield settings, database
    finally:
        database.engine.dispose()


def _lengths(settings: Settings) -> dict[str, int] | None:
    """Return how much waits in each queue; ``None`` where the broker does not say."""
    try:
        transport = queue_wiring.message_broker(settings)
    except ConfigurationError:
        return None
    try:
        return transport.lengths()
    except BrokerUnavailable:
        return None
    finally:
        transport.stop(0)


def _broker(settings: Settings, *, answers: bool) -> tuple[str, str]:
    """Return how the broker is, in a word or two, and why; tried with what the relay asks of it."""
    if settings.broker_url is None:
        return "away", "none is set, and no stack runs here"
    try:
        checks.broker(settings.broker_url)()
    except PartialService as limitation:
        return limitation.state, str(limitation)
    except CheckFailed as fault:
        return "away", str(fault)
    return ("ok", "") if answers else ("away", "it does not tell its queues' lengths")


def _told(waiting: OutboxBacklog, broker: str, queues: dict[str, int] | None, dead: int) -> str:
    lines = [f"outbox: {waiting.waiting:,} waiting, the oldest due for {waiting.oldest_s:.1f} s"]
    if broker != "ok":
        lines.append(f"broker: {broker}; what is in the outbox waits for it")
    lines += [f"queue {name}: {length:,} waiting" for name, length in (queues or {}).items()]
    lines.append(f"dead letters: {dead:,}" + ("; see `shop queue dead`" if dead else ""))
    return "\n".join(lines)


def _described(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "consumer": letter.consumer,
        "topic": letter.topic,
        "aggregate_id": letter.aggregate_id,
        "message_id": str(letter.message_id),
        "attempts": letter.attempts,
        "error": letter.error,
        "request_id": letter.request_id,
        "died_at": letter.died_at.isoformat(timespec="seconds"),
    }
