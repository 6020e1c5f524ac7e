"""Admission: the class of a request, the limit of requests at once, and the queue with its disciplines."""

import threading

import pytest

from shop.patterns.overload import (
    AdaptiveLifoDiscipline,
    AdmissionPolicy,
    AimdLimit,
    CodelDiscipline,
    FifoDiscipline,
    FixedLimit,
    GradientLimit,
    RequestPriority,
    RequestQueue,
    classify,
)
from shop.patterns.overload.concurrency_limit import MIN_LIMIT, WINDOW
from shop.patterns.overload.queue_discipline import INTERVAL_S, TARGET_S
from shop.patterns.overload.request_queue import STUCK_S

LONGEST_S = 4.0
CHECKOUT, CART, SIGNED_IN, BROWSE, PASSWORD, SPECULATIVE = RequestPriority


class Clock:
    """Seconds that only the test moves."""

    now = 100.0

    def __call__(self):
        return self.now


def head(line, *fields):
    return "\r\n".join([f"{line} HTTP/1.1", "Host: shop", *fields, "", ""]).encode()


@pytest.mark.parametrize(
    ("priority", "line", "fields"),
    [
        (CHECKOUT, "POST /api/v1/checkout", []),
        (CHECKOUT, "GET /checkout?step=2", []),
        (CHECKOUT, "POST /webhooks/payments", []),
        (CHECKOUT, "PUT /api/v1/switches/cache.edge", []),
        (CHECKOUT, "GET /admin/products", ["Cookie: account=x"]),
        (CHECKOUT, "GET /lab", []),
        (CART, "POST /api/v1/cart/items", ["User-Agent: bot"]),
        (CART, "GET /cart", []),
        (PASSWORD, "POST /login", ["User-Agent: bot"]),
        (PASSWORD, "POST /api/v1/session", ["Cookie: account=x"]),
        (PASSWORD, "POST /api/v1/password-resets/confirm?from=mail", []),
        (PASSWORD, "POST http://shop/account/password", []),
        (BROWSE, "GET /login", []),
        (BROWSE, "POST /login-help", []),
        (SIGNED_IN, "DELETE /api/v1/session", ["Cookie: account=x"]),
        (SIGNED_IN, "GET /orders", ["Cookie: notes=1; account=x"]),
        (SIGNED_IN, "GET /api/v1/orders", ["authorization: Bearer t"]),
        (SIGNED_IN, "GET /", ["Cookie: __Host-account=x"]),
        (BROWSE, "GET /p/mug", ["Cookie: session=account=1"]),
        (BROWSE, "GET /cartoons", []),
        (BROWSE, "GET /p/checkout", []),
        (BROWSE, "GET /p/mug", ["User-Agent: Mozilla/5.0 (X11; Linux x86_64; robotics lab)"]),
        (SPECULATIVE, "GET /p/mug", ["Sec-Purpose: prefetch;prerender", "Cookie: account=x"]),
        (SPECULATIVE, "GET /p/mug", ["User-Agent: Mozilla/5.0 (compatible; ExampleBot/2.1)"]),
        (BROWSE, "GET http://shop/p/mug", []),
        (CHECKOUT, "POST http://shop/checkout", []),
        (BROWSE, "", []),
    ],
)
def test_class_follows_from_the_first_bytes(priority, line, fields):
    assert classify(head(line, *fields)) == priority


def test_gradient_limit_falls_under_overload_and_rises_again():
    limit = GradientLimit(16)
    for _ in range(3 * WINDOW):
        limit.observe(0.02, 1)
    for _ in range(20 * WINDOW):
        limit.observe(0.02 * limit.value, limit.value)  # one processor: all share it
    assert MIN_LIMIT <= limit.value <= 4
    for _ in range(20 * WINDOW):
        limit.observe(0.02, limit.value)
    assert limit.value == 16


def test_gradient_limit_does_not_get_used_to_overload():
    limit = GradientLimit(16)
    for _ in range(WINDOW):
        limit.observe(0.02, 1)
    for _ in range(1000 * WINDOW):
        limit.observe(0.5, limit.value)
    assert limit.value == MIN_LIMIT


def test_gradient_limit_follows_a_slower_database():
    """Requests that run alone take longer, too: that is no overload."""
    limit = GradientLimit(16)
    for _ in range(WINDOW):
        limit.observe(0.02, 1)
    for _ in range(20 * WINDOW):
        limit.observe(0.2, 1)
    for _ in range(20 * WINDOW):
        limit.observe(0.2, limit.value)
    assert limit.value == 16


@pytest.mark.parametrize("limit", [GradientLimit(8), AimdLimit(8)])
def test_limit_of_an_idle_process_does_not_rise(limit):
    for _ in range(50 * WINDOW):
        limit.observe(1.0, limit.value)
    low = limit.value
    for _ in range(50 * WINDOW):
        limit.observe(0.001, 0)
    assert limit.value == low < 8


def test_aimd_limit_falls_by_a_tenth_and_rises_by_one():
    limit = AimdLimit(10, slow_s=0.25)
    limit.observe(0.3, 10)
    assert limit.value == 9
    for _ in range(10):
        limit.observe(0.1, 9)
    assert limit.value == 10


def make_queue(length=100, limit=100, discipline=FifoDiscipline, *, has_classes=True):
    clock = Clock()
    policy = AdmissionPolicy(length, LONGEST_S, FixedLimit(limit), discipline, has_classes=has_classes)
    return RequestQueue(clock, policy), clock


def taken(queue, count):
    late = []
    requests = [queue.poll(late.append) for _ in range(count)]
    return [request and request.work for request in requests], [request.work for request in late]


def test_standing_codel_queue_refuses_at_the_door():
    queue, clock = make_queue(limit=3, discipline=CodelDiscipline)
    queue.offer("first", BROWSE)
    clock.now += INTERVAL_S + 0.01
    refused = [queue.offer(number, BROWSE) for number in range(4)]
    assert [one and one.work for one in refused] == [None, None, 2, 3]
    clock.now += TARGET_S / 2
    assert taken(queue, 2) == ([0, 1], ["first"])
    assert queue.offer("again", BROWSE) is None


def test_better_classes_are_served_first():
    queue, _ = make_queue()
    for priority in reversed(RequestPriority):
        assert queue.offer(priority.label, priority) is None
    assert taken(queue, 6)[0] == ["checkout", "cart", "signed-in", "browse", "password", "speculative"]


def test_without_classes_the_order_is_that_of_arrival():
    queue, _ = make_queue(has_classes=False)
    for priority in reversed(RequestPriority):
        queue.offer(priority.label, priority)
    assert taken(queue, 6)[0] == ["speculative", "password", "browse", "signed-in", "cart", "checkout"]


def test_lower_class_finds_the_queue_full_earlier():
    queue, _ = make_queue(length=20)
    refusals = {
        priority: next(number for number in range(100) if queue.offer(number, priority) is not None)
        for priority in reversed(RequestPriority)
    }
    assert refusals == {SPECULATIVE: 1, PASSWORD: 9, BROWSE: 0, SIGNED_IN: 5, CART: 3, CHECKOUT: 2}


def test_full_queue_gives_up_its_lowest_class_for_a_better():
    queue, _ = make_queue(length=2)
    queue.offer("first page", SIGNED_IN)
    queue.offer("second page", SIGNED_IN)
    assert queue.offer("checkout", CHECKOUT).work == "second page"
    assert queue.offer("another page", SIGNED_IN).work == "another page"
    assert taken(queue, 2)[0] == ["checkout", "first page"]


def test_full_queue_without_classes_refuses_the_newcomer():
    queue, _ = make_queue(length=1, has_classes=False)
    queue.offer("page", BROWSE)
    assert queue.offer("checkout", CHECKOUT).work == "checkout"


def test_fifo_serves_what_waited_up_to_the_longest_wait():
    queue, clock = make_queue()
    queue.offer("old", BROWSE)
    clock.now += 1
    queue.offer("new", BROWSE)
    clock.now += LONGEST_S - 0.5
    assert taken(queue, 1) == (["new"], ["old"])


def test_codel_serves_a_burst_and_refuses_in_a_standing_queue():
    queue, clock = make_queue(discipline=CodelDiscipline)
    for number in range(10):
        queue.offer(number, BROWSE)
    clock.now += INTERVAL_S * 0.9
    assert taken(queue, 5) == ([0, 1, 2, 3, 4], [])
    queue.offer("fresh", BROWSE)
    clock.now += INTERVAL_S * 0.2
    queue.offer("fresher", BROWSE)
    clock.now += TARGET_S * 0.9
    assert taken(queue, 1) == (["fresher"], [5, 6, 7, 8, 9, "fresh"])


def test_codel_takes_no_queue_emptied_by_refusals_for_a_burst():
    queue, clock = make_queue(discipline=CodelDiscipline)
    queue.offer("late", BROWSE)
    clock.now += INTERVAL_S * 1.5
    refused = []
    queue.expire(refused.append)
    queue.offer("next", BROWSE)
    clock.now += TARGET_S * 1.5
    queue.expire(refused.append)
    assert [request.work for request in refused] == ["late", "next"]
    clock.now += INTERVAL_S * 1.5  # nobody was refused for a while
    queue.offer("burst", BROWSE)
    clock.now += INTERVAL_S * 0.5
    assert taken(queue, 1) == (["burst"], [])


@pytest.mark.parametrize("patient", [CHECKOUT, PASSWORD])
def test_patient_class_waits_longest_in_a_standing_queue(patient):
    queue, clock = make_queue(discipline=CodelDiscipline)
    queue.offer("patient", patient)
    queue.offer("page", BROWSE)
    clock.now += LONGEST_S * 0.9
    assert taken(queue, 1) == (["patient"], ["page"])


def test_adaptive_lifo_serves_the_newest_once_the_queue_stands():
    queue, clock = make_queue(discipline=AdaptiveLifoDiscipline)
    for number in range(3):
        queue.offer(number, BROWSE)
    assert taken(queue, 1)[0] == [0]
    clock.now += INTERVAL_S * 1.1
    queue.offer(3, BROWSE)
    assert taken(queue, 3)[0] == [3, 2, 1]


def test_no_more_run_than_the_limit_except_patient_classes():
    queue, _ = make_queue(limit=2)
    for number in range(3):
        queue.offer(number, BROWSE)
    running = [queue.take(print) for _ in range(2)]
    queue.offer("log-in", PASSWORD)
    queue.offer("checkout", CHECKOUT)
    assert taken(queue, 2)[0] == ["checkout", "log-in"]
    third = []
    thread = threading.Thread(target=lambda: third.append(queue.take(print).work))
    thread.start()
    thread.join(0.2)
    assert third == []
    queue.done(running[0], 0.01)
    thread.join(5)
    assert third == [2]


def test_request_that_hangs_keeps_nobody_from_a_thread():
    queue, clock = make_queue(limit=1)
    queue.offer("hangs", BROWSE)
    hanging = queue.take(print)
    queue.offer("page", BROWSE)
    clock.now += STUCK_S
    assert queue.take(print).work == "page"
    queue.done(hanging, 5.0)


def test_closed_queue_ends_its_threads_after_what_waits():
    queue, _ = make_queue()
    queue.offer("last", BROWSE)
    queue.close()
    assert queue.take(print).work == "last"
    assert queue.take(print) is None


def test_new_rules_apply_to_what_waits_already():
    queue, clock = make_queue(limit=0, has_classes=False)
    queue.offer("page", BROWSE)
    queue.apply(AdmissionPolicy(10, 0.5, FixedLimit(1), CodelDiscipline))
    clock.now += 0.6
    refused = []
    queue.expire(refused.append)
    assert [request.work for request in refused] == ["page"]
