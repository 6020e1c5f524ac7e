from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shop.lab.charts import format_number
from shop.lab.experiment import EXPERIMENTS, parse_experiment
from shop.lab.figures import FIGURES, ArmObservation, compute_figures
from shop.lab.load import LAG_LIMIT_MS, LoadSamples
from shop.lab.markdown_table import demand_table
from shop.lab.report import draw_picture, figure_rows, layer_shares, render_report, write_report
from shop.lab.result import build_result, find_result, read_result, save_result
from shop.lab.runner import RunRecord

WHOLE = parse_experiment((EXPERIMENTS / "cache-aside.toml").read_text(), "cache-aside.toml")
EXPERIMENT = WHOLE.with_changes(arms=WHOLE.arms[:2])
SLOW_MS, FAST_MS = 80.0, 4.0
CONTRACT = {
    "experiment", "hypothesis", "verdict", "reason", "started_at", "machine", "runs", "arms", "ratios"
}  # fmt: skip
ARM_CONTRACT = {
    "name", "switches", "faults", "offered_rps", "achieved_rps", "goodput_rps", "p50_ms", "p95_ms", "p99_ms",
    "error_rate", "db_queries_per_request", "hit_rate", "generator_saturated", "measures",
}  # fmt: skip


def samples(ms=FAST_MS, count=100, **fields):
    """Samples of a phase that went well, every visit equally quick."""
    given = {
        "offered": count,
        "seconds": 10.0,
        "latencies_ms": [ms] * count,
        "succeeded": [True] * count,
        "calls": count,
        "queries": 0,
        "lookups": {},
        "errors": {},
        "cpu_share": 0.3,
        "release_lag_p95_ms": 1.0,
    }
    return LoadSamples(**{**given, **fields})


OFF = ArmObservation("off", samples(SLOW_MS, queries=700), samples(SLOW_MS, count=100))
ON = ArmObservation("on", samples(queries=10, lookups={"shared": (90, 100)}), samples(count=900))


def measured(runs):
    """Build the result of an experiment of several runs, each a pair of observations."""
    quiet = samples(count=20)
    return build_result(EXPERIMENT, RunRecord(5.0, quiet, quiet, tuple(runs)), datetime(2026, 1, 2, tzinfo=UTC), {})


def outcome(off=OFF, on=ON, before=None, after=None, runs=3):
    """Build the result of an experiment whose runs all went alike."""
    quiet = samples(count=20)
    record = RunRecord(5.0, before or quiet, after or quiet, ((off, on),) * runs)
    return build_result(
        EXPERIMENT, record, datetime(2026, 1, 2, tzinfo=UTC), {"cache.shared": "on", "api.composite": "on"}
    )


@pytest.mark.parametrize(
    ("changed", "verdict", "words"),
    [
        ({}, "confirmed", "p50_off_over_on is 20.00 (20.00 to 20.00 over the runs), as claimed >= 2"),
        ({"on": ArmObservation("on", samples(SLOW_MS), ON.closed_loop)}, "refuted", "p50_off_over_on is 1.00"),
        ({"on": ArmObservation("on", ON.open_loop, samples(count=150))}, "refuted", "most_rps_on_over_off is 1.50"),
        (
            {"on": ArmObservation("on", samples(queries=500), ON.closed_loop)},
            "refuted",
            "on.db_queries_per_request is 5.00",
        ),
        (
            {"off": ArmObservation("off", samples(SLOW_MS, succeeded=[True] * 90 + [False] * 10), OFF.closed_loop)},
            "invalid",
            "of the visits of arm off failed",
        ),
        ({"on": ArmObservation("on", ON.open_loop, samples(count=900, cpu_share=0.99))}, "invalid", "generator"),
        (
            {"off": ArmObservation("off", samples(SLOW_MS, queries=700, release_lag_p95_ms=90.0), OFF.closed_loop)},
            "invalid",
            "generator",
        ),
        ({"before": samples(count=5, succeeded=[True] * 4 + [False], errors={"500": 1})}, "invalid", "before the runs"),
        ({"after": samples(count=5, succeeded=[False] * 5, errors={"500": 5})}, "invalid", "5 times 500"),
        ({"after": samples(FAST_MS * 10)}, "invalid", "median answer went from 4.0 ms before to 40.0 ms after"),
        ({"after": samples(FAST_MS + 4)}, "confirmed", ""),
        (
            {"off": ArmObservation("off", samples(SLOW_MS, queries=100), OFF.closed_loop)},
            "invalid",
            "The problem did not show",
        ),
        (
            {"on": replace(ON, anomalies={"cache_outages": 4})},
            "invalid",
            "arm on: 12 times a cache did not answer in time",
        ),
        ({"off": replace(OFF, anomalies={"locks_lost": 1})}, "invalid", "arm off: 3 times a lock ended"),
        ({"on": replace(ON, unsettled="its hit rate went from 20% to 45%")}, "invalid", "from 20% to 45%"),
    ],
)
def test_the_verdict_follows_from_the_figures(changed, verdict, words):
    result = outcome(**changed)
    assert result["verdict"] == verdict, result["reason"]
    assert words in result["reason"]


def test_a_figure_that_was_never_measured_neither_passes_nor_accuses():
    never = ArmObservation("on", samples(count=0, latencies_ms=[], succeeded=[]), ON.closed_loop)
    result = outcome(on=never)
    assert result["verdict"] == "invalid"
    assert "could not be measured" in result["reason"]


def test_runs_that_disagree_confirm_nothing_and_refute_nothing():
    result = measured([(OFF, ON), (OFF, replace(ON, open_loop=samples(SLOW_MS))), (OFF, ON)])
    assert result["ratios"]["p50_off_over_on"] == 20, "the median would have passed"
    assert result["verdict"] == "invalid"
    assert "1.00 to 20.00, far apart, over the runs), not in every run >= 2" in result["reason"]


def test_runs_far_apart_are_said_where_each_of_them_holds():
    quicker = replace(ON, open_loop=samples(FAST_MS / 5, queries=10))
    result = measured([(OFF, ON), (OFF, quicker)])
    assert result["verdict"] == "confirmed"
    assert "(20.00 to 100.00, far apart, over the runs)" in result["reason"]


@pytest.mark.parametrize(
    ("changed", "caution"),
    [
        ({}, ""),
        ({"on": replace(ON, open_loop=samples(SLOW_MS))}, ""),
        ({"on": replace(ON, anomalies={"cache_outages": 4})}, "in trouble"),
        ({"off": ArmObservation("off", samples(SLOW_MS, queries=100), OFF.closed_loop)}, "did not show"),
        ({"on": ArmObservation("on", ON.open_loop, samples(count=900, cpu_share=0.99))}, "bottleneck"),
        ({"after": samples(FAST_MS * 10)}, "steady state"),
    ],
)
def test_a_single_run_is_a_look_and_claims_nothing(changed, caution):
    result = outcome(**changed, runs=1)
    assert result["verdict"] == "look"
    assert result["judged"] == {"correctness": None, "timing": None}
    assert "claims nothing" in result["reason"]
    assert "as claimed" not in result["reason"]
    assert caution in result["reason"]


def test_a_single_run_that_mostly_failed_is_no_look_either():
    failed = ArmObservation("off", samples(SLOW_MS, succeeded=[False] * 100), OFF.closed_loop)
    assert outcome(off=failed, runs=1)["verdict"] == "invalid"


SALE = parse_experiment((EXPERIMENTS / "flash-sale.toml").read_text(), "flash-sale.toml")
FAIR = dict.fromkeys(SALE.arm_driver.measures) | {
    "one_orders_rps": 60.0,
    "one_oversold": 0.0,
    "many_oversold": 0.0,
    "mismatches": 0.0,
}
NAIVE = FAIR | {"one_oversold": 50.0, "mismatches": 6.0}


def sale(before_ms=FAST_MS, after_ms=FAST_MS, runs=2, **arms):
    """The result of a flash sale; each named arm's measures of its last run changed."""

    def seen(name, last):
        changes = arms.get(name, {}) if last else {}
        return ArmObservation(name, samples(), None, (NAIVE if name == "naive" else FAIR) | changes)

    before, after = samples(before_ms, count=20), samples(after_ms, count=20)
    each = [tuple(seen(arm.name, number == runs - 1) for arm in SALE.arms) for number in range(runs)]
    return build_result(SALE, RunRecord(3.0, before, after, tuple(each)), datetime(2026, 1, 2, tzinfo=UTC), {})


def test_what_is_right_is_judged_however_the_store_s_quickness_changed():
    result = sale(before_ms=40.0, after_ms=FAST_MS)
    assert (result["verdict"], result["judged"]) == ("confirmed", {"correctness": "confirmed", "timing": "invalid"})
    assert "The timing is not judged. The steady state did not hold" in result["reason"]


def test_one_run_with_one_piece_sold_twice_refutes():
    result = sale(conditional={"one_oversold": 1.0}, after_ms=FAST_MS * 10)
    assert result["verdict"] == "refuted"
    assert "conditional.one_oversold is 0.50 (0.00 to 1.00 over the runs), not in every run <= 0" in result["reason"]


def test_a_sale_in_which_the_naive_way_sold_nothing_twice_says_nothing_of_the_others():
    result = sale(naive={"one_oversold": 0.0})
    assert (result["verdict"], result["judged"]["correctness"]) == ("invalid", None)
    assert sale(naive={"one_oversold": 0.0}, optimistic={"mismatches": 1.0})["verdict"] == "refuted"


def test_trouble_an_experiment_tolerates_is_told_and_held_against_nothing():
    quiet = samples(count=20)
    arms = tuple(
        ArmObservation(
            arm.name, samples(), None, NAIVE if arm.name == "naive" else FAIR, anomalies={"cache_outages": 2}
        )
        for arm in SALE.arms
    )
    result = build_result(SALE, RunRecord(3.0, quiet, quiet, (arms, arms)), datetime(2026, 1, 2, tzinfo=UTC), {})
    assert result["verdict"] == "confirmed"
    assert result["arms"][0]["troubles"] == {"cache_outages": 4}
    assert "4 times a cache did not answer" in render_report(result)


def test_a_share_is_drawn_in_percent():
    chart = [{"figure": "error_rate", "title": "Failed", "says": "", "unit": "%"}]
    failing = replace(
        OFF, open_loop=samples(SLOW_MS, queries=700, succeeded=[True] * 75 + [False] * 25), closed_loop=None
    )
    result = {**outcome(off=failing, runs=2), "charts": chart}
    assert "25.0 %" in draw_picture(result)
    assert "25.0 %" in render_report(result)


def test_a_staleness_of_nothing_is_not_beaten_by_anything():
    """The cure shows no staleness where there was hardly any to be shown: that is no confirmation."""
    staleness = parse_experiment((EXPERIMENTS / "cache-staleness.toml").read_text(), "cache-staleness.toml")
    well = dict.fromkeys(staleness.arm_driver.measures) | {"orders": 5.0, "wrong_price_orders": 0.0}
    arms = tuple(
        ArmObservation(name, samples(), None, {**well, "stale_max_s": stale})
        for name, stale in (("ttl", 0.31), ("event", 0.0), ("through", 0.0))
    )
    quiet = samples(count=20)
    result = build_result(staleness, RunRecord(20.0, quiet, quiet, (arms, arms)), datetime(2026, 1, 2, tzinfo=UTC), {})
    assert result["verdict"] == "invalid"
    assert "ttl.stale_max_s is 0.31" in result["reason"]


@pytest.mark.parametrize(
    ("cpu", "lag", "sign"),
    [(0.2, 1.0, None), (0.99, 1.0, "99% of its one core"), (0.2, LAG_LIMIT_MS + 1, "26 ms late")],
)
def test_a_generator_out_of_breath_is_noticed(cpu, lag, sign):
    found = samples(cpu_share=cpu, release_lag_p95_ms=lag).saturation
    assert sign in found if sign else found is None


def test_goodput_counts_only_what_was_answered_well_and_in_time():
    mixed = samples(count=4, latencies_ms=[1, 1, 5000, 1], succeeded=[True, False, True, True])
    found = compute_figures(ArmObservation("on", mixed, ON.closed_loop), good_within_ms=1000)
    assert found["goodput_rps"] == pytest.approx(0.2)
    assert found["achieved_rps"] == pytest.approx(0.4)


def test_every_figure_is_declared_for_experiments_to_name():
    assert set(compute_figures(ON, 1000)) == set(FIGURES)


def test_a_result_holds_what_the_contract_promises():
    result = outcome()
    assert set(result) >= CONTRACT
    for arm in result["arms"]:
        assert set(arm) >= ARM_CONTRACT
        assert set(arm["hit_rate"]) == {"edge", "local", "shared"}
    off, on = result["arms"]
    assert (off["p50_ms"], off["db_queries_per_request"], on["hit_rate"]["shared"]) == (SLOW_MS, 7.0, 0.9)
    assert off["spread"]["p50_ms"] == {"min": SLOW_MS, "max": SLOW_MS}
    assert off["switches"] == {"cache.edge": "off", "cache.local": "off", "cache.shared": "off", "api.composite": "on"}


def test_figures_are_medians_over_runs_with_the_lowest_and_the_highest_beside_them():
    quiet = samples(count=20)
    runs = tuple((ArmObservation("off", samples(ms), OFF.closed_loop), ON) for ms in (70.0, 100.0, 80.0))
    record = RunRecord(5.0, quiet, quiet, runs)
    result = build_result(EXPERIMENT, record, datetime(2026, 1, 2, tzinfo=UTC), {"cache.shared": "on"})
    assert result["arms"][0]["p50_ms"] == 80
    assert result["arms"][0]["spread"]["p50_ms"] == {"min": 70, "max": 100}
    assert result["spread"]["p50_off_over_on"] == {"min": 17.5, "max": 25}


def test_a_saved_result_reads_back_the_same_and_is_the_latest(tmp_path):
    result = outcome()
    home = save_result(result, tmp_path)
    assert read_result(find_result(tmp_path)) == read_result(home)
    assert find_result(tmp_path) == find_result(tmp_path, home.name) == home
    assert read_result(home)["ratios"] == result["ratios"]


def test_a_report_needs_nothing_from_elsewhere(tmp_path):
    page = write_report(save_result(outcome(), tmp_path)).read_text()
    assert page.count("<svg") == 2 + 2 * 2  # two charts are wide, and drawn for a desk and for a phone
    for outside in ("http-equiv", "<script", "<link", "src=", "@import", "url("):
        assert outside not in page
    assert "confirmed" in page
    assert "80.0 ms" in page


def test_a_report_keeps_hostile_text_as_text():
    result = outcome()
    result["arms"][0]["title"] = result["reason"] = "<script>alert(1)</script>"
    assert "<script" not in render_report(result)


def test_a_report_of_a_store_that_never_answered_still_renders():
    dead = samples(count=0, latencies_ms=[], succeeded=[], calls=0)
    result = outcome(
        off=ArmObservation("off", dead, dead), on=ArmObservation("on", dead, dead), before=dead, after=dead
    )
    assert result["verdict"] == "invalid"
    assert "no answer" in render_report(result)
    assert draw_picture(result).startswith("<svg")


def test_the_picture_says_how_much_quicker():
    drawn = draw_picture(outcome())
    assert "20.0× quicker" in drawn
    assert "9.00× as many" in drawn


def test_the_picture_and_the_verdict_name_the_same_ratio():
    result = outcome()
    result["ratios"] |= {"p50_off_over_on": 4.5, "most_rps_on_over_off": 7.5}
    drawn = draw_picture(result)
    assert "4.50× quicker" in drawn
    assert "7.50× as many" in drawn


def test_the_terminal_and_the_report_show_the_same_table():
    table = dict(figure_rows(outcome()))
    assert table["Median wait"] == ["80.0 ms", "4.00 ms"]
    assert "Answered by the edge" not in table, "a layer nobody passed is left out"


def test_each_layer_sees_only_what_the_one_before_let_pass():
    shares = dict(layer_shares({"hit_rate": {"edge": 0.5, "local": None, "shared": 0.5}}))
    assert shares == {"edge": 0.5, "shared": 0.25, "store": 0.25}


@pytest.mark.parametrize(("value", "written"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0, "0.00")])
def test_figures_are_written_with_the_digits_that_matter(value, written):
    assert format_number(value) == written


def test_the_same_cache_is_told_under_both_demands():
    classic = ArmObservation("classic", samples(FAST_MS / 2, queries=0), samples(count=1000))
    record = RunRecord(5.0, samples(count=20), samples(count=20), ((OFF, ON, classic),) * 2)
    result = build_result(WHOLE, record, datetime(2026, 1, 2, tzinfo=UTC), {})
    assert [arm["exponent"] for arm in result["arms"]] == [0.65, 0.65, 1.0]
    table = demand_table({"cache-aside": result, "older": outcome()})
    assert "| `cache-aside`, with cache-aside | median wait | 4.00 ms | 2.00 ms |" in table
    assert "older" not in table
    assert "20.0× quicker" in draw_picture(result), "told of the arm with the same demand"
    assert "exponent 1" in render_report(result)
