"""The warm product screen beside a bare Flask view that returns the same bytes.

    .venv/bin/python loadtests/benchmarks/warm_screen.py [--rounds 5] [--seconds 3] [--size s] [--switch NAME=VALUE]

Both run under gunicorn with the store's own settings, on servers this script starts and stops; they are driven in turn
by the same client. ``--switch cache.local=off`` leaves the processes' own copies out: every answer then comes from
Valkey. Promise: the store answers at least 0.70 of what the bare view does. Exit code 1 when it does not.
"""

import argparse
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from arms import interleaved, show
from bare_view import BODY_VARIABLE
from keep_alive import requests_per_second

from shop.datasets import loading
from shop.db import build_engine
from shop.schema import upgrade
from shop.settings import PROJECT_ROOT, Settings, load_settings
from shop.stack import http_servers, postgres, valkey
from shop.stack.program import Program, free_port

PROMISE = 0.70
START_TIMEOUT_S = 30
WARM_UP_REQUESTS = 200
"""Enough for every thread of every worker to have its connection."""
BARE = (sys.executable, "-m", "gunicorn", "-c", "python:shop.stack.gunicorn_conf", "bare_view:create_app()")


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", default="s")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="flip one before measuring")
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-warm-")))
        home.chmod(0o755)
        settings = _servers(stack, home, asked.size)
        for name, value in (switch.split("=") for switch in asked.switch):
            _flip(settings, name, value)
        path, body = _screen(settings)
        (home / "body").write_bytes(body)
        bare_port = free_port()
        bare = settings.model_copy(update={"port": bare_port, "metrics_port": free_port(), "var_dir": home / "bare"})
        env = {**bare.as_environment(), BODY_VARIABLE: str(home / "body"), "PYTHONPATH": str(Path(__file__).parent)}
        stack.enter_context(_running(Program("bare", BARE, bare_port, lambda: _ok(bare_port, path), env), home))
        ports = {"store, warm": settings.port, "bare Flask view": bare_port}
        for port in ports.values():
            for _ in range(WARM_UP_REQUESTS):
                _get(port, path)
        found = interleaved(
            {
                name: lambda port=port: requests_per_second(port, path, asked.seconds, asked.connections)
                for name, port in ports.items()
            },
            asked.rounds,
        )
    ratio = show(f"GET {path}, {len(body):,} bytes, {asked.connections} connections", "requests/s", found)
    print(f"  promised at least {PROMISE}")
    return int(ratio < PROMISE)


def _servers(stack: ExitStack, home: Path, size: str) -> Settings:
    database_port, cache_port = free_port(), free_port()
    postgres.initialise(home / "pg")
    stack.enter_context(_running(postgres.program(home / "pg", database_port), home))
    stack.enter_context(_running(valkey.cache(home / "cache", cache_port, memory_mb=64), home))
    postgres.ensure_database(database_port)
    settings = load_settings(
        database_url=postgres.url(database_port),
        cache_url=valkey.url(cache_port),
        port=free_port(),
        metrics_port=free_port(),
        var_dir=home / "var",
        secret_key=secrets.token_hex(16),
    )
    engine = build_engine(settings)
    upgrade(engine)
    engine.dispose()
    loading.seed(settings, "demo", size)
    stack.enter_context(_running(http_servers.web(settings), home))
    return settings


def _flip(settings: Settings, name: str, value: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=5)
    body, headers = json.dumps({"value": value}), {"Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/switches/{name}", body, headers)
    if connection.getresponse().status != http.client.OK:
        raise RuntimeError(f"{name} was not set")
    connection.close()
    time.sleep(1.0)  # a flip is in force in every process within a second


def _screen(settings: Settings) -> tuple[str, bytes]:
    with psycopg.connect(str(settings.database_url)) as connection:
        row = connection.execute("SELECT slug FROM products ORDER BY popularity DESC LIMIT 1").fetchone()
    path = f"/api/v1/screens/product/{row[0] if row else ''}"
    return path, _get(settings.port, path)


@contextmanager
def _running(program: Program, home: Path) -> Iterator[None]:
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


def _get(port: int, path: str) -> bytes:
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


def _ok(port: int, path: str) -> bool:
    try:
        return bool(_get(port, path))
    except (OSError, http.client.HTTPException, RuntimeError):
        return False


if __name__ == "__main__":
    sys.exit(main())
