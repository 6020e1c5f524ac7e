"""The probes for ``docs/exercises/patient``: a function for each weakness. Each names the place where it is."""

import threading
from collections.abc import Mapping

from shop.exercises.probes import PatientProbe
from shop.exercises.probes.bench import LIMIT_S, PatientBench, PatientProcess, describe, unused_url
from shop.exercises.probes.supplier_stub import DAYS

MOST_CALLS = 4
MOST_ITEMS = 100
TTL_S = 300
CARD = "tok_visa_4711"
ORDER = {"product": 1, "quantity": 1, "card": CARD}
BARRIER_S = 1.0


def check_service(bench: PatientBench) -> None:
    """Check that the program still does its work."""
    service = bench.start()
    bench.add_products(3, stock=2)
    expectations: list[tuple[str, object, int]] = [
        ("/livez", {"status": "alive"}, 200),
        ("/readyz", {"status": "ready"}, 200),
        ("/products/2", {"id": 2, "name": "Mug 2", "price_cents": 1000}, 200),
        ("/products/99", None, 404),
        ("/products/1/delivery", {"days": DAYS}, 200),
        ("/products?limit=1", [{"id": 1, "name": "Mug 1", "category": "Mugs 1"}], 200),
    ]
    for path, body, status in expectations:
        came = service.get(path)
        if came is None or came.status != status or (status == 200 and came.body != body):
            bench.fail(
                f"GET {path}", f"{status}{f' {body}' if body else ''}.", came, "The repair has changed an answer."
            )
    for quantity, status in ((1, 201), (0, 400), ("many", 400), (2, 409), (1, 201), (1, 409)):
        came = service.order({**ORDER, "quantity": quantity})
        if came is None or came.status != status:
            did = f"POST /orders with the quantity {quantity!r}, of 2 pieces that were there at the beginning"
            bench.fail(did, f"{status}.", came, "orders.py: the repair has changed what is sold.")
    (stock,), (orders, total) = (
        bench.execute("SELECT stock FROM products WHERE id = 1")[0],
        bench.execute("SELECT count(*), sum(total_cents) FROM orders")[0],
    )
    if (stock, orders, total) != (0, 2, 2000):
        came_text = f"{stock} pieces left, {orders} orders of {total} cents."
        bench.fail("Two orders of one piece", "0 pieces left, 2 orders of 2000 cents.", came_text, "orders.py")


def probe_timeouts(bench: PatientBench) -> None:
    """Check that a supplier that never answers does not hold a request for ever."""
    service = bench.start()
    bench.add_products(1)
    bench.supplier.behave("is silent")
    came = service.get("/products/1/delivery")
    gave_up = came is not None or bench.supplier.calls > 1  # the call that was given up may have been tried again
    bench.supplier.release()
    if not gave_up:
        did = "timeouts: GET /products/1/delivery, while the supplier accepts the connection and says nothing"
        look = "supplier.py, fetch_days: how long may urlopen wait? One and a half seconds are generous."
        bench.fail(did, f"an answer, or another attempt, within {LIMIT_S:g} s.", None, look)


def probe_retries(bench: PatientBench) -> None:
    """Check that a failing supplier is asked a few times only."""
    service = bench.start()
    bench.add_products(1)
    bench.supplier.behave("fails")
    wait = service.begin("GET", "/products/1/delivery")
    bench.supplier.wait_for_calls(MOST_CALLS + 1, LIMIT_S, is_over=wait.is_over)
    calls = bench.supplier.calls
    came = wait() if calls <= MOST_CALLS else None
    bench.supplier.release()
    did = "retries: GET /products/1/delivery, while the supplier answers 503"
    look = "supplier.py, fetch_days: when does the loop end, if the supplier never recovers?"
    if calls > MOST_CALLS:
        expected = f"at most {MOST_CALLS} calls to the supplier."
        bench.fail(did, expected, f"{calls} calls, and no answer yet.", look)
    if came is None or came.status < 500:
        bench.fail(did, "an error of the class 5xx: the delivery time is not known.", came, look)


def probe_n_plus_one(bench: PatientBench) -> None:
    """Check that the number of statements does not grow with the length of the list."""
    service = bench.start()
    bench.add_products(30)
    counts = [_count_statements(bench, service, f"/products?limit={limit}") for limit in (5, 25)]
    if counts[1] > counts[0]:
        came = f"{counts[0]} statements for 5 products, {counts[1]} for 25."
        look = "catalog.py, list_products: the name of each category could come with its product, by a join."
        bench.fail("n-plus-one: GET /products?limit=5 and ?limit=25", "equally many statements.", came, look)


def probe_cache_ttl(bench: PatientBench) -> None:
    """Check that a changed price is shown within five minutes, also if the page is requested meanwhile."""
    service = bench.start()
    bench.add_products(1)
    service.get("/products/1")
    bench.execute("UPDATE products SET price_cents = 1200")
    bench.now_s = 0.7 * TTL_S
    service.get("/products/1")
    bench.now_s = 1.3 * TTL_S
    came = service.get("/products/1")
    if came is None or came.status != 200 or came.body.get("price_cents") != 1200:
        did = f"cache-ttl: the price changes to 1200; GET /products/1 after {0.7 * TTL_S:g} s and {1.3 * TTL_S:g} s"
        look = "catalog.py, show_product: when does an entry of _pages end? Seconds come from app.config['CLOCK']."
        bench.fail(did, f"the new price after {TTL_S} s.", came, look)


def probe_page_size(bench: PatientBench) -> None:
    """Check that one request never returns the whole table."""
    service = bench.start()
    bench.add_products(MOST_ITEMS + 50)
    for limit in (100_000, -1):
        came = service.get(f"/products?limit={limit}")
        is_refused = came is not None and 400 <= came.status < 500
        is_short = came is not None and came.status == 200 and len(came.body) <= MOST_ITEMS
        if not (is_refused or is_short):
            items = f"200 with {len(came.body)} items." if came is not None and came.status == 200 else came
            look = "catalog.py, list_products: which limits may a client ask for? SQLite reads -1 as: all."
            did = f"page-size: GET /products?limit={limit}, with {MOST_ITEMS + 50} products"
            bench.fail(did, f"at most {MOST_ITEMS} items, or a refusal with 4xx.", items, look)


def probe_errors(bench: PatientBench) -> None:
    """Check that a failure is not answered as an empty list."""
    service = bench.start(database=bench.database.parent / "missing" / "patient.db")
    came = service.get("/products")
    if came is None or came.status < 500:
        look = "catalog.py, list_products: the client cannot tell this answer from an empty shop."
        bench.fail("errors: GET /products, while the database is gone", "an error of the class 5xx.", came, look)


def probe_stock(bench: PatientBench) -> None:
    """Check that two processes never sell the same last piece."""
    processes = [bench.start(), bench.start()]
    bench.add_products(1, stock=1)
    barrier, met = threading.Barrier(2), set[int]()

    def meet(sql: str) -> None:
        """Let both requests read before one of them writes."""
        thread = threading.get_ident()
        if not sql.lstrip().upper().startswith(("SELECT", "PRAGMA")) and thread not in met:
            met.add(thread)
            try:
                barrier.wait(BARRIER_S)
            except threading.BrokenBarrierError:
                return

    bench.on_statement = meet
    pending = [process.begin("POST", "/orders", ORDER) for process in processes]
    responses = [wait() for wait in pending]
    statuses = sorted(0 if response is None else response.status for response in responses)
    orders = bench.execute("SELECT count(*) FROM orders")[0][0]
    if statuses != [201, 409] or orders != 1:
        did = "stock: two processes sell the last piece at the same time; both read before one of them writes"
        answers = " and ".join(describe(response).rstrip(".") for response in responses)
        look = "orders.py, place_order: let the UPDATE itself check the stock, and look at the number of changed rows."
        bench.fail(did, "201 and 409, and one order.", f"{answers}; {orders} orders.", look)


def probe_idempotency(bench: PatientBench) -> None:
    """Check that a repeated request with the same key orders once, whichever process receives it."""
    first, second = bench.start(), bench.start()
    bench.add_products(1)
    responses = [process.order(ORDER, {"Idempotency-Key": "key-1"}) for process in (first, first, second)]
    responses.append(second.order(ORDER, {"Idempotency-Key": "key-2"}))
    orders = bench.execute("SELECT count(*) FROM orders")[0][0]
    ids = [response.body.get("id") if response and isinstance(response.body, dict) else None for response in responses]
    if orders == 2 and None not in ids and ids[0] == ids[1] == ids[2] != ids[3]:
        return
    did = (
        "idempotency: POST /orders three times with Idempotency-Key: key-1, the third time to another process; then"
        " with key-2"
    )
    came = f"{orders} orders; the four responses name the orders {', '.join(map(str, ids))}."
    look = "orders.py, place_order: where is it stored that a key has an order? The table has a column for it."
    bench.fail(did, "2 orders: the same one three times, then another one.", came, look)


def probe_correlation(bench: PatientBench) -> None:
    """Check that each log line carries the id of its request, also if two requests overlap."""
    service = bench.start()
    bench.add_products(2)
    bench.supplier.behave("is silent")
    wait = service.begin("GET", "/products/1/delivery", headers={"X-Request-ID": "check-a"})
    bench.supplier.wait_for_calls(1, LIMIT_S, is_over=wait.is_over)
    service.get("/products/2", {"X-Request-ID": "check-b"})
    bench.supplier.release()
    wait()
    lines = service.log_lines()
    did = "correlation: two overlapping requests, with X-Request-ID: check-a and check-b"
    look = "log.py, write: how does a line get the id of its own request? flask.g belongs to one request."
    faulty = [line for line in lines if ("check-a" in line) == ("check-b" in line)]
    if not lines or faulty:
        came = f"a line without: {faulty[0]}" if faulty else "no line."
        bench.fail(did, "each line has the id of its request.", came, look)
    if "check-a" not in lines[-1]:
        expected = "the last line has check-a: that request ended last."
        bench.fail(did, expected, lines[-1], look)


def probe_secrets(bench: PatientBench) -> None:
    """Check that no log line has the token of a card."""
    service = bench.start()
    bench.add_products(1)
    service.order(ORDER)
    lines = service.log_lines()
    faulty = [line for line in lines if CARD in line]
    if faulty or not lines:
        look = "orders.py, place_order: which fields of the body does a person who reads the log need?"
        came = faulty[0] if faulty else "no line at all."
        bench.fail(f"secrets: POST /orders with the card {CARD}", "log lines without the card.", came, look)


def probe_readiness(bench: PatientBench) -> None:
    """Check that readiness depends on the database, and not on another company's server."""
    did = "readiness: GET /readyz, while the supplier's server is down"
    came = bench.start(supplier_url=unused_url()).get("/readyz")
    look = "health.py, show_readiness: how many requests need the supplier? All processes share the same supplier."
    if came is None or came.status != 200:
        bench.fail(did, "200: the catalogue and orders work without it.", came, look)
    came = bench.start(database=bench.database.parent / "missing" / "patient.db").get("/readyz")
    if came is None or came.status != 503:
        did = "readiness: GET /readyz, while the database is gone"
        bench.fail(did, "503: this process can answer nothing.", came, look)


def _count_statements(bench: PatientBench, service: PatientProcess, path: str) -> int:
    statements: list[str] = []
    bench.on_statement = statements.append
    service.get(path)
    bench.on_statement = lambda sql: None
    return len(statements)


SERVES: PatientProbe = check_service
PROBES: Mapping[str, PatientProbe] = {
    "timeouts": probe_timeouts,
    "retries": probe_retries,
    "n-plus-one": probe_n_plus_one,
    "cache-ttl": probe_cache_ttl,
    "page-size": probe_page_size,
    "errors": probe_errors,
    "stock": probe_stock,
    "idempotency": probe_idempotency,
    "correlation": probe_correlation,
    "secrets": probe_secrets,
    "readiness": probe_readiness,
}
