"""Starts a whole store for a benchmark, fills it, sends requests to it, and stops it."""

import http.client
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.datasets import loading
from shop.settings import PROJECT_ROOT, Settings, load_settings
from shop.stack import http_servers, postgres, valkey
from shop.stack.program import ServerProgram, free_port

START_TIMEOUT_S = 30
UNLIMITED = 1_000_000
"""Requests a minute: a benchmark is one client. Each of its writes is counted, as in any store, and none is refused."""


def serve(stack: ExitStack, home: Path, size: str, *, trusted_proxies: str = "") -> Settings:
    """Start a store with its database, its cache and demo data; return its settings."""
    database_port, cache_port = free_port(), free_port()
    postgres.initialise(home / "pg")
    stack.enter_context(running(postgres.program(home / "pg", database_port), home))
    stack.enter_context(running(valkey.cache(home / "cache", cache_port, memory_mb=64), home))
    postgres.ensure_database(home / "pg", database_port)
    settings = load_settings(
        database_url=postgres.url(home / "pg", database_port),
        cache_url=valkey.url(home / "cache", cache_port),
        port=free_port(),
        metrics_port=free_port(),
        var_dir=home / "var",
        secret_key=secrets.token_hex(16),
        trusted_proxies=trusted_proxies,
        writes_per_minute=UNLIMITED,
        logins_per_minute=UNLIMITED,
    )
    engine = build_engine(settings)
    upgrade(engine)
    engine.dispose()
    loading.seed(settings, "demo", size)
    stack.enter_context(running(http_servers.web(settings), home))
    return settings


def set_switch(port: int, name: str, value: str) -> None:
    """Set one switch and wait until every process applies it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body, headers = json.dumps({"value": value}), {"Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/switches/{name}", body, headers)
    if connection.getresponse().status != http.client.OK:
        raise RuntimeError(f"{name} was not set")
    connection.close()
    time.sleep(1.0)  # every process applies a switch within a second


def most_popular_product(settings: Settings) -> str:
    """Return the slug of the best-selling product."""
    with psycopg.connect(str(settings.database_url)) as connection:
        row = connection.execute("SELECT slug FROM products ORDER BY popularity DESC LIMIT 1").fetchone()
    return row[0] if row else ""


@contextmanager
def running(program: ServerProgram, home: Path) -> Iterator[None]:
    """Run a program for as long as the block lasts."""
    with (home / f"{program.name}.log").open("wb") as log:
        process = subprocess.Popen(
            program.argv, stdout=log, stderr=log, cwd=PROJECT_ROOT, env={**os.environ, **program.env}
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while not program.healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{program.name} did not start:\n{(home / f'{program.name}.log').read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(program.stop_signal)
        process.wait(program.stop_timeout_s)


def get(port: int, path: str) -> bytes:
    """Return the body of one answer, on a connection of its own.

    Raises:
        RuntimeError: the answer did not have status 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


def is_answering(port: int, path: str) -> bool:
    """Return whether a path answers with status 200."""
    try:
        return bool(get(port, path))
    except (OSError, http.client.HTTPException, RuntimeError):
        return False
