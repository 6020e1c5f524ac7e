import re
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shop.lab.charts import format_number
from shop.lab.experiment import EXPERIMENTS, parse_experiment
from shop.lab.figures import FIGURES, ArmObservation, compute_figures
from shop.lab.headline import verdict_line
from shop.lab.load import LAG_LIMIT_MS, LoadSamples
from shop.lab.markdown_table import demand_table
from shop.lab.report import draw_picture, figure_rows, layer_shares, render_report, write_report
from shop.lab.result import build_result, find_result, read_result, save_result
from shop.lab.runner import RunRecord
from shop.lab.unprotected_store import UNPROTECTED

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
    """Samples of a phase in which every visit succeeds with the same latency."""
    defaults = {
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
    return LoadSamples(**{**defaults, **fields})


OFF = ArmObservation("off", samples(SLOW_MS, queries=700), samples(SLOW_MS, count=100))
ON = ArmObservation("on", samples(queries=10, lookups={"shared": (90, 100)}), samples(count=900))


def measured(runs):
    """Build the result of an experiment of several runs, each a pair of observations."""
    quiet = samples(count=20)
    return build_result(EXPERIMENT, RunRecord(5.0, quiet, quiet, tuple(runs)), datetime(2026, 1, 2, tzinfo=UTC), {})


def outcome(off=OFF, on=ON, before=None, after=None, runs=3):
    """Build the result of an experiment with equal runs."""
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
        ({"after": samples(FAST_MS * 10)}, "invalid", "median latency went from 4.0 ms before to 40.0 ms after"),
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
        ({"off": replace(OFF, anomalies={"locks_lost": 1})}, "invalid", "arm off: 3 times a lock expired"),
        ({"on": replace(ON, unsettled="its hit rate went from 20% to 45%")}, "invalid", "from 20% to 45%"),
    ],
)
def test_the_verdict_follows_from_the_figures(changed, verdict, words):
    result = outcome(**changed)
    assert result["verdict"] == verdict, result["reason"]
    assert words in result["reason"]


def test_a_refuted_result_names_claims_besides_the_headline():
    result = outcome(on=replace(ON, open_loop=samples(queries=250)))
    assert (result["verdict"], result["headline"]["outcome"]) == ("refuted", "holds")
    assert result["refuted_by"] == ["on.db_queries_per_request is 2.50 (2.50 to 2.50 over the runs), not <= 2"]
    assert verdict_line(result).endswith(f"yes. Refuted: {result['refuted_by'][0]}.")


def test_only_a_refuted_result_is_refuted_by_claims():
    disagreeing = measured([(OFF, ON), (OFF, replace(ON, open_loop=samples(SLOW_MS)))])
    assert disagreeing["refuted_by"] == outcome()["refuted_by"] == []
    assert "not in every run >= 2" in verdict_line(disagreeing)


def test_a_figure_without_measurement_makes_the_result_invalid():
    never = ArmObservation("on", samples(count=0, latencies_ms=[], succeeded=[]), ON.closed_loop)
    result = outcome(on=never)
    assert result["verdict"] == "invalid"
    assert "could not be measured" in result["reason"]


def test_runs_that_disagree_make_the_result_invalid():
    result = measured([(OFF, ON), (OFF, replace(ON, open_loop=samples(SLOW_MS))), (OFF, ON)])
    assert result["ratios"]["p50_off_over_on"] == 20, "the median would have passed"
    assert result["verdict"] == "invalid"
    assert "1.00 to 20.00, far apart, over the runs), not in every run >= 2" in result["reason"]


def test_the_reason_marks_runs_that_are_far_apart():
    quicker = replace(ON, open_loop=samples(FAST_MS / 5, queries=10))
    result = measured([(OFF, ON), (OFF, quicker)])
    assert result["verdict"] == "confirmed"
    assert "(20.00 to 100.00, far apart, over the runs)" in result["reason"]


@pytest.mark.parametrize(
    ("changed", "caution"),
    [
        ({}, ""),
        ({"on": replace(ON, open_loop=samples(SLOW_MS))}, ""),
        ({"on": replace(ON, anomalies={"cache_outages": 4})}, "anomalies of its own"),
        ({"off": ArmObservation("off", samples(SLOW_MS, queries=100), OFF.closed_loop)}, "did not show"),
        ({"on": ArmObservation("on", ON.open_loop, samples(count=900, cpu_share=0.99))}, "bottleneck"),
        ({"after": samples(FAST_MS * 10)}, "steady state"),
    ],
)
def test_a_single_run_is_a_look_and_confirms_nothing(changed, caution):
    result = outcome(**changed, runs=1)
    assert result["verdict"] == "look"
    assert result["judged"] == {"correctness": None, "timing": None}
    assert "confirms nothing" in result["reason"]
    assert "as claimed" not in result["reason"]
    assert caution in result["reason"]


def test_a_single_run_with_many_errors_is_invalid():
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
    """The result of a flash sale; each keyword changes the measures of an arm's last run."""

    def observation(name, last):
        changes = arms.get(name, {}) if last else {}
        return ArmObservation(name, samples(), None, (NAIVE if name == "naive" else FAIR) | changes)

    before, after = samples(before_ms, count=20), samples(after_ms, count=20)
    observations = [tuple(observation(arm.name, number == runs - 1) for arm in SALE.arms) for number in range(runs)]
    record = RunRecord(3.0, before, after, tuple(observations))
    return build_result(SALE, record, datetime(2026, 1, 2, tzinfo=UTC), {})


def test_correctness_is_judged_although_the_latency_drifted():
    result = sale(before_ms=40.0, after_ms=FAST_MS)
    assert (result["verdict"], result["judged"]) == ("confirmed", {"correctness": "confirmed", "timing": "invalid"})
    assert "The timing is not judged. The steady state did not hold" in result["reason"]


def test_the_kind_of_the_headlines_claim_decides(monkeypatch):
    timed = SALE.headline.with_changes(claim=SALE.verdict.confirmed_when[0])
    monkeypatch.setattr(sys.modules[__name__], "SALE", SALE.with_changes(headline=timed, quick=None))
    result = sale(before_ms=40.0, after_ms=FAST_MS)
    assert (result["verdict"], result["judged"]) == ("invalid", {"correctness": "confirmed", "timing": "invalid"})
    assert sale()["verdict"] == "confirmed"


def test_one_oversold_piece_in_one_run_refutes():
    result = sale(conditional={"one_oversold": 1.0}, after_ms=FAST_MS * 10)
    assert result["verdict"] == "refuted"
    broken = "conditional.one_oversold is 0.50 (0.00 to 1.00 over the runs), not in every run <= 0"
    assert broken in result["reason"]
    assert result["refuted_by"] == [broken], "the timing was not judged, so it refutes nothing"


def test_without_overselling_by_the_naive_arm_the_sale_is_invalid():
    result = sale(naive={"one_oversold": 0.0})
    assert (result["verdict"], result["judged"]["correctness"]) == ("invalid", None)
    assert sale(naive={"one_oversold": 0.0}, optimistic={"mismatches": 1.0})["verdict"] == "refuted"


def test_tolerated_anomalies_are_reported_and_do_not_invalidate():
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


def test_shares_are_drawn_as_percentages():
    chart = [{"figure": "error_rate", "title": "Failed", "says": "", "unit": "%"}]
    failing = replace(
        OFF, open_loop=samples(SLOW_MS, queries=700, succeeded=[True] * 75 + [False] * 25), closed_loop=None
    )
    result = {**outcome(off=failing, runs=2), "charts": chart}
    assert "25.0 %" in draw_picture(result)
    assert "25.0 %" in render_report(result)


def test_without_staleness_in_the_first_arm_nothing_is_confirmed():
    """An arm without staleness proves nothing if the first arm shows almost none either."""
    staleness = parse_experiment((EXPERIMENTS / "cache-staleness.toml").read_text(), "cache-staleness.toml")
    measures = dict.fromkeys(staleness.arm_driver.measures) | {"orders": 5.0, "wrong_price_orders": 0.0}
    arms = tuple(
        ArmObservation(name, samples(), None, {**measures, "stale_max_s": stale})
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
def test_a_saturated_generator_is_detected(cpu, lag, sign):
    saturation = samples(cpu_share=cpu, release_lag_p95_ms=lag).saturation
    assert sign in saturation if sign else saturation is None


def test_experiment_of_long_waits_allows_a_later_generator():
    assert samples(cpu_share=0.2, release_lag_p95_ms=80.0, lag_limit_ms=250.0).saturation is None
    assert "late" in samples(cpu_share=0.2, release_lag_p95_ms=251.0, lag_limit_ms=250.0).saturation


def test_goodput_counts_only_successful_answers_in_time():
    mixed = samples(count=4, latencies_ms=[1, 1, 5000, 1], succeeded=[True, False, True, True])
    figures = compute_figures(ArmObservation("on", mixed, ON.closed_loop), good_within_ms=1000)
    assert figures["goodput_rps"] == pytest.approx(0.2)
    assert figures["achieved_rps"] == pytest.approx(0.4)


def test_every_computed_figure_is_in_the_table():
    assert set(compute_figures(ON, 1000)) == set(FIGURES)


def test_a_result_has_the_fields_of_the_contract():
    result = outcome()
    assert set(result) >= CONTRACT
    for arm in result["arms"]:
        assert set(arm) >= ARM_CONTRACT
        assert set(arm["hit_rate"]) == {"edge", "local", "shared"}
    off, on = result["arms"]
    assert (off["p50_ms"], off["db_queries_per_request"], on["hit_rate"]["shared"]) == (SLOW_MS, 7.0, 0.9)
    assert off["spread"]["p50_ms"] == {"min": SLOW_MS, "max": SLOW_MS}
    own = {"cache.edge": "off", "cache.local": "off", "cache.shared": "off", "api.composite": "on"}
    assert off["switches"] == {**UNPROTECTED, **own}


def test_figures_are_medians_with_their_lowest_and_highest_run():
    quiet = samples(count=20)
    runs = tuple((ArmObservation("off", samples(ms), OFF.closed_loop), ON) for ms in (70.0, 100.0, 80.0))
    record = RunRecord(5.0, quiet, quiet, runs)
    result = build_result(EXPERIMENT, record, datetime(2026, 1, 2, tzinfo=UTC), {"cache.shared": "on"})
    assert result["arms"][0]["p50_ms"] == 80
    assert result["arms"][0]["spread"]["p50_ms"] == {"min": 70, "max": 100}
    assert result["spread"]["p50_off_over_on"] == {"min": 17.5, "max": 25}


def test_a_saved_result_is_the_latest_and_reads_back_unchanged(tmp_path):
    result = outcome()
    home = save_result(result, tmp_path)
    assert read_result(find_result(tmp_path)) == read_result(home)
    assert find_result(tmp_path) == find_result(tmp_path, home.name) == home
    assert read_result(home)["ratios"] == result["ratios"]


def test_a_report_loads_nothing_from_outside(tmp_path):
    page = write_report(save_result(outcome(), tmp_path)).read_text()
    assert page.count("<svg") == 2 + 2 * 2  # two charts are wide; each is drawn for a wide and for a narrow screen
    for outside in ("http-equiv", "<script", "<link", "src=", "@import", "url("):
        assert outside not in page
    assert "confirmed" in page
    assert "80.0 ms" in page


def test_a_report_escapes_its_texts():
    result = outcome()
    result["arms"][0]["title"] = result["reason"] = "<script>alert(1)</script>"
    assert "<script" not in render_report(result)


def test_a_report_without_any_answer_renders():
    dead = samples(count=0, latencies_ms=[], succeeded=[], calls=0)
    result = outcome(
        off=ArmObservation("off", dead, dead), on=ArmObservation("on", dead, dead), before=dead, after=dead
    )
    assert result["verdict"] == "invalid"
    assert "no answer" in render_report(result)
    assert draw_picture(result).startswith("<svg")


def test_the_picture_states_the_speedup():
    drawn = draw_picture(outcome())
    assert "20.0× quicker" in drawn
    assert "9.00× as many" in drawn


def test_notes_of_the_picture_end_within_its_width():
    drawn = draw_picture(outcome() | {"experiment": "an-experiment-with-a-name-of-fifty-four-characters-here"})
    notes = re.findall(r'<text x="32" y="\d+" class="soft">([^<]*)', drawn)
    assert max(map(len, notes)) < 100, "856 units hold about 130 characters of this size"


def test_the_picture_uses_the_ratios_of_the_verdict():
    result = outcome()
    result["ratios"] |= {"p50_off_over_on": 4.5, "most_rps_on_over_off": 7.5}
    drawn = draw_picture(result)
    assert "4.50× quicker" in drawn
    assert "7.50× as many" in drawn


def test_the_terminal_and_the_report_show_the_same_table():
    table = dict(figure_rows(outcome()))
    assert table["Median wait"] == ["80.0 ms", "4.00 ms"]
    assert "Answered by the edge" not in table, "a layer without requests is left out"


def test_hit_rates_become_shares_of_all_requests():
    shares = dict(layer_shares({"hit_rate": {"edge": 0.5, "local": None, "shared": 0.5}}))
    assert shares == {"edge": 0.5, "shared": 0.25, "store": 0.25}


@pytest.mark.parametrize(("value", "written"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0, "0.00")])
def test_figures_are_written_with_significant_digits(value, written):
    assert format_number(value) == written


def test_the_demand_table_compares_both_exponents():
    classic = ArmObservation("classic", samples(FAST_MS / 2, queries=0), samples(count=1000))
    record = RunRecord(5.0, samples(count=20), samples(count=20), ((OFF, ON, classic),) * 2)
    result = build_result(WHOLE, record, datetime(2026, 1, 2, tzinfo=UTC), {})
    assert [arm["exponent"] for arm in result["arms"]] == [0.65, 0.65, 1.0]
    table = demand_table({"cache-aside": result, "older": outcome()})
    assert "| `cache-aside`, with cache-aside | median wait | 4.00 ms | 2.00 ms |" in table
    assert "older" not in table
    assert "20.0× quicker" in draw_picture(result), "the speedup of the arm with the same demand"
    assert "exponent 1" in render_report(result)
