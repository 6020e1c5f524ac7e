"""The switches: every one that is listed does something, everywhere, within a second."""

import json
import os

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import event, text

from shop.cli.switch import switch
from shop.errors import InvalidFields
from shop.patterns.caching import CATALOGUE
from shop.patterns.overload import RequestPriority, RequestQueue
from shop.patterns.resilience import deadlines
from shop.switches.registry import SWITCHES, SwitchSnapshot
from shop.switches.store import SwitchStore
from tests.integration.test_cache_rules import MovingClock
from tests.support.cache_measures import CACHE_MEASURES
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.polling import seconds_until
from tests.support.web_server import WebServer

SCREEN = "/api/v1/screens/product/blue-mug"


@pytest.fixture
def blue_mug(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "blue-mug")


def queries_of_a_warm_screen(client, runtime):
    client.put("/api/v1/switches/cache.local", json={"value": "off"})  # copies would hide what lies behind them
    client.get(SCREEN)
    return client.get(SCREEN).headers["Server-Timing"].split('desc="')[1].split()[0]


def who_answers_a_warm_screen(client, runtime):
    client.get(SCREEN)
    return client.get(SCREEN).headers["Cache-Status"].partition("; hit")[0]


def scripts_that_ask_for_parts(client, runtime):
    page = client.get("/p/blue-mug")
    assert page.status_code == 200
    return page.text


def lines_a_request(client, runtime):
    path = runtime.access_lines.path
    before = len(path.read_bytes().splitlines()) if path.exists() else 0
    client.get(SCREEN)
    return (len(path.read_bytes().splitlines()) if path.exists() else 0) - before


def rules_that_a_page_names(client, runtime):
    return client.get("/p/blue-mug").headers.get("Speculation-Rules")


def bytes_sent_to_who_has_it_already(client, runtime):
    validator = client.get(SCREEN).headers.get("ETag", '""')
    return len(client.get(SCREEN, headers={"If-None-Match": validator}).data)


def pieces_after_the_same_addition_was_sent_twice(client, runtime):
    key = {"Idempotency-Key": client.get("/api/v1/switches").headers["X-Request-ID"]}
    guest = client.application.test_client()
    guest.post("/api/v1/cart/items", json={"product": "blue-mug"})
    for _ in range(2):
        cart = guest.post("/api/v1/cart/items", json={"product": "blue-mug"}, headers=key).json
    return cart["count"]


def orders_left_by_a_checkout_that_was_refused(client, runtime):
    with runtime.database.reading() as session:
        before = session.scalar(text("SELECT count(*) FROM orders"))
    assert check_out(client, pieces=99).status_code == 409
    with runtime.database.reading() as session:
        return session.scalar(text("SELECT count(*) FROM orders")) - before


def how_a_checkout_takes_its_stock(client, runtime):
    seen = []

    def look(connection, cursor, statement, parameters, context, many):
        if "stock_items SET" in statement or ("FROM stock_items" in statement and "products" not in statement):
            seen.append((connection.get_isolation_level(), statement))

    event.listen(runtime.database.engine, "before_cursor_execute", look)
    check_out(client)
    event.remove(runtime.database.engine, "before_cursor_execute", look)
    return tuple(seen)


def check_out(client, pieces=1):
    guest = client.application.test_client()
    guest.post("/api/v1/cart/items", json={"product": "blue-mug", "quantity": pieces})
    return guest.post("/api/v1/checkout", json=DETAILS, headers={"Idempotency-Key": "one"})


def rows_that_are_there_with_the_answer(*tables):
    def count(runtime):
        with runtime.database.reading() as session:
            return [session.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables]  # noqa: S608

    def measure(client, runtime):
        before = count(runtime)
        assert check_out(client).status_code == 201
        return tuple(now - then for now, then in zip(count(runtime), before, strict=True))

    return measure


def seconds_at_the_edge(client, runtime):
    return runtime.services().edge.headers({"HTTP_X_EDGE_KEY": "/"}, CATALOGUE, ())[0]


def attempts(runtime):
    """Attempts that reached the provider so far."""
    return sum(
        sample.value
        for family in runtime.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "shop_dependency_attempts_total" and sample.labels["outcome"] in ("ok", "failed")
    )


def attempts_of_one_look_at_an_overloaded_provider(client, runtime):
    client.put("/api/v1/switches/payments.breaker", json={"value": "off"})
    return attempts_of_looks(runtime, 1)


def attempts_of_looks_that_use_up_every_budget(client, runtime):
    client.put("/api/v1/switches/payments.breaker", json={"value": "off"})
    return attempts_of_looks(runtime, 18)  # 36 retries without a budget; the quota pays 35


def attempts_of_many_looks_at_an_overloaded_provider(client, runtime):
    client.put("/api/v1/switches/payments.retries", json={"value": "off"})
    return attempts_of_looks(runtime, 2 * runtime.settings.payments_breaker_calls)


def attempts_of_looks(runtime, count):
    manners(runtime, error_rate=1)
    before = attempts(runtime)
    for _ in range(count):
        runtime.services().payments.find_charge("nothing")
    return attempts(runtime) - before


def what_a_hurried_caller_hears_of_a_slow_provider(client, runtime):
    manners(runtime, latency_ms=400)
    with deadlines.within(0.1):
        return type(runtime.services().payments.find_charge("nothing")).__name__


def manners(runtime, **given):
    known = {"Authorization": f"Bearer {runtime.settings.payments_api_key}"}
    httpx.patch(f"{runtime.settings.payments_url}/admin/settings", json=given, headers=known).raise_for_status()


def limit_told_with_a_write(client, runtime):
    return client.post("/api/v1/cart/items", json={"product": "blue-mug"}).headers.get("RateLimit-Policy")


def limit_after_slow_requests(client, runtime):
    limit = runtime.services().admission.limit
    for _ in range(10):
        limit.observe(0.02, 1)
    for _ in range(10):
        limit.observe(0.5, limit.value)
    return limit.value


def who_is_served_in_a_standing_queue(client, runtime):
    clock = MovingClock()
    queue = RequestQueue(clock.monotonic, runtime.services().admission)
    queue.offer("kept", RequestPriority.BROWSE)
    queue.offer("oldest", RequestPriority.BROWSE)
    clock.advance(1.2)
    queue.expire(lambda request: None)
    for name in ("older", "newest"):
        queue.offer(name, RequestPriority.BROWSE)
        clock.advance(0.03)
    return queue.take(lambda request: None).work


def requests_of_one_client_that_run_at_once(client, runtime):
    admission = runtime.services().admission
    queue = RequestQueue(MovingClock().monotonic, admission)
    for number in range(runtime.settings.threads):
        queue.offer(number, RequestPriority.BROWSE, admission.lanes.deal("one client"))
    running = 0
    while queue.poll(lambda request: None) is not None:
        running += 1
    return running


MEASURES = {
    "cache.browser": bytes_sent_to_who_has_it_already,
    "cache.edge": seconds_at_the_edge,
    "cache.local": who_answers_a_warm_screen,
    "cache.shared": queries_of_a_warm_screen,
    "checkout.idempotency": pieces_after_the_same_addition_was_sent_twice,
    "checkout.transaction": orders_left_by_a_checkout_that_was_refused,
    "checkout.stock": how_a_checkout_takes_its_stock,
    **CACHE_MEASURES,
    "orders.confirmation": rows_that_are_there_with_the_answer("mails", "outbox"),
    "orders.projection": rows_that_are_there_with_the_answer("order_summaries"),
    "api.composite": scripts_that_ask_for_parts,
    "payments.breaker": attempts_of_many_looks_at_an_overloaded_provider,
    "payments.timeout": what_a_hurried_caller_hears_of_a_slow_provider,
    "payments.retries": attempts_of_one_look_at_an_overloaded_provider,
    "web.prefetch": rules_that_a_page_names,
    "retry.budget": attempts_of_looks_that_use_up_every_budget,
    "overload.rate_limit": limit_told_with_a_write,
    "overload.shedding": limit_after_slow_requests,
    "overload.queue": who_is_served_in_a_standing_queue,
    "overload.lanes": requests_of_one_client_that_run_at_once,
    "observability.logs": lines_a_request,
}
"""For each switch, something that can be counted from outside and must differ between its values."""


def test_every_switch_has_a_measure():
    assert set(MEASURES) == set(SWITCHES)


@pytest.mark.parametrize("name", SWITCHES)
def test_every_value_of_a_switch_changes_something_measurable(client, runtime, blue_mug, simulator, name):
    found = {}
    for value in SWITCHES[name].values:
        assert client.put(f"/api/v1/switches/{name}", json={"value": value}).status_code == 200
        found[value] = MEASURES[name](client, runtime)
    assert len(set(found.values())) == len(found), found


def test_list_shows_every_switch_with_values_and_current_value(client):
    client.put("/api/v1/switches/cache.shared", json={"value": "off"})
    answer = client.get("/api/v1/switches").json
    items = {item["name"]: item for item in answer["items"]}
    assert set(items) == set(SWITCHES)
    assert answer["applied"] is True, "the one process applies what it has set"
    assert items["cache.shared"]["value"] == "off"
    assert items["cache.shared"]["default"] == "on"
    assert all(item["teaches"] for item in items.values())


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("cache.shard", "off", "Did you mean cache.shared?"),
        ("cache.shared", "maybe", "on, off"),
        ("x", "on", "no switch"),
    ],
)
def test_unknown_switch_is_refused_with_the_known_names(client, name, value, says):
    answer = client.put(f"/api/v1/switches/{name}", json={"value": value})
    assert answer.status_code == 422
    assert says in answer.json["detail"]
    assert client.get("/api/v1/switches").json["items"][0]["value"] == "on"


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, switch in SWITCHES.items() for value in switch.unsafe]
)
def test_an_unsafe_value_is_refused_outside_the_lab(database, name, value):
    SwitchStore(database, allow_unsafe=True).set(name, value)
    with pytest.raises(InvalidFields, match="unsafe"):
        SwitchStore(database, allow_unsafe=False).set(name, value)


def test_unsafe_value_left_by_a_lab_is_ignored_in_production(database):
    SwitchStore(database, allow_unsafe=True).set("checkout.stock", "naive")
    SwitchStore(database, allow_unsafe=True).set("cache.shared", "off")
    assert SwitchStore(database, allow_unsafe=False).load() == {"cache.shared": "off"}


def test_unknown_stored_value_counts_as_the_default():
    assert SwitchSnapshot.from_stored({"cache.shared": "sideways", "gone": "on"}) == SwitchSnapshot.from_stored({})


def test_the_lab_page_flips_with_plain_forms(client, runtime):
    assert "cache.shared" in client.get("/lab").text
    answer = client.post("/lab/switches/cache.shared", data={"value": "off"})
    assert (answer.status_code, answer.location) == (303, "/lab")
    assert runtime.switch_poller.current()["cache.shared"] == "off"
    client.post("/lab/reset")
    assert runtime.switch_poller.current()["cache.shared"] == "on"


def test_the_lab_page_tells_what_the_last_requests_cost(client, runtime, blue_mug):
    if runtime.access_lines.path.exists():  # other tests write there by clocks that are years ahead
        os.truncate(runtime.access_lines.path, 0)
    client.get(SCREEN)
    client.get(SCREEN)
    page = client.get("/lab").text
    assert SCREEN in page
    assert "shop-shared; fwd=miss" in page
    assert "shop-local; hit" in page
    assert "50.0 %" in page


@pytest.fixture
def command(settings, database, monkeypatch):
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(switch, list(words))


def test_the_command_flips_reads_and_resets(command):
    assert command("set", "cache.shared", "off").exit_code == 0
    assert command("get", "cache.shared").output == "off\n"
    listed = json.loads(command("list", "--json").output)
    assert [item["value"] for item in listed["items"] if item["name"] == "cache.shared"] == ["off"]
    assert command("reset").exit_code == 0
    assert json.loads(command("get", "cache.shared", "--json").output)["value"] == "on"


@pytest.mark.parametrize("words", [("get", "cache.shard"), ("set", "cache.shard", "on"), ("reset", "cache.shard")])
def test_the_command_names_the_nearest_switch_and_exits_with_2(command, words):
    answer = command(*words)
    assert answer.exit_code == 2
    assert "Did you mean cache.shared?" in answer.output


def test_every_process_applies_a_change_within_a_second(settings, database, blue_mug, tmp_path):
    servers = [WebServer(settings, tmp_path / name) for name in ("one", "two")]
    try:
        for server in servers:
            server.wait()
            httpx.get(server.url + SCREEN)  # filled: from here on only the switch decides
        assert all("hit" in httpx.get(server.url + SCREEN).headers["Cache-Status"] for server in servers)
        httpx.put(f"{servers[0].url}/api/v1/switches/cache.local", json={"value": "off"})

        def in_force():
            answers = [httpx.get(server.url + SCREEN) for server in servers]
            return all("shop-local; fwd=bypass" in answer.headers["Cache-Status"] for answer in answers)

        assert seconds_until(in_force) < 1.2, "a second, and what a busy machine adds"
    finally:
        for server in servers:
            server.stop()
