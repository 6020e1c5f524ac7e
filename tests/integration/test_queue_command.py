import json
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from shop.cli import main
from shop.cli.queue import queue
from shop.patterns.outbox.messages import enqueue
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.queue.models import DeadLetter
from shop.stack.program import free_port


@pytest.fixture
def run(settings, database, monkeypatch):
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)

    def run(*words):
        return CliRunner().invoke(queue, words)

    return run


def bury(database):
    with database.transaction() as session:
        letter = DeadLetter(
            consumer="confirmation", message_id=uuid.uuid4(), aggregate="order", aggregate_id="ord_1",
            topic="order.confirmation", payload={}, attempts=12, error="MailFailed: down", created_at=func.now(),
        )  # fmt: skip
        session.add(letter)
        session.flush()
        return letter.id


def test_status_shows_the_waiting_messages(run, database):
    with database.transaction() as session:
        enqueue(session, "order", "ord_1", "order.confirmation")
    bury(database)
    found = json.loads(run("status", "--json").output)
    assert found["outbox"]["waiting"] == 1
    queues = {"confirmation": 0, "order-link": 0, "password-mail": 0}
    assert (found["broker"], found["queues"], found["dead"]) == ("ok", queues, 1)
    assert "1 waiting" in run("status").output


def test_status_shows_the_outbox_while_the_broker_is_down(run, database, monkeypatch):
    monkeypatch.setenv("BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    told = run("status", "--json")
    assert told.exit_code == 1
    assert json.loads(told.output)["broker"] == "away"


def test_a_listed_dead_letter_is_requeued_for_its_consumer_alone(run, database):
    assert "no dead letters" in run("dead").output
    letter_id = bury(database)
    (listed,) = json.loads(run("dead", "--json").output)["items"]
    assert (listed["id"], listed["error"], listed["attempts"]) == (letter_id, "MailFailed: down", 12)
    assert run("requeue", str(letter_id)).exit_code == 0
    with database.reading() as session:
        waiting = session.scalars(select(OutboxMessage)).one()
    assert (waiting.consumer, waiting.attempts) == ("confirmation", 0)
    assert "no dead letters" in run("dead").output


def test_requeueing_an_unknown_letter_fails_with_a_message(run, capsys):
    with pytest.raises(SystemExit) as end:
        main.main(["queue", "requeue", "1"])
    assert end.value.code == 1
    assert "There is no dead letter 1" in capsys.readouterr().err
