import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.list_bulkhead import ListBulkhead
from shop.catalog.models import MAX_PRICE
from shop.errors import ServiceUnavailable
from tests.support.polling import until


def test_bulkhead_runs_half_queues_a_quarter_and_refuses_the_rest():
    bulkhead, release, working = ListBulkhead(threads=8, turn_timeout_s=60), threading.Event(), []

    def work():
        with bulkhead.turn():
            working.append(1)
            release.wait()

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(work) for _ in range(6)]
        until(lambda: bulkhead.admissions._value == 0)
        with (
            pytest.raises(ServiceUnavailable, match="Too many searches and filtered lists") as refused,
            bulkhead.turn(),
        ):
            pass
        assert (len(working), refused.value.retry_after) == (4, 1)
        release.set()
        for future in futures:
            future.result()
    with bulkhead.turn():
        assert len(working) == 6


def test_caller_is_refused_after_the_turn_timeout():
    bulkhead = ListBulkhead(threads=4, turn_timeout_s=0.01)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(bulkhead.turn())
        with pytest.raises(ServiceUnavailable), bulkhead.turn():
            pass


def test_process_with_one_thread_builds_lists():
    with ListBulkhead(threads=1).turn():
        pass


@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        (ListFilters(min_price=0, max_price=MAX_PRICE), ListFilters()),
        (ListFilters(min_price=1), ListFilters()),
        (ListFilters(brands=("b", "a", "b")), ListFilters(brands=("a", "b"))),
        (ListFilters(min_price=2, max_price=MAX_PRICE - 1), ListFilters(min_price=2, max_price=MAX_PRICE - 1)),
    ],
)
def test_filters_have_one_canonical_form(asked, plain):
    assert asked.normalised() == plain
