"""Counting responses from nginx's log while nginx writes it."""

import pytest
from prometheus_client import CollectorRegistry

from shop.patterns.edge.access_log import EdgeLogReader, LoggedResponse
from shop.patterns.edge.hit_counter import EdgeTotals
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.metrics_summary import EdgeSums, collect


def line(said, name="catalogue", status=200, duration_s="0.002"):
    return (
        f'{{"ts":1.0,"path":"/p/a\\"b","status":{status},"duration_s":{duration_s},"app_s":"0.001, 0.001","bytes":12,'
        f'"cache":"shop-edge; {said}","class":"{name}","client":"127.0.0.1"}}\n'
    )


def look_ups(log):
    """Read a log; return how many look-ups there were, by class and outcome."""
    totals = EdgeTotals()
    totals.add(log.read(), log.position)
    return totals.lookups


@pytest.fixture
def path(tmp_path):
    return tmp_path / "edge.jsonl"


def write(path, text, mode="a"):
    with path.open(mode) as log:
        log.write(text)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("hit; ttl=3", "hit"),
        ("hit; detail=updating", "hit-stale"),
        ("hit; detail=error", "hit-stale"),
        ("hit; detail=stale-if-error", "hit-stale"),
        ("fwd=miss; stored", "miss"),
        ("fwd=stale; stored", "stale"),
        ("fwd=miss; detail=not-writable", "unstored"),
        ("fwd=stale; detail=not-writable", "unstored"),
        ("fwd=bypass", "bypass"),
    ],
)
def test_each_line_is_one_look_up(path, said, outcome):
    log = EdgeLogReader(path)
    write(path, line(said))
    assert look_ups(log) == {("catalogue", outcome): 1}
    assert not log.read()


def test_an_unknown_class_is_not_a_label(path):
    log = EdgeLogReader(path)
    write(path, line("fwd=miss", "made-up") + line("fwd=bypass", ""))
    assert look_ups(log) == {("none", "miss"): 1, ("none", "bypass"): 1}


def test_lines_of_an_earlier_server_are_not_counted(path):
    write(path, line("hit"))
    log = EdgeLogReader(path)
    assert not log.read()


def test_an_incomplete_line_is_counted_when_complete(path):
    log = EdgeLogReader(path)
    whole = line("hit")
    write(path, whole + whole[:70])
    assert look_ups(log) == {("catalogue", "hit"): 1}
    write(path, whole[70:])
    assert look_ups(log) == {("catalogue", "hit"): 1}


def test_nothing_is_lost_when_the_log_is_moved_aside(path):
    write(path, line("hit"))
    log = EdgeLogReader(path)
    write(path, line("hit"))
    path.replace(path.with_name("edge.1.jsonl"))
    assert look_ups(log) == {("catalogue", "hit"): 1}
    write(path.with_name("edge.1.jsonl"), line("hit"))  # nginx has not been told yet
    write(path, line("fwd=miss"))
    assert look_ups(log) == {("catalogue", "hit"): 1, ("catalogue", "miss"): 1}


def test_lines_added_to_the_rotated_log_are_counted(path):
    log, old = EdgeLogReader(path), path.with_name("edge.1.jsonl")
    write(path, line("hit"))
    assert look_ups(log) == {("catalogue", "hit"): 1}
    path.replace(old)
    for _ in "12":
        write(path, line("fwd=miss"))
        assert look_ups(log) == {("catalogue", "miss"): 1}
        write(old, line("hit"))  # its buffer, which it empties a little later than the other
        assert look_ups(log) == {("catalogue", "hit"): 1}
    path.replace(old)
    write(path, line("fwd=miss"))
    assert look_ups(log) == {("catalogue", "miss"): 1}
    assert not log.read()


def test_an_answer_is_told_with_its_status_and_its_duration(path):
    log = EdgeLogReader(path)
    write(path, line("hit") * 3 + line("fwd=bypass", "", 503, "1.250"))
    assert log.read() == {
        LoggedResponse("catalogue", "hit", 200, 0.002): 3,
        LoggedResponse("none", "bypass", 503, 1.25): 1,
    }


def test_a_restarted_counter_counts_each_line_once(path, tmp_path):
    write(path, line("hit"))
    first, counted = EdgeLogReader(path), EdgeTotals()
    write(path, line("hit") + line("fwd=miss", status=500))
    counted.add(first.read(), first.position)
    counted.save(tmp_path / "totals")
    write(path, line("hit"))  # while nobody reads
    path.replace(path.with_name("edge.1.jsonl"))
    write(path, line("hit"))
    again = EdgeTotals.load(tmp_path / "totals")
    second = EdgeLogReader(path, position=again.position)
    again.add(second.read(), second.position)
    assert (again.requests, again.failed) == (4, 1)
    assert again.lookups == {("catalogue", "hit"): 3, ("catalogue", "miss"): 1}


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"requests": 1, "failed": 0, "look_ups": 3}'])
def test_totals_that_are_not_there_or_torn_are_none(tmp_path, text):
    if text is not None:
        (tmp_path / "totals").write_text(text)
    assert EdgeTotals.load(tmp_path / "totals") is None


def test_the_edge_is_shown_as_a_layer_of_its_own(path):
    log, totals = EdgeLogReader(path), EdgeTotals()
    write(path, line("hit") + line("hit; detail=error", "reference") + line("fwd=miss") + line("fwd=bypass", ""))
    totals.add(log.read(), log.position)
    found = collect(CollectorRegistry(), EdgeSums(totals.requests, totals.failed, totals.lookups))
    (layer,) = found.layers
    assert (layer.name, layer.lookups, layer.hits) == ("shop-edge", 3, 2)
    assert (found.requests, found.edge.requests) == (0, 4)


def test_metrics_have_rate_errors_and_duration():
    metrics = ProcessMetrics()
    metrics.edge.responses.observe(LoggedResponse("catalogue", "hit", 200, 0.0), 640)
    metrics.edge.responses.observe(LoggedResponse("none", "bypass", 502, 3.0), 2)
    value = metrics.registry.get_sample_value
    requests, bucket = "shop_edge_requests_total", "shop_edge_request_duration_seconds_bucket"
    assert value(requests, {"ttl_class": "catalogue", "outcome": "hit", "status": "2xx", "purpose": "use"}) == 640
    assert value(requests, {"ttl_class": "none", "outcome": "bypass", "status": "5xx", "purpose": "use"}) == 2
    assert value(bucket, {"outcome": "hit", "le": "0.001"}) == 640
    assert [value(bucket, {"outcome": "bypass", "le": bound}) for bound in ("2.5", "5.0", "+Inf")] == [0, 2, 2]
    assert value("shop_edge_request_duration_seconds_sum", {"outcome": "bypass"}) == 6.0


def test_line_with_a_purpose_counts_as_a_prefetch(path):
    log, said = EdgeLogReader(path), line("hit; ttl=3")
    write(path, said.replace('"}', '","purpose":"prefetch"}') + said.replace('"}', '","purpose":""}') + said)
    assert sorted((one.purpose, count) for one, count in log.read().items()) == [("prefetch", 1), ("use", 2)]


def test_without_an_edge_there_is_no_such_layer():
    found = collect(CollectorRegistry())
    assert (found.layers, found.edge) == ((), None)
