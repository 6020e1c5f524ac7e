"""What the drivers make of what they saw: pure functions, by table."""

import pytest

from shop.errors import ServiceUnavailable
from shop.lab.cache_status import lookups, who_answered
from shop.lab.drivers import bystanders, checkouts, flash_sale, lag, loss, retries, staleness
from shop.lab.drivers.auditor import AuditorMismatch
from shop.lab.drivers.checkouts import CheckoutSample, check_out_at_rate
from shop.lab.drivers.loss import LossParams
from shop.lab.drivers.price_watch import PriceHistory, PricePurchase, PriceRead
from shop.lab.drivers.retries import surplus_orders
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.load_generator import SimulatedBrowser
from shop.lab.metrics_client import sum_samples


def samples(visits, **fields):
    """Samples of visits, each (due, milliseconds, who answered)."""
    given = {
        "offered": len(visits),
        "seconds": 10.0,
        "latencies_ms": [ms for _, ms, _ in visits],
        "succeeded": [bool(who) for *_, who in visits],
        "calls": len(visits),
        "queries": 0,
        "lookups": {},
        "errors": {},
        "cpu_share": 0.1,
        "release_lag_p95_ms": 0.0,
        "due_s": [due for due, *_ in visits],
        "answered_by": [who for *_, who in visits],
    }
    return LoadSamples(**{**given, **fields})


@pytest.mark.parametrize(
    ("status", "told", "who"),
    [
        (200, "shop-shared; fwd=miss; stored, shop-local; fwd=miss; stored", "origin"),
        (200, "shop-shared; hit; ttl=3, shop-local; fwd=miss; stored", "shared"),
        (200, "shop-local; hit; ttl=3", "local"),
        (200, "shop-shared; fwd=miss; stored, shop-local; fwd=miss, shop-edge; hit; ttl=9", "edge"),
        (200, "shop-local; hit; ttl=3, shop-edge; fwd=miss; stored", "local"),
        (200, "shop-shared; hit; ttl=9, shop-shared; fwd=miss; stored", "origin"),
        (200, "", "origin"),
        (304, "shop-local; hit; ttl=3", "browser"),
    ],
)
def test_who_answered_is_the_outermost_layer_that_had_the_page_itself(status, told, who):
    assert who_answered(status, told) == who


def test_look_ups_are_told_in_their_order():
    assert lookups("shop-shared; fwd=miss; stored, shop-local; hit; ttl=3") == [("shared", ""), ("local", "hit")]


def test_a_browser_asks_with_what_it_was_sent_and_not_at_all_while_it_may():
    browser = SimulatedBrowser()
    assert browser.conditional_headers("/p/mug") == {}
    browser.store("/p/mug", {"etag": '"a"', "cache-control": "no-cache"}, now=0)
    assert browser.conditional_headers("/p/mug") == {"If-None-Match": '"a"'}
    assert not browser.is_fresh("/p/mug", 0.1)
    browser.store("/p/mug", {"etag": '"b"', "cache-control": "public, max-age=10", "age": "4"}, now=0)
    assert browser.is_fresh("/p/mug", 5.9)
    assert not browser.is_fresh("/p/mug", 6.1)
    browser.store("/p/mug", {"etag": '"c"', "cache-control": "no-store"}, now=0)
    assert browser.conditional_headers("/p/mug") == {}


def test_several_phases_count_as_one():
    parts = [
        samples([(0.0, 5.0, "shared")], lookups={"shared": (1, 1)}, answer_counts={"shared": 1}, errors={"500": 1}),
        samples(
            [(0.0, 7.0, "")], lookups={"shared": (0, 1), "local": (1, 1)}, answer_counts={"local": 1}, cpu_share=0.9
        ),
    ]
    both = merge_samples(parts)
    assert both.lookups == {"shared": (1, 2), "local": (1, 1)}
    assert (both.latencies_ms, both.succeeded, both.cpu_share) == ([5.0, 7.0], [True, False], 0.9)
    assert both.answer_counts == {"shared": 1, "local": 1}
    assert both.errors == {"500": 1}


class TestLoss:
    given = LossParams(rate=10, seconds=10, grace_s=1, recovered=0.9, bucket_s=1.0)

    def visits(self, who_at):
        return samples([(n / 10, 100.0 if n == 25 else 5.0, who_at(n / 10)) for n in range(100)])

    def test_the_cache_is_back_when_it_answers_as_much_as_before(self):
        seen = self.visits(lambda due: "shared" if due < 2 or due >= 7 else "origin")
        found = loss.compute_measures(seen, self.given, [2.0, 5.0])
        assert found["hit_rate_before"] == 1
        assert found["recovery_s"] == pytest.approx(3.0)
        assert found["peak_loads_rps"] == 10
        assert found["burst"] == 1

    def test_the_grace_hides_the_first_answers_and_no_later_ones(self):
        seen = self.visits(lambda due: "origin")
        assert loss.compute_measures(seen, self.given, [1.0, 5.0])["outage_p99_ms"] > 5
        assert loss.compute_measures(seen, self.given, [2.0, 5.0])["outage_p99_ms"] == 5
        assert loss.compute_measures(seen, self.given, [2.0, 5.0])["outage_worst_ms"] == 100

    def test_a_cache_that_never_comes_back_has_no_recovery(self):
        assert (
            loss.compute_measures(self.visits(lambda due: "shared" if due < 2 else "origin"), self.given, [2.0])[
                "recovery_s"
            ]
            is None
        )

    def test_where_nothing_is_lost_there_is_nothing_to_recover(self):
        found = loss.compute_measures(self.visits(lambda due: "origin"), self.given, [])
        assert found["recovery_s"] is found["burst"] is None
        assert 5 < found["outage_p99_ms"] < 100, "the load as a whole, once the grace is over"


class TestStaleness:
    def edits(self):
        edits = PriceHistory([100])
        edits.add(101, begun=1.0, acknowledged=1.5)
        edits.add(102, begun=3.0, acknowledged=3.5)
        return edits

    @pytest.mark.parametrize(
        ("began", "amount", "stale_s"),
        [
            (1.4, 100, 0),  # begun, not acknowledged: either price is right
            (1.4, 101, 0),
            (2.0, 100, 0.5),
            (4.0, 100, 2.5),  # by the first edit it does not show, not by the last
            (4.0, 101, 0.5),
            (4.0, 102, 0),
            (4.0, None, 0),
        ],
    )
    def test_a_read_is_stale_since_its_price_was_replaced(self, began, amount, stale_s):
        assert self.edits().staleness_s(PriceRead(began, 1.0, amount, "local")) == pytest.approx(stale_s)

    @pytest.mark.parametrize(
        ("amount", "since", "until", "right"),
        [
            (100, 0.0, 0.5, True),
            (100, 1.6, 2.0, False),
            (101, 0.5, 0.9, False),
            (101, 0.5, 1.2, True),
            (101, 3.4, 5.0, True),
            (101, 3.6, 5.0, False),
            (99, 0.0, 9.0, False),
        ],
    )
    def test_a_price_is_right_if_it_was_so_at_some_moment_of_the_purchase(self, amount, since, until, right):
        assert self.edits().was_valid_during(PricePurchase(amount, since, until)) is right

    def test_a_price_paid_before_its_edit_is_acknowledged_is_judged_when_all_is_noted(self):
        edits, early = PriceHistory([100]), PricePurchase(101, 0.9, 1.1)
        edits.add(101, 1.0, 1.5)
        assert edits.was_valid_during(early)
        assert staleness.compute_measures({}, edits, [early])["wrong_price_orders"] == 0

    def test_each_layer_is_told_of_by_its_own_answers(self):
        reads = {
            "local": [
                PriceRead(2.0, 1, 100, "local"),
                PriceRead(2.0, 1, 101, "local"),
                PriceRead(4.0, 1, 100, "origin"),
            ],
            "shared": [PriceRead(4.0, 1, 102, "shared")],
        }
        found = staleness.compute_measures(
            reads, self.edits(), [PricePurchase(100, 0.0, 0.5), PricePurchase(99, 0.0, 9.0)]
        )
        assert (found["local_stale_max_s"], found["local_stale_reads"]) == (0.5, 0.5)
        assert (found["shared_stale_max_s"], found["stale_max_s"], found["stale_reads"]) == (0, 2.5, 0.5)
        assert (found["orders"], found["wrong_price_orders"]) == (2, 1)


def test_of_orders_placed_more_than_once_all_but_the_first_are_surplus():
    found = [AuditorMismatch("order_twice", "ord_a ord_b ord_c"), AuditorMismatch("stock_on_hand", "mug")]
    assert surplus_orders(found) == ["ord_b", "ord_c"]
    bought = [
        CheckoutSample(0.0, 900.0, "S-1"),
        CheckoutSample(1.0, 2100.0, "refused"),
        CheckoutSample(2.0, 9000.0, ""),
    ]
    assert retries.compute_measures(bought, found) == {
        "purchases": 3.0,
        "confirmed": 1.0,
        "surplus_orders": 2.0,
        "mismatches": 2.0,
    }


def test_a_lag_runs_from_the_answer_to_the_first_look_that_shows_the_order():
    bought = [
        CheckoutSample(0.0, 5.0, "S-1"),
        CheckoutSample(0.1, 5.0, "S-2"),
        CheckoutSample(0.2, 5.0, "S-3"),
        CheckoutSample(0.3, 5.0, ""),
    ]
    answered, seen = {"S-1": 10.0, "S-2": 11.0, "S-3": 12.0, "": 9.0}, {"S-1": 10.25, "S-2": 10.9, "S-9": 1.0}
    found = lag.compute_measures(bought, answered, seen, ["S-3"])
    assert (found["orders"], found["never_shown"], found["own_missing"]) == (3.0, 1.0, 1.0)
    assert found["lag_p99_ms"] == pytest.approx(250, rel=0.02)
    assert found["lag_p50_ms"] == pytest.approx(0, abs=126)  # shown before the answer had arrived: no lag


def test_of_checkouts_only_those_that_became_orders_can_lose_their_mail():
    bought = [CheckoutSample(0.0, 50.0, "S-1"), CheckoutSample(0.3, 60.0, "S-2"), CheckoutSample(0.6, 70.0, "")]
    found = checkouts.compute_measures(bought, ["S-2"], [0.5])
    assert found == {"orders": 2, "mails_lost": 1, "lost_share": 0.5, "mail_p99_s": 0.5}


def test_without_an_order_nothing_is_said_of_mail():
    assert checkouts.compute_measures([CheckoutSample(0.0, 50.0, "")], [], [])["lost_share"] is None


def test_pages_and_orders_count_only_in_time_and_an_order_that_is_late_is_still_an_order():
    given = bystanders.BystanderParams(lead_s=8.0, seconds=2.0, page_within_ms=1_000, patience_s=8.0)
    pages = samples([(0.0, 5.0, "local"), (0.1, 1_500.0, "origin"), (0.2, 30.0, ""), (0.3, 900.0, "shared")])
    bought = [CheckoutSample(0.0, 12_000.0, "S-1"), CheckoutSample(0.0, 50.0, "S-2"), CheckoutSample(1.0, 3_000.0, "")]
    found = bystanders.compute_measures(pages, bought, [16.0, 2.0, 15.0], given)
    assert (found["pages_well"], found["threads_held"]) == (0.5, 15.0)
    assert (found["checkouts"], found["orders"], found["order_share"]) == (3, 2, pytest.approx(2 / 3))
    assert found["order_goodput_rps"] == pytest.approx(0.1)


def test_a_rush_comes_at_once_and_the_others_at_the_rate():
    bought = check_out_at_rate([None] * 4, rate=50.0, check_out=lambda shopper: "S-1", rush=2)
    assert [one.due_s for one in bought] == pytest.approx([0.0, 0.0, 0.0, 0.02])


def test_a_figure_is_the_sum_of_its_samples_and_not_of_others_that_begin_alike():
    text = '# TYPE a_total counter\na_total{x="1"} 2.0\na_total{x="2"} 1e3\na_total_created 7.0\nb 4.0\n'
    assert (sum_samples(text, "a_total"), sum_samples(text, "b")) == (1002.0, 4.0)
    with pytest.raises(ServiceUnavailable, match="no c"):
        sum_samples(text, "c")


def test_what_was_sold_and_never_left_the_shelf_is_oversold():
    bought = [CheckoutSample(0.0, 500.0, "S-1"), CheckoutSample(0.0, 900.0, ""), CheckoutSample(0.5, 1_500.0, "S-2")]
    found = flash_sale.compute_measures(bought, gone=1, retries=3.0)
    assert (found["oversold"], found["retries"], found["orders_rps"]) == (1.0, 1.5, 1.0)
    assert flash_sale.compute_measures(bought[1:2], gone=0, retries=0.0)["orders_rps"] is None
