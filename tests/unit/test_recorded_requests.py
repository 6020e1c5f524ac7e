"""Recorded requests of Locust: exact percentiles, and two values of a switch side by side."""

import pytest

from loadtests.misleading_run.figures import MisleadingFigure, MisleadingWay, way_table
from loadtests.recording.arm_comparison import IN_FRONT, MeasuredWindow, arm_order, compare_arms, comparison_table
from loadtests.recording.request_log import RecordedRequest, read_requests, requests_table
from shop.switches.registry import SWITCHES

COLUMNS = 80
PAGE = "GET /p/[product]"
WINDOWS = [MeasuredWindow("off", 10, 20), MeasuredWindow("on", 30, 40), MeasuredWindow("off", 50, 60)]


def request(began, ms, name=PAGE, failure=""):
    return RecordedRequest(began, name, ms, failure)


def compare(*requests):
    return compare_arms("cache.local", ("off", "on"), WINDOWS, requests)


def test_arms_are_measured_in_turn():
    assert arm_order(("off", "on"), 3) == ["off", "on", "on", "off", "off", "on"]


def test_comparison_counts_requests_that_began_in_a_window():
    seen = compare(request(9, 900), request(10, 8), request(20, 900), request(31, 2), request(55, 12))
    figures = {one.label: one for one in seen.figures}
    off, on = figures["p50 ms"].cells
    assert (off.median, off.low, off.high) == (10, 8, 12)
    assert (on.median, on.low, on.high) == (2, 2, 2)
    assert figures["p50 ms"].ratio == pytest.approx(0.2)
    assert [cell.median for cell in figures["requests/s"].cells] == [0.1, 0.1]
    assert [one.label for one in seen.medians] == [PAGE]


def test_percentiles_of_an_arm_come_from_raw_samples():
    seen = compare(*(request(10, ms) for ms in (1, 2, 3)), request(50, 1049), request(31, 1))
    p99 = next(one for one in seen.figures if one.label == "p99 ms")
    assert p99.cells[0].median == pytest.approx(1049 - 0.03 * (1049 - 3))


def test_an_arm_without_requests_is_blank():
    seen = compare(request(10, 5))
    assert seen.as_json()["arms"]["on"]["p50 ms"] is None
    assert seen.as_json()["ratios"]["p50 ms"] is None
    assert "None" not in comparison_table(seen)


def test_failures_are_named_below_the_table():
    seen = compare(request(10, 5, failure="timed out"), request(31, 5), request(32, 5, failure="timed out"))
    assert "2 failed: timed out" in comparison_table(seen)
    assert seen.as_json()["arms"] == {
        "off": pytest.approx({"requests/s": 0.05, "failed %": 100, "p50 ms": 5, "p95 ms": 5, "p99 ms": 5, PAGE: 5}),
        "on": pytest.approx({"requests/s": 0.2, "failed %": 50, "p50 ms": 5, "p95 ms": 5, "p99 ms": 5, PAGE: 5}),
    }


def test_tables_fit_the_terminal():
    long = [request(at, ms, "POST /api/v1/a/very/long/route/of/products", "x" * 99) for at, ms in ((10, 9999), (31, 9))]
    long += [request(50 + number % 2, 15000 + number, "GET /") for number in range(2000)]
    way = MisleadingWay("title", "open loop", [MisleadingFigure("x" * 40, 1234567.8, 12345678.9, "ms")], ("x" * 80,))
    tables = [comparison_table(compare(*long)), requests_table(long), way_table(way)]
    assert max(len(line) for table in tables for line in table.splitlines()) <= COLUMNS


def test_layers_in_front_of_a_layer_are_switches():
    assert {name for names in IN_FRONT.items() for name in (names[0], *names[1])} <= set(SWITCHES)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text('{"began": 1}\n')
    with pytest.raises(TypeError):
        read_requests(path)
