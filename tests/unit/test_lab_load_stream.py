"""A visible load: what a second of it holds, and how the terminal shows it."""

from collections import Counter
from types import SimpleNamespace

from shop.cli.lab_load import HEAD, draw_demo, load_line
from shop.lab.demo import TOTAL_S, DemoArm
from shop.lab.live_load import SecondReporter
from shop.lab.load_stream import SOURCE_NAMES, LoadSecond, merge_seconds

COLUMNS = 80


def second(number=1, **fields):
    kept = {"rate": 3.0, "latencies_ms": [1.0, 2.0, 9.0], "failed": 0, "errors": {}, "answered_by": {}}
    return LoadSecond(second=number, **{**kept, **fields})


def test_each_second_holds_its_own_visits_only():
    samples = SimpleNamespace(latencies_ms=[1.0], succeeded=[True], answered_by=["edge"], errors=Counter())
    reporter = SecondReporter(samples)
    assert reporter.take(1, 1.0).answered_by == {"edge": 1}
    samples.latencies_ms += [5.0, 7.0]
    samples.succeeded += [True, False]
    samples.answered_by += ["origin", ""]
    samples.errors["503"] += 1
    second = reporter.take(2, 0.5)
    assert (second.rate, second.latencies_ms, second.failed) == (4.0, [5.0, 7.0], 1)
    assert (second.errors, second.answered_by) == ({"503": 1}, {"origin": 1})
    assert reporter.take(3, 1.0).errors == {}


def test_percentiles_of_merged_seconds_come_from_raw_samples():
    merged = merge_seconds([second(latencies_ms=[1.0]), second(2, rate=5.0, latencies_ms=[2.0, 3.0], failed=1)])
    assert (merged.second, merged.rate, merged.failed, merged.latency_ms(50)) == (2, 4.0, 1, 2.0)


def test_a_line_of_load_fits_the_terminal():
    busy = second(900, rate=499.9, latencies_ms=[99999.9] * 3, failed=500, answered_by=dict.fromkeys(SOURCE_NAMES, 20))
    assert len(load_line(busy)) == len(HEAD) <= COLUMNS
    assert load_line(second(answered_by={"edge": 3, "origin": 1})).split()[-2:] == ["75%", "25%"]


def test_a_second_without_answers_leaves_its_figures_blank():
    line = load_line(second(rate=0.0, latencies_ms=[], errors={"ConnectionRefusedError": 2}))
    assert line.split() == ["1", "0.0"]


def test_demo_draws_two_bars_in_proportion():
    drawn = draw_demo([DemoArm("off", second(latencies_ms=[8.0])), DemoArm("on", second(latencies_ms=[2.0]))])
    off, on = (line for line in drawn.splitlines() if line.startswith("cache.shared"))
    assert off.count("█") == 4 * on.count("█")
    assert "4.0 times quicker" in drawn
    assert max(map(len, drawn.splitlines())) <= COLUMNS


def test_demo_takes_less_than_half_a_minute():
    assert TOTAL_S + 3 <= 30
