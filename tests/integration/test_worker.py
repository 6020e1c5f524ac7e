"""The worker as it runs: a process of its own, killed, stopped, asked."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid

import psutil
import pytest
import redis
from sqlalchemy import select, text

from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.mail.models import Mail
from shop.orders.models import Order
from shop.patterns.observability import correlation
from shop.patterns.observability.request_lines import find_request_lines
from shop.patterns.queue.models import HandledMessage
from shop.stack.program import free_port, port_answers
from tests.support.checkout_processes import DETAILS, check_out_and_die
from tests.support.checkout_records import count_rows
from tests.support.guest_carts import guest_with_cart
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure


class Process:
    """One worker."""

    def __init__(self, settings, *options):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shop.worker", "--port", str(self.port), *options],
            env={**os.environ, **settings.as_environment()},
            stderr=subprocess.PIPE,
        )
        with ended_on_failure(lambda: self.end(signal.SIGKILL)):
            until(lambda: port_answers(self.port) or self.process.poll() is not None)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(20)
        self.process.stderr.close()
        return self.process.returncode


@pytest.fixture
def worker(settings, database, simulator):
    client = redis.Redis.from_url(settings.broker_url)
    client.flushdb()
    client.close()
    started = []

    def start(*options, **changed):
        started.append(Process(settings.model_copy(update=changed), *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_a_worker_that_does_not_answer_in_time_is_ended(settings, monkeypatch):
    def never(condition):
        raise AssertionError("it never happened")

    monkeypatch.setattr(f"{__name__}.until", never)
    before = set(psutil.Process().children())
    with pytest.raises(AssertionError, match="never"):
        Process(settings)
    assert set(psutil.Process().children()) <= before


def buy(runtime):
    owner = guest_with_cart(runtime.database, {"last-mug": 1})
    return runtime.services().checkout.submit(owner, uuid.uuid4().hex, CheckoutDetails.model_validate(DETAILS))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files a process has mapped")
def test_worker_does_not_load_gevent(worker):
    mapped = {one.path for one in psutil.Process(worker().process.pid).memory_maps()}
    assert any("psycopg" in path for path in mapped)
    assert not [path for path in mapped if "gevent" in path]


def test_worker_sends_mail_under_request_id_and_stops_cleanly(worker, runtime, database, last_mugs, settings):
    one = worker()
    correlation.adopt("the-request-that-paid", None)
    buy(runtime)
    until(lambda: count_rows(database, Mail) == 1)
    until(lambda: 'shop_deliveries_total{consumer="confirmation",outcome="handled"} 1.0' in one.get("/metrics")[1])
    status, told = one.get("/readyz")
    assert status == 200
    assert set(json.loads(told)["loops"].values()) == {""}
    assert one.end(signal.SIGTERM) == 0
    lines = find_request_lines(settings.log_dir, "the-request-that-paid")
    assert ("worker", "message_handled") in [(line["process"], line["event"]) for line in lines]
    assert "worker_stopped" in (settings.log_dir / "worker.jsonl").read_text()


def test_worker_completes_killed_checkout_and_sends_its_mail(worker, settings, database, last_mugs):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 1}), "the-key"), RecoveryPoint.ANSWERED)
    with database.transaction() as session:
        session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))
    worker()
    until(lambda: count_rows(database, Mail) == 1)
    with database.reading() as session:
        assert session.scalar(select(Order.status)) == "paid"


def test_killed_worker_neither_loses_nor_repeats_mail(worker, runtime, database, last_mugs):
    first = worker()
    for _ in range(4):
        buy(runtime)
    first.end(signal.SIGKILL)
    for _ in range(4):
        buy(runtime)
    worker()
    worker()
    until(lambda: count_rows(database, HandledMessage) == 8, timeout_s=40)
    assert count_rows(database, Mail) == 8


def test_worker_delivers_parcels_only_when_switched_on(worker, runtime, database, last_mugs):
    buy(runtime)
    assert runtime.services().fulfilment.run_once() == 0
    worker(ship_after_s=0.1, deliver_after_s=0.1)
    until(lambda: _status(database) == "delivered")


def test_failing_loop_makes_worker_unhealthy_but_others_continue(worker, runtime, database, last_mugs):
    one = worker(broker_url=f"redis://127.0.0.1:{free_port()}/0")
    assert one.get("/readyz")[0] == 200
    buy(runtime)
    until(lambda: one.get("/readyz")[0] == 503)
    faults = json.loads(one.get("/readyz")[1])["loops"]
    assert {name for name, fault in faults.items() if fault} - {"broker"} == {"relay"}
    assert one.get("/livez")[0] == 200


def _status(database):
    with database.reading() as session:
        return session.scalar(select(Order.status))
