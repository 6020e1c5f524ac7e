"""The measurement of the exercise ``prefetch``: the requests for pages of shoppers whose browser prefetches."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("prefetch", 4)
SHOPPERS = 5
RULES_HEADER = "Speculation-Rules"
AHEAD = {"Sec-Purpose": "prefetch"}
_SEGMENT = re.compile(r":\w+")


@dataclass(frozen=True)
class PageLink:
    """A link of a page.

    Args:
        path: where it leads.
        is_excepted: whether it says that no browser should follow it ahead of a click.
    """

    path: str
    is_excepted: bool


class LinkParser(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, PageLink] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a link; the parser calls it for each start tag."""
        named = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in named:
            words = {*named.get("rel", "").split(), *named.get("class", "").split()}
            self.links[named["href"]] = PageLink(named["href"], bool(words & {"nofollow", "no-prefetch"}))


class PrefetchingShopper:
    """A shopper whose browser follows the rules that a page names.

    Args:
        store: the running store.
    """

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._ahead: set[str] = set()
        self._links: dict[str, PageLink] = {}
        self._patterns: tuple[re.Pattern[str], ...] = ()
        self.requests = 0
        """Requests for pages so far."""

    def open(self, path: str) -> None:
        """Open a page: without a request if the browser has it already.

        Raises:
            CannotJudge: the page names no rules.
        """
        if path in self._ahead:
            return
        self.requests += 1
        page = self._store.fetch(path)
        if RULES_HEADER not in page.headers:
            raise CannotJudge(f"{path} names no rules: does the store follow the switch web.prefetch?")
        parser = LinkParser()
        parser.feed(page.text)
        self._links = parser.links
        rules = self._store.fetch(json.loads(page.headers[RULES_HEADER])).json()
        self._patterns = tuple(re.compile(_SEGMENT.sub("[^/?#]+", pattern)) for pattern in _href_patterns(rules))

    def rest_on(self, path: str) -> None:
        """Rest the pointer on a link of the open page.

        Raises:
            CannotJudge: the page has no such link.
        """
        if path not in self._links:
            raise CannotJudge(f"The page has no link to {path}.")
        matches = any(pattern.fullmatch(path) for pattern in self._patterns)
        if path in self._ahead or self._links[path].is_excepted or not matches:
            return
        self.requests += 1
        self._store.fetch(path, AHEAD)
        self._ahead.add(path)


def _href_patterns(rules: dict[str, list[dict[str, dict[str, list[dict[str, str]]]]]]) -> Iterator[str]:
    """Yield the patterns of the links that may be prefetched."""
    for rule in rules["prefetch"]:
        for condition in rule["where"]["and"]:
            if "href_matches" in condition:
                yield condition["href_matches"]


def count_requests(store: StoreClient, seed: int) -> float:
    """Return how many requests for pages a few shoppers send, who rest on five links and open one of them.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a page names no rules, or lacks a link.
    """
    category = sell_products(store, PRODUCTS)
    first, second, third, _ = map(page_path, PRODUCTS)
    requests = 0
    for _ in range(SHOPPERS):
        shopper = PrefetchingShopper(store)
        shopper.open(f"/c/{category}?sort=newest")
        for path in ("/cart", first, second, first, third):
            shopper.rest_on(path)
        shopper.open(third)
        requests += shopper.requests
    return float(requests)


MEASUREMENT = StoreMeasurement(
    count_requests,
    {"web.prefetch": "on", "cache.invalidation": "event"},
    PRODUCTS,
    f"{SHOPPERS} shoppers open a list, rest the pointer on the cart, on three products, on one of them twice, and open "
    "the last",
    "Which of these links do the rules name, and which page is there already when the shopper clicks?",
    seconds=4,
)
