"""Lanes of a real gunicorn: one client's slow requests hold its lanes, and other clients are served."""

import sys
import threading
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from shop.patterns.overload.client_address import address_client
from shop.patterns.overload.lanes import LANES, LANES_OF_A_CLIENT, deal_lanes
from tests.support.polling import until
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("request-worker")

HELD_MS = 20_000
POISON = 2 * LANES
"""Twice as many slow requests as the process has threads."""
SLOW, QUICK = "/api/v1/products/mug/stock", "/login"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
PATIENCE_S = 1.5
PROXY, POISONOUS = "127.0.0.1", "203.0.113.77"


@pytest.fixture(scope="module")
def web(settings, tmp_path_factory):
    """The store, one process with a thread for each lane, behind a proxy at 127.0.0.1."""
    changes = {
        "db_lock_timeout_ms": HELD_MS,
        "db_statement_timeout_ms": HELD_MS,
        "request_timeout_ms": HELD_MS,
        "web_queue_wait_ms": HELD_MS // 2,
        "threads": LANES,
        "db_pool_size": LANES,
        "trusted_proxies": PROXY,
    }
    server = WebServer(settings.model_copy(update=changes), tmp_path_factory.mktemp("web"))
    server.wait()
    for name, value in (("overload.shedding", "off"), ("overload.queue", "fifo")):
        set_switch(server, name, value)
    yield server
    for name in ("overload.shedding", "overload.queue", "overload.lanes"):
        httpx.delete(f"{server.url}/api/v1/switches/{name}")
    server.stop()


def set_switch(web, name, value):
    assert httpx.put(f"{web.url}/api/v1/switches/{name}", json={"value": value}).status_code == 200


def held_threads(mode):
    return {"shared": LANES, "sharded": 1, "shuffle": LANES_OF_A_CLIENT}[mode]


def client_with(common, picked, lanes):
    """Return an address of a client that has so many lanes in common with another."""
    addresses = (f"198.51.{number // 256}.{number % 256}" for number in range(256 * 256))
    return next(
        address
        for address in addresses
        if len(set(deal_lanes(address_client(address), LANES, picked)) & set(lanes)) == common
    )


def get(web, path, address, timeout=60, peer=PROXY):
    """Send a request that names a client, from an address; return the status, or ``None`` without an answer."""
    transport = httpx.HTTPTransport(local_address=peer)
    with httpx.Client(transport=transport, timeout=timeout) as client:
        try:
            return client.get(web.url + path, headers={"X-Forwarded-For": address}).status_code
        except httpx.TimeoutException:
            return None


def full_lanes(web):
    lines = httpx.get(web.metrics_url).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("shop_overload_full_lanes "))


@contextmanager
def poisoned(web, mode, send):
    """Let slow requests wait for a locked table, in as many threads as they get.

    Args:
        web: the store.
        mode: value of the switch.
        send: sends one of them, by its number.
    """
    set_switch(web, "overload.lanes", mode)
    assert get(web, QUICK, "203.0.113.1") == 200  # the loop has followed the switch
    threads = [threading.Thread(target=send, args=(number,)) for number in range(POISON)]
    with psycopg.connect(web.settings.database_url, autocommit=True) as watch:
        with psycopg.connect(web.settings.database_url) as lock:
            lock.execute("LOCK TABLE products, stock_items IN ACCESS EXCLUSIVE MODE")
            for thread in threads:
                thread.start()
            until(lambda: watch.execute(WAITING).fetchone()[0] == held_threads(mode))
            yield
            assert watch.execute(WAITING).fetchone()[0] == held_threads(mode)
            lock.rollback()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("mode", "picked", "served"),
    [
        ("shared", 2, {0: None, 1: None, 2: None}),
        ("sharded", 1, {0: 200, 1: None}),
        ("shuffle", 2, {0: 200, 1: 200, 2: None}),
    ],
)
def test_clients_without_all_its_lanes_are_served(web, mode, picked, served):
    """By the number of lanes that a client has in common with the poisonous one."""
    lanes = deal_lanes(address_client(POISONOUS), LANES, picked)
    with poisoned(web, mode, lambda number: get(web, SLOW, POISONOUS)):
        found = {common: get(web, QUICK, client_with(common, picked, lanes), PATIENCE_S) for common in served}
        until(lambda: full_lanes(web) == (0 if mode == "shared" else picked))
    assert found == served
    until(lambda: full_lanes(web) == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is only 127.0.0.1")
def test_invented_addresses_bring_a_client_no_further_lane(web):
    """Only the proxy is believed."""
    with poisoned(web, "sharded", lambda number: get(web, SLOW, f"203.0.113.{number}", peer="127.0.0.2")):
        until(lambda: full_lanes(web) == 1)
