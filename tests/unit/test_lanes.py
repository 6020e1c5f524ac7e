"""Lanes: who shares lanes with whom, exactly, and what a queue with lanes serves while one client holds its lanes."""

from collections import Counter
from fractions import Fraction

import pytest

from shop.patterns.overload import (
    SHARED,
    AdmissionPolicy,
    CodelDiscipline,
    FifoDiscipline,
    FixedLimit,
    LanePlan,
    RequestPriority,
    RequestQueue,
    plan_lanes,
)
from shop.patterns.overload.client_address import client_of_head
from shop.patterns.overload.lanes import LANES, deal_lanes, expected_share, lane_choices
from shop.patterns.overload.queue_discipline import INTERVAL_S

LONGEST_S = 4.0
BROWSE, CHECKOUT = RequestPriority.BROWSE, RequestPriority.CHECKOUT
POISONED, OTHERS_FIRST, OTHER = (0, 1), (1, 2), (2, 3)


class Clock:
    """Seconds that only the test moves."""

    now = 100.0

    def __call__(self):
        return self.now


def make_queue(plan, length=256, discipline=FifoDiscipline, *, has_classes=False):
    clock = Clock()
    policy = AdmissionPolicy(length, LONGEST_S, FixedLimit(100), discipline, has_classes=has_classes, lanes=plan)
    return RequestQueue(clock, policy), clock


def offer_all(queue, count, lanes, priority=BROWSE):
    """Return how many of some requests of one client are refused."""
    return sum(queue.offer(f"{lanes} {number}", priority, lanes) is not None for number in range(count))


def ready(queue):
    """Take what may run now; return its lanes."""
    found = []
    while (request := queue.poll(lambda late: None)) is not None:
        found.append((request.lanes, request.lane))
    return found


@pytest.mark.parametrize(("picked", "share"), [(1, Fraction(1, 8)), (2, Fraction(1, 28))])
def test_exactly_this_share_of_choices_has_the_same_lanes(picked, share):
    choices = lane_choices(LANES, picked)
    for poisoned in choices:
        same = sum(set(choice) == set(poisoned) for choice in choices)
        assert Fraction(same, len(choices)) == share
    assert expected_share(LANES, picked) == pytest.approx(float(share))


def test_twelve_of_28_pairs_share_one_lane():
    pairs = {frozenset(choice) for choice in lane_choices(LANES, 2)}
    poisoned = frozenset(POISONED)
    assert Counter(len(pair & poisoned) for pair in pairs) == {0: 15, 1: 12, 2: 1}


@pytest.mark.parametrize("picked", [1, 2])
def test_clients_are_dealt_evenly(picked):
    choices = lane_choices(LANES, picked)
    dealt = Counter(deal_lanes(f"address:10.0.{n // 256}.{n % 256}", LANES, picked) for n in range(1000 * len(choices)))
    assert set(dealt) == set(choices)
    assert 850 < min(dealt.values()) <= max(dealt.values()) < 1150  # five standard deviations are 158


def test_every_process_deals_the_same_lanes():
    """A value that was written down: Python's own hash of a text differs from process to process."""
    assert deal_lanes("address:127.9.8.7", LANES, 2) == (1, 7)


def test_another_seed_deals_the_clients_anew():
    clients = [f"address:10.0.0.{n}" for n in range(200)]
    first, second = ([deal_lanes(one, LANES, 2, seed) for one in clients] for seed in (1, 2))
    assert sum(map(tuple.__eq__, first, second)) < 20


@pytest.mark.parametrize(
    ("threads", "picked", "plan"),
    [
        (16, 2, LanePlan(8, 2, 2)),
        (8, 1, LanePlan(8, 1, 1)),
        (12, 2, LanePlan(8, 1, 2)),
        (4, 2, LanePlan(4, 1, 2)),
        (1, 2, LanePlan(1, 1, 1)),
    ],
)
def test_every_lane_has_at_least_one_thread(threads, picked, plan):
    assert plan_lanes(threads, picked) == plan
    assert plan.lanes * plan.threads <= threads


def test_undivided_threads_need_no_client():
    assert SHARED.deal("anybody") == plan_lanes(1, 2).deal("anybody") == ()


def test_poisonous_client_holds_no_thread_of_other_lanes():
    queue, _ = make_queue(plan_lanes(16, 2))
    offer_all(queue, 20, POISONED)
    assert ready(queue) == [(POISONED, 0), (POISONED, 0), (POISONED, 1), (POISONED, 1)]
    assert queue.full_lanes == 2
    offer_all(queue, 1, OTHER)
    assert ready(queue) == [(OTHER, 2)]


def test_client_with_one_lane_in_common_takes_its_other():
    queue, _ = make_queue(plan_lanes(8, 2))
    offer_all(queue, 10, POISONED)
    ready(queue)
    offer_all(queue, 1, OTHERS_FIRST)
    assert ready(queue) == [(OTHERS_FIRST, 2)]
    offer_all(queue, 1, tuple(reversed(POISONED)))
    assert ready(queue) == []


def test_without_lanes_one_client_holds_every_thread():
    queue, _ = make_queue(SHARED)
    offer_all(queue, 20, ())
    assert len(ready(queue)) == 20
    assert queue.full_lanes == 0


def test_lane_is_free_again_when_its_request_ends():
    queue, _ = make_queue(plan_lanes(8, 1))
    offer_all(queue, 2, (3,))
    request = queue.take(print)
    assert ready(queue) == []
    queue.done(request, 0.1)
    assert ready(queue) == [((3,), 3)]


def test_checkouts_hold_a_lane_though_they_run_beside_the_limit():
    queue, _ = make_queue(plan_lanes(8, 1), has_classes=True)
    offer_all(queue, 2, (3,), CHECKOUT)
    request = queue.take(print)
    assert ready(queue) == []
    queue.done(request, 0.1)
    assert ready(queue) == [((3,), 3)]


@pytest.mark.parametrize(("picked", "lanes", "room"), [(1, (0,), 32), (2, (0, 1), 64)])
def test_one_client_fills_only_its_share_of_the_queue(picked, lanes, room):
    queue, _ = make_queue(plan_lanes(8, picked), length=256)
    assert offer_all(queue, 300, lanes) == 300 - room
    assert offer_all(queue, 10, tuple(7 - lane for lane in lanes)) == 0


def test_full_lane_gives_up_its_own_lowest_class_only():
    queue, clock = make_queue(plan_lanes(8, 1), length=16, has_classes=True)
    queue.offer("page of another lane", BROWSE, (1,))
    clock.now += 0.1
    queue.offer("page", BROWSE, (0,))
    queue.offer("first checkout", CHECKOUT, (0,))
    assert queue.offer("checkout", CHECKOUT, (0,)).work == "page"
    assert queue.offer("one more", CHECKOUT, (0,)).work == "one more"


def test_stuck_lane_does_not_shorten_the_patience_of_others():
    queue, clock = make_queue(plan_lanes(8, 1), discipline=CodelDiscipline)
    offer_all(queue, 3, (0,))
    ready(queue)
    late = []
    for _ in range(10):  # the lane stands, and refuses
        clock.now += INTERVAL_S / 4
        offer_all(queue, 1, (0,))
        queue.expire(late.append)
    offer_all(queue, 2, (1,))
    assert ready(queue) == [((1,), 1)]
    clock.now += INTERVAL_S / 2
    before = len(late)
    queue.expire(late.append)
    assert {request.lanes for request in late} == {(0,)}
    assert len(late) > before > 0


def test_oldest_request_is_first_among_free_lanes():
    queue, clock = make_queue(plan_lanes(8, 1))
    for lane in (5, 2, 7):
        offer_all(queue, 1, (lane,))
        clock.now += 0.1
    assert [lane for _, lane in ready(queue)] == [5, 2, 7]


def test_new_plan_applies_to_what_waits_and_runs():
    queue, _ = make_queue(plan_lanes(8, 2))
    offer_all(queue, 4, POISONED)
    running = [queue.take(print), queue.take(print)]
    queue.apply(AdmissionPolicy(256, LONGEST_S, FixedLimit(100)))
    assert ready(queue) == [(POISONED, None), (POISONED, None)]
    queue.apply(AdmissionPolicy(256, LONGEST_S, FixedLimit(100), lanes=plan_lanes(8, 2)))
    for request in running:
        queue.done(request, 0.1)
    assert queue.full_lanes == 0


HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: %b\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "peer", "client"),
    [
        (HEAD % b"203.0.113.9", "127.0.0.1", "address:203.0.113.9"),
        (HEAD % b"2001:db8::1", "127.0.0.1", "address:2001:db8::/64"),
        (HEAD % b"203.0.113.9", "198.51.100.1", "address:198.51.100.1"),
        (HEAD % b"203.0.113.9, 127.0.0.1", "127.0.0.1", "address:127.0.0.1"),
        (b"GET / HTTP/1.1\r\n\r\nx\r\nX-Forwarded-For: 203.0.113.9\r\n", "127.0.0.1", "address:127.0.0.1"),
        (b"", "127.0.0.1", "address:127.0.0.1"),
        (HEAD % b"203.0.113.9", "", "address:none"),
    ],
)
def test_client_is_the_address_that_a_trusted_proxy_names(head, peer, client):
    assert client_of_head(head, peer, lambda address: address == "127.0.0.1") == client
