"""Values that are loaded by reading other values through the same cache: their ages do not add up."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from shop.catalog.models import Product
from shop.patterns.caching import (
    CATALOGUE,
    REFERENCE,
    Cache,
    CachePolicy,
    EarlyExpiry,
    HitCounter,
    LoadOptions,
    LockedLoad,
    LockWithEarlyExpiry,
    NoProtection,
    RefreshAhead,
    RefreshWorker,
    SharedLevel,
    StampedeState,
)
from shop.patterns.caching.events import LookupFinished
from shop.patterns.caching.inspection import inspect
from shop.patterns.caching.load_options import BACKOFF_S
from shop.patterns.caching.nested_reads import RENEWAL_SHARE
from shop.patterns.observability.cache_metrics import cache_status
from shop.wiring import build
from tests.integration.test_cache_rules import MovingClock
from tests.support.factories import make_category, make_product
from tests.support.polling import until

TTL_S = CATALOGUE.ttl_s
HOUR = CachePolicy("catalogue", ttl_s=3600, stale_while_revalidate_s=60, stale_if_error_s=600)


class Shop:
    """A page that is made from a screen; each is a value of the cache, and counts its loads."""

    def __init__(self, cache):
        self.cache, self.text, self.loads = cache, b"old", {"page": 0, "screen": 0}
        self.fails = False
        self.meanwhile = lambda: None

    def screen(self):
        return self.cache.get_or_load("screen", CATALOGUE, ["x"], self._load)

    def page(self, policy=CATALOGUE):
        return self.cache.get_or_load("page", policy, ["x"], self._render)

    def _load(self):
        self.loads["screen"] += 1
        if self.fails:
            raise OSError("the database is away")
        value = self.text
        self.meanwhile()
        return value

    def _render(self):
        self.loads["page"] += 1
        return b"page: " + self.screen()


@pytest.fixture
def clock():
    return MovingClock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def process(settings, cache_client, clock, seen):
    """The objects of one process; a second instance is another process."""
    levels = []

    def begin(strategy=LockedLoad):
        levels.append(SharedLevel(settings.cache_url, 2000, clock))
        return Shop(Cache(levels[-1], clock, seen.append, None, LoadOptions(stale_if_error=True), strategy))

    yield begin
    for level in levels:
        level.close()


@pytest.fixture
def entry(settings, cache_client, clock):
    """Inspects a stored entry."""
    level = SharedLevel(settings.cache_url, 2000, clock)
    yield lambda key: inspect(level, key, clock.now().timestamp())
    level.close()


def statuses(seen):
    return [cache_status(event) for event in seen if isinstance(event, LookupFinished)]


@pytest.mark.parametrize("strategy", [NoProtection, LockedLoad])
def test_a_page_ends_with_its_screen(process, clock, entry, strategy):
    shop = process(strategy)
    shop.screen()
    clock.advance(TTL_S - 40)
    shop.page()
    assert (entry("page").fresh_s, entry("page").kept_s) == (40, 40 + CATALOGUE.grace_s)
    shop.text = b"new"  # and the invalidation is lost
    clock.advance(41)
    assert (shop.page(), shop.loads) == (b"page: new", {"page": 2, "screen": 2})
    assert entry("page").fresh_s == TTL_S


def test_its_own_class_may_end_it_earlier(process, clock, entry):
    shop = process()
    shop.cache.get_or_load("menu", REFERENCE, [], lambda: b"menu")
    shop.cache.get_or_load("k", CATALOGUE, [], lambda: shop.cache.get_or_load("menu", REFERENCE, [], lambda: b""))
    assert entry("k").fresh_s == TTL_S


def test_a_page_from_a_stale_screen_is_not_stored(process, clock, entry, seen):
    shop = process()
    shop.screen()
    clock.advance(TTL_S + 1)
    shop.fails = True
    assert shop.page() == b"page: old"
    assert entry("page").state == "missing"
    assert statuses(seen)[-1] == "shop-shared; fwd=miss; ttl=-1; detail=stale-if-error"
    shop.fails, shop.text = False, b"new"
    clock.advance(BACKOFF_S)
    assert shop.page() == b"page: new"
    assert entry("page").fresh_s == TTL_S


def test_the_last_page_is_served_during_backoff(process, clock):
    shop = process()
    shop.page()
    clock.advance(TTL_S + 1)
    shop.fails = True
    assert [shop.page() for _ in range(5)] == [b"page: old"] * 5
    assert shop.loads == {"page": 2, "screen": 2}
    shop.fails, shop.text = False, b"new"
    clock.advance(BACKOFF_S)
    assert shop.page() == b"page: new"


def test_a_page_made_during_the_screens_load_is_not_stored(process, clock, entry, seen):
    one, other = process(), process()
    one.screen()
    clock.advance(TTL_S + 1)
    loading, may_end = threading.Event(), threading.Event()
    one.text, one.meanwhile = b"new", lambda: (loading.set(), may_end.wait(20))
    thread = threading.Thread(target=one.screen)
    thread.start()
    assert loading.wait(20)
    try:
        assert other.page() == b"page: old"
        assert statuses(seen)[-1] == "shop-shared; fwd=miss; ttl=-1; detail=stale-while-loading"
        assert entry("page").state == "missing"
    finally:
        may_end.set()
        thread.join(20)
    assert other.page() == b"page: new"
    assert entry("page").fresh_s == TTL_S


def test_all_threads_know_that_the_page_is_stale(process, clock, seen):
    state = StampedeState()
    shop = process(lambda loader: LockedLoad(loader, state))
    shop.screen()
    clock.advance(TTL_S + 1)
    may_end = threading.Event()

    def failing():
        may_end.wait(20)
        raise OSError("the database is away")

    shop._load = failing
    threads = [threading.Thread(target=shop.page) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: any(each.waiting for each in list(state.single_flight._in_progress.values())))
    may_end.set()
    for thread in threads:
        thread.join(20)
    pages = [each for each in statuses(seen) if "fwd=miss; ttl" in each]
    assert len(pages) == 2
    assert all("detail=stale-if-error" in page for page in pages)


def test_staleness_passes_through_three_values(process, clock, entry):
    shop = process()
    shop.screen()
    clock.advance(TTL_S + 1)
    shop.fails = True
    assert shop.cache.get_or_load("book", CATALOGUE, [], shop.page) == b"page: old"
    assert {entry(key).state for key in ("page", "book")} == {"missing"}


STRATEGIES = {
    "early": EarlyExpiry,
    "lock+early": LockWithEarlyExpiry,
    "refresh-ahead": lambda loader: RefreshAhead(loader, StampedeState(), HitCounter(MovingClock()), RefreshWorker()),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_load_renews_values_that_end_soon(process, clock, entry, name):
    """Otherwise the new value would end as early: its load would have been for nothing."""
    shop = process(STRATEGIES[name])
    shop.screen()
    clock.advance(TTL_S * (1 - RENEWAL_SHARE) - 1)
    shop.page()
    assert shop.loads["screen"] == 1
    shop.cache.invalidate(["none"])
    clock.advance(2)
    shop.cache.get_or_load("other page", HOUR, [], shop.screen)
    assert (shop.loads["screen"], entry("other page").fresh_s) == (2, TTL_S)


def test_a_failed_renewal_keeps_the_fresh_value(process, clock, entry):
    shop = process(LockWithEarlyExpiry)
    shop.screen()
    clock.advance(TTL_S - 10)
    shop.fails = True
    assert shop.page() == b"page: old"
    assert entry("page").fresh_s == 10


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_stale_refresh_keeps_the_fresh_entry(process, clock, entry, name):
    """The menu is fresh for as long as the page is, and the screen has ended: it was not stored with the page."""
    shop = process(STRATEGIES[name])
    shop.screen()
    clock.advance(TTL_S + 1)
    shop.fails = True
    shop.cache.get_or_load("page", CATALOGUE, ["x"], lambda: b"fresh")
    clock.advance(TTL_S - 1)
    result = shop.cache.get_or_load("book", HOUR, [], shop.page)
    assert result == b"fresh"
    assert entry("book").fresh_s == 1


# ---- in the store ----


@pytest.fixture
def blue_mug(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "blue-mug", price_amount=1200)


@pytest.fixture
def runtime(settings, database, cache_client):
    """A store behind an edge."""
    timeouts = ("request_timeout_ms", "db_statement_timeout_ms", "db_lock_timeout_ms", "cache_timeout_ms")
    patient = dict.fromkeys(timeouts, 20_000)
    runtime = build(settings.model_copy(update={"trusted_proxies": "10.0.0.0/8", **patient}))
    runtime.start()
    yield runtime
    runtime.close()


def from_edge(client, path):
    """Request a page like the edge."""
    return client.get(path, headers={"X-Edge-Key": path}, environ_base={"REMOTE_ADDR": "10.1.2.3"})


def flip(client, name, value):
    assert client.put(f"/api/v1/switches/{name}", json={"value": value}).status_code == 200


@pytest.fixture
def later(runtime, monkeypatch):
    """Sets the store's clock ahead."""
    ahead, clock = [0.0], runtime.clock
    now, monotonic = clock.now, clock.monotonic
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=ahead[0]), raising=False)
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + ahead[0], raising=False)

    def advance(seconds):
        ahead[0] += seconds

    return advance


@pytest.fixture
def products_away(database):
    """Takes the table of the products away, and brings it back."""
    state = {"away": False}

    def move(*, away):
        if state["away"] != away:
            names = ("products", "products_away") if away else ("products_away", "products")
            with database.transaction() as session:
                session.execute(text("ALTER TABLE {} RENAME TO {}".format(*names)))
            state["away"] = away

    yield move
    move(away=False)


PAGES = {"/p/blue-mug": "on", "/p/blue-mug?": "off", "/c/mugs": "on", "/": "on"}
"""Each page with a value of ``api.composite``."""


@pytest.mark.parametrize("path", PAGES)
def test_no_old_price_stays_fresh_after_an_outage(client, cache_client, database, blue_mug, later, products_away, path):
    for switch, value in {"cache.local": "off", "cache.jitter": "off", "api.composite": PAGES[path]}.items():
        flip(client, switch, value)
    assert client.get(path).status_code == 200
    cache_client.delete(*cache_client.keys("shop:1:e:page:*"))  # the server has evicted the page, and not its data
    later(TTL_S + 1)
    products_away(away=True)
    for answer in [from_edge(client, path) for _ in range(2)]:
        assert "12.00" in answer.text
        assert answer.headers["X-Accel-Expires"] == "3"
        assert "stale" not in str(answer.headers.getlist("Cache-Control"))
    products_away(away=False)
    with database.transaction() as session:  # and the invalidation is lost
        session.execute(update(Product).values(price_amount=1300))
    later(BACKOFF_S + 1)
    answer = from_edge(client, path)
    assert "13.00" in answer.text
    assert answer.headers["X-Accel-Expires"] == str(TTL_S)


@pytest.mark.parametrize("path", PAGES)
def test_each_page_ends_with_its_data(client, cache_client, database, blue_mug, later, path):
    for switch, value in {"cache.local": "off", "cache.jitter": "off", "api.composite": PAGES[path]}.items():
        flip(client, switch, value)
    client.get(path)
    cache_client.delete(*cache_client.keys("shop:1:e:page:*"))
    later(TTL_S / 2)
    client.get(path)
    with database.transaction() as session:  # and the invalidation is lost
        session.execute(update(Product).values(price_amount=1300))
    assert "12.00" in client.get(path).text
    later(TTL_S / 2 + 1)
    assert "13.00" in client.get(path).text


def test_the_edge_stores_a_stale_answer_briefly(client, cache_client, database, blue_mug, later):
    """Another request loads the screen meanwhile; this one did not wait for it."""
    flip(client, "cache.local", "off")
    flip(client, "cache.jitter", "off")  # a short lifetime would end the minute in which a stale answer may be served
    screen = "/api/v1/screens/product/blue-mug"
    client.get(screen)
    later(TTL_S + 1)
    with database.transaction() as session:
        session.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        slow = threading.Thread(target=lambda: client.application.test_client().get(screen))
        slow.start()
        until(lambda: cache_client.keys("shop:1:l:*"))
        answer = from_edge(client, screen)
    slow.join(20)
    assert "detail=stale-while-loading" in answer.headers["Cache-Status"]
    assert answer.headers["X-Accel-Expires"] == "3"
    assert "stale" not in str(answer.headers.getlist("Cache-Control"))
