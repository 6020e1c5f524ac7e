"""The store as a newcomer gets it: `bin/shop up` in a folder of its own, and a real browser in front of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from shop.settings import PROJECT_ROOT
from shop.stack.program import free_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_TIMEOUT_S = 120
PAGE_TIMEOUT_MS = 15_000
MEMORY_LIMIT_MB = 700
"""Resident, of all processes together, on a quiet machine."""
PROPORTIONAL_LIMIT_MB = 430
"""Shared memory counted once, so that further sessions of PostgreSQL hardly add to it; a quiet store has 380."""
QUIET_DATABASE_PROCESSES = 9
SESSION_MB = 21
"""Resident size of one more session of PostgreSQL; three quarters of it is memory that all sessions share."""
SETTLE_READINGS = 80
"""One a second: PostgreSQL ends the connections of the start's rush after a minute (``SHOP_DB_IDLE_S``)."""
expect.set_options(timeout=PAGE_TIMEOUT_MS)  # five seconds are short for a page that polls on two busy cores


@dataclass(frozen=True)
class Store:
    """A running store."""

    url: str
    var: Path
    first_status: dict[str, Any] = field(default_factory=dict)
    """What ``bin/shop status`` said when it had just been started."""

    def shop(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the `shop` command against this store."""
        return subprocess.run(
            [sys.executable, "-m", "shop.cli", *words],
            cwd=PROJECT_ROOT,
            env={**os.environ, "SHOP_VAR_DIR": str(self.var)},
            capture_output=True,
            text=True,
            check=False,
            timeout=START_TIMEOUT_S,
        )


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the small data set, on a port of its own."""
    var = tmp_path_factory.mktemp("store") / "var"
    port = free_port()
    store = Store(f"http://127.0.0.1:{port}", var)
    started = store.shop("up", "--detach", "--port", str(port), "--size", "s")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        store.first_status.update(_settled_status(store))
        yield store
    finally:
        store.shop("down")


def _settled_status(store: Store) -> dict[str, Any]:
    """Return the first status within the limit, or the last one.

    Right after the first load, PostgreSQL's autovacuum processes read the new tables, and end. On a busy machine the
    first requests overlap and open a second connection each; each is a process of PostgreSQL with 20 MB.
    """
    for _ in range(SETTLE_READINGS):
        status: dict[str, Any] = json.loads(store.shop("status", "--json").stdout)
        if status["rss_mb"] < memory_limit_mb(status):
            break
        time.sleep(1)
    return status


def memory_limit_mb(status: dict[str, Any]) -> float:
    """Return the most resident memory of a store with these processes.

    On a machine that is busy with other tests, requests overlap all the time and keep a second session open. Each
    session above those of a quiet store raises the limit by its size.
    """
    sessions = next(one["processes"] for one in status["processes"] if one["name"] == "postgres")
    return MEMORY_LIMIT_MB + SESSION_MB * max(0, sessions - QUIET_DATABASE_PROCESSES)


def chromium() -> dict[str, Any]:
    """Return how the machine's own Chromium is started."""
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium on this machine (on Debian: apt install chromium)")
    return {
        "executable_path": executable,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    }


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium())
        yield browser
        browser.close()


@dataclass(frozen=True)
class Window:
    """The window every test works in, one after the other: a new one costs as much as most of the tests."""

    page: Page
    devtools: CDPSession
    complaints: list[str]
    """Of the browser, about a page that breaks its own rules."""

    def hand_over(self, origin: str) -> None:
        """Make it that of a visitor who has never been here: no cookie, nothing kept, at a desk by day."""
        self.devtools.send("Network.clearBrowserCache")
        self.devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.page.set_viewport_size({"width": 1280, "height": 720})
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        self.complaints.clear()


@pytest.fixture(scope="package")
def window(browser: Browser, store: Store) -> Iterator[Window]:
    """The one window; it notes what the browser complains of."""
    context = browser.new_context(base_url=store.url)
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text) if re.search("Content.Security.Policy|Refused to", message.text) else None
        ),
    )
    context.on(
        "request",
        lambda request: None if request.url.startswith((store.url, "data:")) else complaints.append(request.url),
    )
    page = context.new_page()
    yield Window(page, context.new_cdp_session(page), complaints)
    context.close()


@pytest.fixture
def page(window: Window, store: Store) -> Iterator[Page]:
    """A page of a visitor who has never been here; one that breaks its own rules fails the test."""
    window.hand_over(store.url)
    yield window.page
    window.page.evaluate("origin === 'null' || sessionStorage.clear()")  # the one store that only a page can empty
    assert window.complaints == []


def best_seller(page: Page) -> dict[str, object]:
    """Return the most popular product of the store."""
    answer = page.request.get("/api/v1/products?limit=1&in_stock=true")
    return dict(json.loads(answer.text())["items"][0])
