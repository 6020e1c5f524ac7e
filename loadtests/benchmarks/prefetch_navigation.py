"""Measures clicks in Chromium with and without prefetching, and the requests that prefetching costs.

    .venv/bin/python loadtests/benchmarks/prefetch_navigation.py [--rounds 5] [--clicks 6] [--links 3]

A shopper opens the page of a category, rests the pointer on some product links, one after the other, and clicks on the
last one. The browser measures from the click to the last byte of the page and to the first contentful paint. The
store's log tells the requests for product pages, and how many of them were prefetched. Both arms make the same
movements; only the switch ``web.prefetch`` differs. They are measured in turn. A proxy between browser and store delays
every byte, as the way to a phone does: on one machine a page arrives before anybody could see a difference. It does not
delay the opening of a connection. The store has no edge, and its caches are warm.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from arms import interleaved, show
from playwright.sync_api import CDPSession, Page, sync_playwright
from servers import get, serve, set_switch

from shop.patterns.observability.logs import log_path
from shop.settings import Settings

BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CARD = ".product-card__link"
READ_BYTES = 65_536
TIMING = """() => {
    const [navigation] = performance.getEntriesByType("navigation");
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return [navigation.responseEnd, paint ? paint.startTime : 0, navigation.deliveryType];
}"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


@dataclass(frozen=True)
class ClickFigures:
    """The figures of one arm in one round."""

    response_end_ms: float
    """Median, from the click to the last byte of the page."""
    paint_ms: float
    """Median, from the click to the first contentful paint."""
    from_prefetch: int
    """Clicks that the browser served from a prefetch."""
    requests_per_click: float
    """Requests for product pages that the store got."""
    wasted_share: float
    """Share of the prefetched pages that were not opened; 0 if none was prefetched."""


@contextmanager
def delaying_proxy(target_port: int, delay_s: float) -> Iterator[int]:
    """Forward TCP connections, each byte later by so many seconds in each direction; yield the proxy's port."""
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            loop.call_later(delay_s, writer.write, data)
        loop.call_later(delay_s, writer.close)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_connection("127.0.0.1", target_port)
        await asyncio.gather(pump(reader, store_writer), pump(store_reader, writer), return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(forward, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="delay", daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class ClickingShopper:
    """Moves the pointer and clicks, and reads what the browser and the store measured.

    Args:
        page: of the browser.
        devtools: empties the browser's cache.
        settings: of the store.
        port: where the browser finds the store.
        options: number of clicks and links, length of a rest.
    """

    def __init__(
        self, page: Page, devtools: CDPSession, settings: Settings, port: int, options: argparse.Namespace
    ) -> None:
        self._page = page
        self._devtools = devtools
        self._settings = settings
        self._options = options
        self._list = f"http://127.0.0.1:{port}/c/{fullest_category(settings)}"
        self.rounds: dict[str, list[ClickFigures]] = {"off": [], "on": []}

    def measure(self, value: str) -> float:
        """Measure one round with a value of the switch; return the median time to the last byte."""
        set_switch(self._settings.port, "web.prefetch", value)
        self._devtools.send("Network.clearBrowserCache")
        before = len(self._purposes())
        clicks = [self._click(number) for number in range(self._options.clicks)]
        purposes = self._purposes()[before:]
        ahead, served = purposes.count("prefetch"), [delivery for *_, delivery in clicks].count("navigational-prefetch")
        figures = ClickFigures(
            statistics.median(end for end, *_ in clicks),
            statistics.median(paint for _, paint, _ in clicks),
            served,
            len(purposes) / len(clicks),
            (ahead - served) / ahead if ahead else 0.0,
        )
        self.rounds[value].append(figures)
        return figures.response_end_ms

    def _click(self, number: int) -> tuple[float, float, str]:
        """Open the list, rest on some links and click on the last one; return what the browser measured."""
        self._page.goto(self._list)
        links = self._page.locator(CARD)
        first = number * self._options.links
        for position in range(first, first + self._options.links):
            links.nth(position % links.count()).hover()
            self._page.wait_for_timeout(self._options.rest_ms)
        with self._page.expect_navigation(wait_until="load"):
            self._page.mouse.down()
            self._page.mouse.up()
        self._page.wait_for_function(PAINTED)
        end, paint, delivery = self._page.evaluate(TIMING)
        return float(end), float(paint), str(delivery)

    def _purposes(self) -> list[str]:
        """Return the purpose of each request for a product page so far, from the store's log."""
        lines = map(json.loads, log_path(self._settings, "web").read_text().splitlines())
        return [line.get("purpose", "use") for line in lines if line.get("route") == "/p/<slug>"]


def fullest_category(settings: Settings) -> str:
    """Return the slug of the category with the most products on sale."""
    with psycopg.connect(str(settings.database_url)) as connection:
        row = connection.execute(
            "SELECT c.slug FROM products p JOIN categories c ON c.id = p.category_id GROUP BY c.slug"
            " ORDER BY count(*) DESC, c.slug LIMIT 1"
        ).fetchone()
    return row[0] if row else ""


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=6, help="in each round and arm")
    parser.add_argument("--links", type=int, default=3, help="links that the pointer rests on before a click")
    parser.add_argument("--rest-ms", type=float, default=400.0, help="how long the pointer rests on each link")
    parser.add_argument("--round-trip-ms", type=float, default=100.0, help="between browser and store")
    options = parser.parse_args()
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("no Chromium on this machine (on Debian: apt install chromium)", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = serve(stack, home, "s")
        port = stack.enter_context(delaying_proxy(settings.port, options.round_trip_ms / 2000))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_FLAGS)
        page = browser.new_page()
        shopper = ClickingShopper(page, page.context.new_cdp_session(page), settings, port, options)
        get(settings.port, f"/c/{fullest_category(settings)}")
        for value in ("off", "on"):
            shopper.measure(value)
        shopper.rounds = {"off": [], "on": []}
        interleaved({value: partial(shopper.measure, value) for value in ("off", "on")}, options.rounds)
        browser.close()
    report(shopper, options)
    return 0


def report(shopper: ClickingShopper, options: argparse.Namespace) -> None:
    """Print the figures of both arms."""
    print(
        f"{options.rounds} rounds of {options.clicks} clicks; the pointer rests {options.rest_ms:g} ms on each of "
        f"{options.links} links; {options.round_trip_ms:g} ms between browser and store"
    )
    print("From the click to the last byte of the page; 0: it was there before the click")
    for value, rounds in shopper.rounds.items():
        ends = [one.response_end_ms for one in rounds]
        print(
            f"  web.prefetch {value:<21} {statistics.median(ends):>10,.1f} ms   ({min(ends):,.1f} to {max(ends):,.1f})"
        )
    for title, unit, name in (
        ("From the click to the first contentful paint", "ms", "paint_ms"),
        ("Requests for product pages a click", "  ", "requests_per_click"),
    ):
        figures = {
            f"web.prefetch {value}": [getattr(one, name) for one in rounds] for value, rounds in shopper.rounds.items()
        }
        show(title, unit, figures)
    for value, rounds in shopper.rounds.items():
        served = sum(one.from_prefetch for one in rounds)
        wasted = statistics.median(one.wasted_share for one in rounds)
        clicks = options.rounds * options.clicks
        print(f"web.prefetch {value}: {served} of {clicks} clicks served from a prefetch")
        print(f"{'':18}{wasted:.0%} of the prefetched pages not opened")


if __name__ == "__main__":
    sys.exit(main())
