"""``bin/shop queue``: the message queue, its dead letters, and their requeue."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from shop import queue_wiring
from shop.cli import EXIT_FAILED
from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.patterns.health import checks
from shop.patterns.health.readiness import PartialService
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.outbox.relay import BrokerUnavailable, backlog
from shop.patterns.queue import dispatcher
from shop.patterns.queue.models import DeadLetter
from shop.settings import Settings

LISTED = 50
"""The most dead letters in a list."""
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def queue() -> None:
    """Show the messages between the store and its worker."""


@queue.command()
@AS_JSON
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show the number of messages in the outbox and in each queue, and of the dead letters.

    Exit code 1 while the broker is away, or accepts no messages: the outbox stores its messages until the broker is
    healthy again.
    """
    with _database() as (settings, database):
        with database.reading() as session:
            outbox, dead = backlog(session), dispatcher.count_dead_letters(session)
        queues = _queue_lengths(settings)
        state, detail = _broker_state(settings, answers=queues is not None)
    document = {
        "outbox": {"waiting": outbox.waiting, "lag_s": round(outbox.oldest_s, 3)},
        "broker": state,
        "detail": detail,
        "queues": queues or {},
        "dead": dead,
    }
    lines = [f"outbox: {outbox.waiting:,} waiting, the oldest due for {outbox.oldest_s:.1f} s"]
    if state != "ok":
        lines.append(f"broker: {state}{f' ({detail})' if detail else ''}; the messages in the outbox wait for it")
    lines += [f"queue {name}: {length:,} waiting" for name, length in (queues or {}).items()]
    lines.append(f"dead letters: {dead:,}" + ("; see `bin/shop queue dead`" if dead else ""))
    emit(document, "\n".join(lines), as_json=as_json)
    if state != "ok":
        raise SystemExit(EXIT_FAILED)


@queue.command()
@AS_JSON
def dead(as_json: bool) -> None:  # noqa: FBT001
    """List the latest dead letters, newest first: messages that a consumer could not process."""
    with _database() as (_, database), database.reading() as session:
        letters = [_to_dict(letter) for letter in dispatcher.list_dead_letters(session, LISTED)]
    lines = [
        f"{letter['id']:>6}  {letter['died_at']}  {letter['consumer'] or letter['topic']}  {letter['aggregate_id']}"
        f"  {letter['attempts']} attempts: {letter['error']}"
        for letter in letters
    ]
    emit({"items": letters}, "\n".join(lines) or "There are no dead letters.", as_json=as_json)


@queue.command()
@click.argument("letter_id", metavar="ID", type=int)
@AS_JSON
def requeue(letter_id: int, as_json: bool) -> None:  # noqa: FBT001
    """Put a dead letter back into the outbox, after you have corrected the cause of its failure."""
    with _database() as (_, database), database.transaction() as session:
        letter = _to_dict(dispatcher.requeue(session, letter_id))
    consumers = f"only for {letter['consumer']}" if letter["consumer"] else f"for all consumers of {letter['topic']}"
    emit(letter, f"Dead letter {letter_id} is back in the outbox, {consumers}.", as_json=as_json)


@contextmanager
def _database() -> Iterator[tuple[Settings, Database]]:
    settings = store_settings()
    database = Database(build_engine(settings))
    try:
        yield settings, database
    finally:
        database.engine.dispose()


def _queue_lengths(settings: Settings) -> dict[str, int] | None:
    """Return the number of messages in each queue; ``None`` if the broker does not answer."""
    try:
        broker = queue_wiring.message_broker(settings)
    except ConfigurationError:
        return None
    try:
        return broker.lengths()
    except BrokerUnavailable:
        return None
    finally:
        broker.stop(0)


def _broker_state(settings: Settings, *, answers: bool) -> tuple[str, str]:
    """Return the state of the broker in a word or two, and the reason, after a test of the relay's commands.

    Args:
        settings: with its address.
        answers: whether it has told the lengths of its queues.
    """
    if settings.broker_url is None:
        return "away", "none is set, and no stack runs here"
    try:
        checks.broker(settings.broker_url)()
    except PartialService as limitation:
        return limitation.state, str(limitation)
    except CheckFailed as fault:
        return "away", str(fault)
    return ("ok", "") if answers else ("away", "it does not tell the lengths of its queues")


def _to_dict(letter: DeadLetter) -> dict[str, Any]:
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
