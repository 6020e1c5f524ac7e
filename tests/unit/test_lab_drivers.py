"""The measures that drivers compute: pure functions, by table."""

import time

import pytest

from shop.errors import ServiceUnavailable
from shop.lab.cache_status import answer_source, lookups, stale_word
from shop.lab.drivers import bystanders, checkouts, flash_sale, lag, loss, metastable, overload, retries, staleness
from shop.lab.drivers.auditor import AuditorMismatch, BooksAuditor
from shop.lab.drivers.checkouts import CheckoutSample, check_out_at_rate
from shop.lab.drivers.driver_context import scheduled_actions
from shop.lab.drivers.loss import LossParams
from shop.lab.drivers.price_watch import PriceHistory, PricePurchase, PriceRead
from shop.lab.drivers.retries import surplus_orders
from shop.lab.load import ClientRetries, LoadSamples, merge_samples
from shop.lab.load_generator import SimulatedBrowser
from shop.lab.metrics_client import sum_samples
from shop.lab.retrying_client import RetryingClient


def samples(visits, **fields):
    """Samples of visits, each (due, milliseconds, source of the answer)."""
    defaults = {
        "offered": len(visits),
        "seconds": 10.0,
        "latencies_ms": [ms for _, ms, _ in visits],
        "succeeded": [bool(source) for *_, source in visits],
        "calls": len(visits),
        "queries": 0,
        "lookups": {},
        "errors": {},
        "cpu_share": 0.1,
        "release_lag_p95_ms": 0.0,
        "due_s": [due for due, *_ in visits],
        "answered_by": [source for *_, source in visits],
    }
    return LoadSamples(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("status", "cache_status", "source"),
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
def test_the_answer_source_is_the_outermost_layer_with_the_page(status, cache_status, source):
    assert answer_source(status, cache_status) == source


@pytest.mark.parametrize(
    ("cache_status", "word"),
    [
        (
            "shop-shared; fwd=stale; ttl=-12; detail=stale-if-error, shop-local; fwd=miss, shop-edge; fwd=miss",
            "stale-if-error",
        ),
        ("shop-edge; hit; detail=stale-if-error", "stale-if-error"),
        ("shop-edge; hit; detail=error", "error"),
        ("shop-edge; hit; detail=updating", "updating"),
        ("shop-shared; hit; detail=stale-while-loading, shop-shared; hit; detail=stale-if-error", "stale-if-error"),
        ("shop-shared; fwd=stale; stored; detail=early, shop-edge; fwd=miss; detail=not-writable", ""),
        ("shop-edge; hit; ttl=3", ""),
        ("", ""),
    ],
)
def test_a_stale_response_is_known_by_its_word(cache_status, word):
    assert stale_word(cache_status) == word


def test_lookups_keep_the_order_of_the_header():
    assert lookups("shop-shared; fwd=miss; stored, shop-local; hit; ttl=3") == [("shared", ""), ("local", "hit")]


def test_a_simulated_browser_revalidates_stale_copies_and_reuses_fresh_ones():
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


def test_merged_samples_add_up_the_phases():
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
    params = LossParams(rate=10, seconds=10, grace_s=1, recovered=0.9, bucket_s=1.0)

    def visits(self, source_at):
        return samples([(n / 10, 100.0 if n == 25 else 5.0, source_at(n / 10)) for n in range(100)])

    def test_recovery_ends_when_the_hit_rate_is_back(self):
        load = self.visits(lambda due: "shared" if due < 2 or due >= 7 else "origin")
        measures = loss.compute_measures(load, self.params, [2.0, 5.0])
        assert measures["hit_rate_before"] == 1
        assert measures["recovery_s"] == pytest.approx(3.0)
        assert measures["peak_loads_rps"] == 10
        assert measures["burst"] == 1

    def test_the_grace_period_excludes_only_the_first_answers(self):
        load = self.visits(lambda due: "origin")
        assert loss.compute_measures(load, self.params, [1.0, 5.0])["outage_p99_ms"] > 5
        assert loss.compute_measures(load, self.params, [2.0, 5.0])["outage_p99_ms"] == 5
        assert loss.compute_measures(load, self.params, [2.0, 5.0])["outage_worst_ms"] == 100

    def test_a_cache_that_never_comes_back_has_no_recovery(self):
        load = self.visits(lambda due: "shared" if due < 2 else "origin")
        assert loss.compute_measures(load, self.params, [2.0])["recovery_s"] is None

    def test_without_a_loss_there_is_no_recovery(self):
        measures = loss.compute_measures(self.visits(lambda due: "origin"), self.params, [])
        assert measures["recovery_s"] is measures["burst"] is None
        assert 5 < measures["outage_p99_ms"] < 100, "of the whole load after the grace period"


class TestMetastable:
    params = metastable.MetastableParams(before_s=2.0, seconds=9.0, last_s=2.0)

    def visits(self, is_served):
        return samples([(n / 10, 5, "shared" if is_served(n / 10) else "") for n in range(110)])

    def test_a_store_that_stays_down_has_the_whole_time(self):
        measures = metastable.compute_measures(self.visits(lambda due: due < 2), self.params)
        assert measures["good_before"] == 1
        assert measures["good_soon"] == measures["good_later"] == measures["good_at_end"] == 0
        assert measures["recovery_s"] == 9

    def test_recovery_ends_with_two_good_windows_in_a_row(self):
        load = self.visits(lambda due: due < 2 or 3 <= due < 4 or due >= 6)
        measures = metastable.compute_measures(load, self.params)
        assert measures["recovery_s"] == 4
        assert measures["good_at_end"] == 1

    def test_attempts_are_counted_for_each_visit(self):
        load = samples([(n / 10, 5, "") for n in range(110)], calls=440)
        assert metastable.compute_measures(load, self.params)["attempts_per_visit"] == 4


class TestRetryingClient:
    def attempts_of(self, budget, calls):
        """The attempts of so many calls of which all fail."""
        attempts = []
        client = RetryingClient(ClientRetries(attempts=4, budget=budget), sleep=lambda seconds: None)
        for _ in range(calls):
            assert not client.call(lambda: bool(attempts.append(1)))
        return len(attempts)

    def test_each_budget_limits_the_attempts_of_clients(self):
        assert self.attempts_of("off", 100) == 400
        assert self.attempts_of("share", 100) <= 121, "a tenth, and ten in reserve"
        assert self.attempts_of("quota", 100) == 135
        assert self.attempts_of("throttle", 100) < 60

    def test_a_later_attempt_that_succeeds_ends_the_call(self):
        outcomes = [False, True]
        client = RetryingClient(ClientRetries(attempts=4), sleep=lambda seconds: None)
        assert client.call(lambda: outcomes.pop(0))
        assert not outcomes


class TestStaleness:
    def history(self):
        history = PriceHistory([100])
        history.add(101, begun=1.0, acknowledged=1.5)
        history.add(102, begun=3.0, acknowledged=3.5)
        return history

    @pytest.mark.parametrize(
        ("began", "amount", "stale_s"),
        [
            (1.4, 100, 0),  # begun, not acknowledged: either price is valid
            (1.4, 101, 0),
            (2.0, 100, 0.5),
            (4.0, 100, 2.5),  # since the first edit that it does not show, not since the last
            (4.0, 101, 0.5),
            (4.0, 102, 0),
            (4.0, None, 0),
        ],
    )
    def test_a_read_is_stale_since_its_price_was_replaced(self, began, amount, stale_s):
        assert self.history().staleness_s(PriceRead(began, 1.0, amount, "local")) == pytest.approx(stale_s)

    @pytest.mark.parametrize(
        ("amount", "began", "ended", "valid"),
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
    def test_a_price_valid_at_any_time_of_the_purchase_counts(self, amount, began, ended, valid):
        assert self.history().was_valid_during(PricePurchase(amount, began, ended)) is valid

    def test_a_price_paid_before_its_acknowledgement_is_valid(self):
        history, early = PriceHistory([100]), PricePurchase(101, 0.9, 1.1)
        history.add(101, 1.0, 1.5)
        assert history.was_valid_during(early)
        assert staleness.compute_measures({}, history, [early])["wrong_price_orders"] == 0

    def test_staleness_of_a_layer_counts_only_its_own_answers(self):
        reads = {
            "local": [
                PriceRead(2.0, 1, 100, "local"),
                PriceRead(2.0, 1, 101, "local"),
                PriceRead(4.0, 1, 100, "origin"),
            ],
            "shared": [PriceRead(4.0, 1, 102, "shared")],
        }
        purchases = [PricePurchase(100, 0.0, 0.5), PricePurchase(99, 0.0, 9.0)]
        measures = staleness.compute_measures(reads, self.history(), purchases)
        assert (measures["local_stale_max_s"], measures["local_stale_reads"]) == (0.5, 0.5)
        assert (measures["shared_stale_max_s"], measures["stale_max_s"], measures["stale_reads"]) == (0, 2.5, 0.5)
        assert (measures["orders"], measures["wrong_price_orders"]) == (2, 1)


def test_repeated_orders_are_surplus_except_the_first():
    mismatches = [AuditorMismatch("order_twice", "ord_a ord_b ord_c"), AuditorMismatch("stock_on_hand", "mug")]
    assert surplus_orders(mismatches) == ["ord_b", "ord_c"]
    attempts = [
        CheckoutSample(0.0, 900.0, "S-1"),
        CheckoutSample(1.0, 2100.0, "refused"),
        CheckoutSample(2.0, 9000.0, ""),
    ]
    assert retries.compute_measures(attempts, mismatches) == {
        "purchases": 3.0,
        "confirmed": 1.0,
        "surplus_orders": 2.0,
        "mismatches": 2.0,
    }


def test_lag_runs_from_the_answer_to_the_first_listing():
    attempts = [
        CheckoutSample(0.0, 5.0, "S-1"),
        CheckoutSample(0.1, 5.0, "S-2"),
        CheckoutSample(0.2, 5.0, "S-3"),
        CheckoutSample(0.3, 5.0, ""),
    ]
    answered_at = {"S-1": 10.0, "S-2": 11.0, "S-3": 12.0, "": 9.0}
    listed_at = {"S-1": 10.25, "S-2": 10.9, "S-9": 1.0}
    measures = lag.compute_measures(attempts, answered_at, listed_at, ["S-3"])
    assert (measures["orders"], measures["never_shown"], measures["own_missing"]) == (3.0, 1.0, 1.0)
    assert measures["lag_p99_ms"] == pytest.approx(250, rel=0.02)
    assert measures["lag_p50_ms"] == pytest.approx(0, abs=126)  # listed before the client got its answer: no lag


def test_only_checkouts_with_an_order_can_lose_their_mail():
    attempts = [CheckoutSample(0.0, 50.0, "S-1"), CheckoutSample(0.3, 60.0, "S-2"), CheckoutSample(0.6, 70.0, "")]
    measures = checkouts.compute_measures(attempts, ["S-2"], [0.5])
    assert measures == {"orders": 2, "mails_lost": 1, "lost_share": 0.5, "mail_p99_s": 0.5}


def test_without_orders_the_share_of_lost_mails_is_unknown():
    assert checkouts.compute_measures([CheckoutSample(0.0, 50.0, "")], [], [])["lost_share"] is None


def test_late_pages_fail_and_late_orders_count_as_orders():
    params = bystanders.BystanderParams(lead_s=8.0, seconds=2.0, page_within_ms=1_000, patience_s=8.0)
    pages = samples([(0.0, 5.0, "local"), (0.1, 1_500.0, "origin"), (0.2, 30.0, ""), (0.3, 900.0, "shared")])
    late, in_time, failed = (12_000.0, "S-1"), (50.0, "S-2"), (3_000.0, "")
    attempts = [CheckoutSample(0.0, *late), CheckoutSample(0.0, *in_time), CheckoutSample(1.0, *failed)]
    measures = bystanders.compute_measures(pages, attempts, [16.0, 2.0, 15.0], params)
    assert (measures["pages_well"], measures["threads_held"]) == (0.5, 15.0)
    assert (measures["checkouts"], measures["orders"], measures["order_share"]) == (3, 2, pytest.approx(2 / 3))
    assert measures["order_goodput_rps"] == pytest.approx(0.1)


def test_a_rush_starts_together_and_the_rest_follow_the_rate():
    attempts = check_out_at_rate([None] * 4, rate=50.0, check_out=lambda shopper: "S-1", rush=2)
    assert [attempt.due_s for attempt in attempts] == pytest.approx([0.0, 0.0, 0.0, 0.02])


def test_a_metric_sums_its_samples_without_longer_names():
    text = '# TYPE a_total counter\na_total{x="1"} 2.0\na_total{x="2"} 1e3\na_total_created 7.0\nb 4.0\n'
    assert (sum_samples(text, "a_total"), sum_samples(text, "b")) == (1002.0, 4.0)
    with pytest.raises(ServiceUnavailable, match="no metric c"):
        sum_samples(text, "c")


def test_orders_beyond_the_stock_decrease_are_oversold():
    attempts = [CheckoutSample(0.0, 500.0, "S-1"), CheckoutSample(0.0, 900.0, ""), CheckoutSample(0.5, 1_500.0, "S-2")]
    measures = flash_sale.compute_measures(attempts, taken=1, retries=3.0)
    assert (measures["oversold"], measures["retries"], measures["orders_rps"]) == (1.0, 1.5, 1.0)
    assert flash_sale.compute_measures(attempts[1:2], taken=0, retries=0.0)["orders_rps"] is None


def test_an_audit_serves_the_arms_before_and_after_it():
    first, second, third = (AuditorMismatch("stock", name) for name in "abc")
    audits = [{first}, {first, second}, {first, third}, {third}]
    books = BooksAuditor(lambda placed_within_s: frozenset(audits.pop(0)))
    assert books.known_mismatches() == {first}
    assert books.new_mismatches() == {second}
    assert books.known_mismatches() == {first, second}, "no audit"
    assert books.new_mismatches() == {third}
    books.forget()
    assert books.known_mismatches() == {third}
    assert audits == []


def test_action_that_is_due_runs_although_the_load_has_ended():
    ran = []
    with scheduled_actions(
        time.monotonic() - 1.0, [(0.5, lambda: ran.append("due")), (60.0, lambda: ran.append("later"))]
    ):
        pass
    assert ran == ["due"]


def test_first_seconds_of_an_overload_do_not_count():
    whole = samples([(0.5, 20.0, "origin"), (3.0, 900.0, "origin"), (4.0, 30.0, "")], errors={"503": 9}, queries=40)
    counted = overload.due_after(whole, 3.0)
    assert (counted.offered, counted.latencies_ms, counted.seconds) == (2, [900.0, 30.0], 7.0)
    assert (counted.calls, counted.queries, counted.errors) == (2, None, {})


def test_overload_tells_served_late_refused_and_given_up():
    visits = [(0.0, 200.0, "origin"), (0.0, 1_500.0, "origin"), (0.0, 40.0, ""), (0.0, 2_001.0, "")]
    measures = overload.compute_measures(samples(visits), peak_rps=0.5, timeout_ms=2_000, good_within_ms=1_000)
    assert measures["goodput_of_peak"] == pytest.approx(0.2)
    assert (measures["served_p50_ms"], measures["served_late"], measures["refused_rps"]) == (850.0, 0.5, 0.1)


def test_overload_without_an_answer_has_no_age():
    measures = overload.compute_measures(samples([(0.0, 2_001.0, "")]), 5.0, 2_000, 1_000)
    assert (measures["goodput_of_peak"], measures["served_p50_ms"], measures["served_late"]) == (0.0, None, None)
