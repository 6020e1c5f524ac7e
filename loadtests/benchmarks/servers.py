"""A whole store for a benchmark: started, filled, asked, stopped."""

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


def serve(stack: ExitStack, home: Path, size: str, **given: object) -> Settings:
    """Start a store with its database and cache, filled; return its settings."""
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
        **given,
    )
    engine = build_engine(settings)
    upgrade(engine)
    engine.dispose()
    loading.seed(settings, "demo", size)
    stack.enter_context(running(http_servers.web(settings), home))
    return settings


def flip(port: int, name: str, value: str) -> None:
    """Set one switch and wait until every process has seen it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body, headers = json.dumps({"value": value}), {"Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/switches/{name}", body, headers)
    if connection.getresponse().status != http.client.OK:
        raise RuntimeError(f"{name} was not set")
    connection.close()
    time.sleep(1.0)  # a flip is in force in every process within a second


def popular(settings: Settings) -> str:
    """Return the slug of the product that sells best."""
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
        RuntimeError: it was not 200.
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


def answers(port: int, path: str) -> bool:
    """Tell whether an address answers 200."""
    try:
        return bool(get(port, path))
    except (OSError, http.client.HTTPException, RuntimeError):
        return False
