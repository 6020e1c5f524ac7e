"""The report of a run: headline first, no chart twice, no clipped label, and what was not measured is blank."""

import json
import re

import pytest

from shop.cli.lab import figure_tables
from shop.cli.reference import load_runs
from shop.lab import charts
from shop.lab.charts import ChartBar
from shop.lab.experiment import load_experiments
from shop.lab.figures import ArmObservation, compute_figures
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.next_steps import next_steps
from shop.lab.report import figure_rows, render_report
from shop.lab.result import parse_result
from shop.lab.unprotected_store import UNPROTECTED

WIDE_LETTER = 0.56
"""The mean width of a letter in the report's font, as a share of its size."""
TEXT = re.compile(r'<text x="([-\d.]+)" y="[-\d.]+"(?: class="(\w+)")?([^>]*)>([^<]*)')
BROWSERS = "Answered by the browser's own copy"
SIZES = {"soft": 13, "figure": 14, "heading": 15, "title": 21}


def clipped(svg):
    """Return the labels that leave their drawing on the left or on the right."""
    width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    found = []
    for x, kind, rest, label in TEXT.findall(svg):
        length = len(label) * SIZES.get(kind, 13) * WIDE_LETTER
        share = 1.0 if 'anchor="end"' in rest else 0.5 if 'anchor="middle"' in rest else 0.0
        left = float(x) - share * length
        if left < -1 or left + length > width + 1:
            found.append(label)
    return found


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
@pytest.mark.parametrize("width", [charts.PHONE, charts.DESK])
def test_no_label_of_an_experiments_charts_is_clipped(experiment, width):
    titles = [arm.title for arm in experiment.arms]
    slow = [(percent, 2.0 + percent**2.3) for percent in (1, 50, 99, 99.9)]  # up to 40 s
    bars = [ChartBar(title, 12345.0, 12000.0, 12400.0) for title in titles]
    drawings = [
        charts.bar_chart(bars, "ms"),
        charts.percentile_chart([(title, slow) for title in titles], width),
        charts.curve_chart([(title, [(2, 0.1, 0.1, 0.2), (16, 0.9, 0.8, 0.9)]) for title in titles], width),
        charts.layer_chart([(title, [("edge", 0.5), ("store", 0.5)]) for title in titles], width),
    ]
    assert [label for drawing in drawings for label in clipped(drawing)] == []


def test_a_clipped_label_is_found():
    assert clipped('<svg viewBox="0 0 50 9"><text x="0" y="8" class="soft">a very long label</text></svg>')


def driven(**changes):
    """Samples of a driver that offers its load by itself."""
    fields = {"offered": 1, "seconds": 1.0, "latencies_ms": [5.0], "succeeded": [True], "calls": 1, "lookups": {}}
    unmeasured = dict.fromkeys(("queries", "cpu_share", "release_lag_p95_ms"))
    return LoadSamples.model_validate({**fields, **unmeasured, "errors": {}, **changes})


def test_what_a_driver_did_not_measure_is_no_figure():
    figures = compute_figures(ArmObservation("on", driven(), None), 1000)
    unmeasured = ("db_queries_per_request", "db_queries_per_visit", "generator_cpu", "generator_lag_p95_ms", "most_rps")
    assert [figures[name] for name in unmeasured] == [None] * len(unmeasured)
    assert merge_samples([driven(), driven()]).queries is None
    assert merge_samples([driven(), driven(queries=3)]).queries == 3
    assert driven().saturation is None


def test_old_run_shows_no_zero_that_was_not_measured():
    runs = load_runs()
    retries = dict(figure_rows(runs["checkout-retries"]))  # stored with zeros, since its driver has no generator
    assert {"Queries a request", "Generator, of one core", BROWSERS}.isdisjoint(retries)
    assert retries["Failed"] == ["0.0%", "0.0%"], "measured, and zero"
    assert BROWSERS not in render_report(runs["checkout-retries"])
    aside = dict(figure_rows(runs["cache-aside"]))
    assert aside["Queries a request"][1].startswith("0.00"), "measured, and zero"
    layers = dict(figure_rows(runs["cache-layers"]))[BROWSERS]
    assert [bool(cell) for cell in layers] == [False, False, False, False, True, False], "one arm has browsers"


def test_a_simulated_browser_that_answered_nothing_is_a_figure():
    counts = {"edge": 4}
    without, with_browsers = (driven(answer_counts=one) for one in (counts, {**counts, "browser": 0}))
    shares = [ArmObservation("on", one, None).answer_share("browser") for one in (without, with_browsers)]
    assert shares == [None, 0.0]
    stored = result()
    stored["arms"][1] |= {"browsers": 3, "measures": {"share_browser": 0.0}}
    stored["arms"][0] |= {"browsers": 0, "measures": {"share_browser": 0.0}}
    arms = parse_result(json.dumps(stored))["arms"]
    assert [arm["measures"]["share_browser"] for arm in arms] == [None, 0.0]


def result(**changes):
    arm = {"title": "on", "name": "on", "switches": {"cache.shared": "on"}, "faults": {}, "distribution_ms": []}
    figures = {"p50_ms": 2.0, "hit_rate": {}, "measures": {"most_rps": 9.0}}
    spread = {name: {"min": 1.0, "max": 3.0} for name in ("p50_ms", "most_rps")}
    first = {**arm, **figures, "spread": spread}
    document = {
        "experiment": "cache-aside",
        "title": "Cache-aside",
        "hypothesis": "It is quicker.",
        "teaches": "Look at the median.",
        "verdict": "confirmed",
        "reason": "It is so.",
        "form": "quick",
        "runs": 2,
        "good_within_ms": 1000.0,
        "started_at": "2026-11-30T09:00:00+00:00",
        "machine": {"cpus": 2, "memory_gb": 4, "system": "Linux", "python": "3.11"},
        "arms": [{**first, "title": "off", "name": "off", "switches": {"cache.shared": "off"}}, first],
        "claims": [],
        "steady_state": {"says": "Calm.", "p50_before_ms": 1.0, "p50_after_ms": 1.0},
        "headline": {
            "claim": "ratios.p50 >= 2",
            "says": "{figure} times quicker",
            "figure": 9.0,
            "low": 9.0,
            "high": 9.0,
            "unit": "",
            "outcome": "holds",
        },
    }
    return {**document, **changes}


def test_report_begins_with_the_figure_and_ends_with_advice():
    page = render_report(result())
    assert page.index("9.00</p>") < page.index("9.00 times quicker; claimed at least 2: yes.") < page.index("<table>")
    assert "Look at the median." in page
    assert "bin/shop switch set cache.shared off" in page


def test_report_says_whether_the_store_protected_itself():
    arms = [{**arm, "switches": {**arm["switches"], **UNPROTECTED}} for arm in result()["arms"]]
    assert "in every arm: overload.shedding=off, overload.queue=fifo, overload.lanes=shared" in render_report(
        result(arms=arms)
    )
    arms[0]["switches"]["overload.queue"] = "codel"
    page = render_report(result(arms=arms))
    assert "in every arm: overload.shedding=off, overload.lanes=shared<" in page
    assert "overload.queue=codel" in page
    assert "in every arm" not in render_report(result()), "an earlier run does not say it"


def test_no_chart_is_shown_twice():
    listed = [{"figure": "p50_ms", "title": "Median", "says": "", "unit": "ms"}]
    assert render_report(result()).count('aria-label="ms: ') == 1
    assert render_report(result(charts=listed)).count('aria-label="ms: ') == 1


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"verdict": "invalid"}, "The run proves nothing"),
        ({"verdict": "look"}, "One run claims nothing"),
        ({"verdict": "refuted"}, "See whether it repeats"),
        ({}, "Measure all arms"),
        ({"form": "full"}, "Flip it by hand"),
        ({"form": "full", "arms": []}, "Change a number"),
    ],
)
def test_the_verdict_decides_what_to_do_next(changes, first):
    assert next_steps(result(**changes))[0].startswith(first)


@pytest.mark.parametrize("verdict", ["invalid", "look"])
def test_advice_names_the_full_run_once(verdict):
    steps = next_steps(result(verdict=verdict, form="quick"))
    assert sum("bin/shop lab run cache-aside" in step for step in steps) == 1


def test_tables_of_many_arms_have_two_arms_each():
    many = result()["arms"] * 2 + result()["arms"][:1]
    assert [len(table.columns) for table in figure_tables(result(arms=many))] == [3, 3, 2]
