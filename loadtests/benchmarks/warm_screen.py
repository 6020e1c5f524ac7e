"""Warm answers of the store beside bare Flask views that return the same bytes.

    .venv/bin/python loadtests/benchmarks/warm_screen.py [screen|page|shared …] [--rounds 5] [--seconds 3] [--size s]

``screen`` and ``page`` are the product screen (JSON) and page (HTML) from a process's own copies, beside a view that
holds the bytes. ``shared`` is the page from Valkey, with local copies off, beside a view that does one raw GET on the
same Valkey. All run under gunicorn with the store's own settings, on servers this script starts and stops; both sides
are driven in turn by the same client. Exit code 1 when a promised ratio is not reached.
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
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from arms import interleaved, show
from bare_view import CACHE_VARIABLE, FOLDER_VARIABLE
from keep_alive import requests_per_second

from shop.datasets import loading
from shop.db import build_engine
from shop.schema import upgrade
from shop.settings import PROJECT_ROOT, Settings, load_settings
from shop.stack import http_servers, postgres, valkey
from shop.stack.program import Program, free_port

START_TIMEOUT_S = 30
WARM_UP_REQUESTS = 200
"""Enough for every thread of every worker to have its connection."""
BARE = (sys.executable, "-m", "gunicorn", "-c", "python:shop.stack.gunicorn_conf", "bare_view:create_app()")


@dataclass(frozen=True)
class Pair:
    """One comparison.

    Args:
        title: says what is compared.
        path: the store's address, with the slug to be filled in.
        bare: the bare view's.
        promise: the least ratio of the store's requests a second to the bare view's.
        switches: how the store's stand, where not at their defaults.
    """

    title: str
    path: str
    bare: str
    promise: float
    switches: dict[str, str] = field(default_factory=dict)


PAIRS = {
    "screen": Pair("product screen (JSON), from local memory", "/api/v1/screens/product/{}", "/screen/{}", 0.70),
    "page": Pair("product page (HTML), from local memory", "/p/{}", "/page/{}", 0.75),
    "shared": Pair("product page (HTML), from Valkey", "/p/{}", "/shared/{}", 0.85, {"cache.local": "off"}),
}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="*", metavar="|".join(PAIRS), help="which comparisons; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", default="s")
    asked = parser.parse_args()
    if unknown := set(asked.pairs) - set(PAIRS):
        parser.error(f"no such comparison: {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-warm-")))
        home.chmod(0o755)
        settings = _servers(stack, home, asked.size)
        slug = _popular(settings)
        for name in ("screen", "page"):
            (home / name).write_bytes(_get(settings.port, PAIRS[name].path.format(slug)))
        bare_port = _start_bare(stack, home, settings)
        broken = [_compare(PAIRS[name], settings.port, bare_port, slug, asked) for name in asked.pairs or list(PAIRS)]
    return int(any(broken))


def _compare(pair: Pair, port: int, bare_port: int, slug: str, asked: argparse.Namespace) -> bool:
    """Measure one pair and print it; tell whether its promise is broken."""
    for name, value in pair.switches.items():
        _flip(port, name, value)
    sides = {"store, warm": (port, pair.path.format(slug)), "bare Flask view": (bare_port, pair.bare.format(slug))}
    for side in sides.values():
        for _ in range(WARM_UP_REQUESTS):
            body = _get(*side)
    found = interleaved(
        {
            name: lambda side=side: requests_per_second(*side, asked.seconds, asked.connections)
            for name, side in sides.items()
        },
        asked.rounds,
    )
    ratio = show(f"{pair.title}, {len(body):,} bytes, {asked.connections} connections", "requests/s", found)
    print(f"  promised at least {pair.promise}: {'kept' if ratio >= pair.promise else 'BROKEN'}")
    for name in pair.switches:
        _flip(port, name, "on")
    return ratio < pair.promise


def _start_bare(stack: ExitStack, home: Path, settings: Settings) -> int:
    port = free_port()
    bare = settings.model_copy(update={"port": port, "metrics_port": free_port(), "var_dir": home / "bare"})
    env = {
        **bare.as_environment(),
        FOLDER_VARIABLE: str(home),
        CACHE_VARIABLE: str(settings.cache_url),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    stack.enter_context(_running(Program("bare", BARE, port, lambda: _ok(port, "/screen/x"), env), home))
    return port


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


def _flip(port: int, name: str, value: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body, headers = json.dumps({"value": value}), {"Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/switches/{name}", body, headers)
    if connection.getresponse().status != http.client.OK:
        raise RuntimeError(f"{name} was not set")
    connection.close()
    time.sleep(1.0)  # a flip is in force in every process within a second


def _popular(settings: Settings) -> str:
    with psycopg.connect(str(settings.database_url)) as connection:
        row = connection.execute("SELECT slug FROM products ORDER BY popularity DESC LIMIT 1").fetchone()
    return row[0] if row else ""


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
