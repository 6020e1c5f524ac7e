"""The summary of the last request lines."""

import json

import pytest

from shop.patterns.observability.recent_requests import last_requests, layer_of, summarise


def line(second=0.0, **fields):
    return {"ts": f"2026-01-02T03:04:{second:06.3f}Z", "status": 200, "queries": 0, "cache": [], **fields}


@pytest.mark.parametrize(
    ("fields", "layer"),
    [
        ({"cache": ["shop-shared; fwd=miss; stored", "shop-local; fwd=miss"], "queries": 6}, "database"),
        ({"cache": ["shop-shared; hit; ttl=3", "shop-local; fwd=miss; stored"]}, "shared"),
        ({"cache": ["shop-local; hit; ttl=3"]}, "local"),
        ({"cache": ["shop-local; hit; ttl=3"], "status": 304}, "browser"),
        ({}, "application"),
    ],
)
def test_the_answering_layer_is_the_one_with_the_answer(fields, layer):
    assert layer_of(line(**fields)) == layer


def test_rates_are_computed_from_the_first_to_the_last():
    recent = summarise([line(2, queries=6), line(0), line(1)])
    assert (recent.requests_a_second, recent.queries_a_second) == (1, 3)


def test_a_single_request_has_no_rate():
    assert summarise([line()]).requests_a_second is None
    assert summarise([]).answered_by == ()


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def edge_line(second, cache, **fields):
    told = {"ts": 1767323045 + second, "event": "request", "path": "/e", "status": 200, "duration_s": 0.001}
    return {**told, "cache": cache, **fields}


def test_edge_hits_are_merged_with_the_applications_lines(tmp_path):
    web = write(tmp_path / "web", {**line(5.5, path="/w"), "event": "request"})
    edge = write(
        tmp_path / "edge",
        edge_line(0.0, "shop-edge; hit; ttl=3"),
        edge_line(0.5, "shop-edge; fwd=miss; stored", path="/w"),
        edge_line(1.0, "shop-edge; hit; ttl=2"),
    )
    found = last_requests(web, edge, 10)
    assert [(one["ts"], one["path"]) for one in found] == [
        ("2026-01-02T03:04:06.000Z", "/e"),
        ("2026-01-02T03:04:05.500Z", "/w"),
        ("2026-01-02T03:04:05.000Z", "/e"),
    ]
    assert summarise(found).answered_by == (("edge", 2), ("application", 1))
    assert last_requests(web, tmp_path / "none", 10) == found[1:2]


def test_lines_before_the_beginning_of_one_log_are_left_out(tmp_path):
    web = write(tmp_path / "web", *({**line(second), "event": "request"} for second in (1.0, 5.0, 6.5)))
    passed = [edge_line(0.01 * n, "shop-edge; fwd=bypass", path="/" + "x" * 900) for n in range(200)]
    edge = write(tmp_path / "edge", *passed, edge_line(2.0, "shop-edge; hit; ttl=3"))
    found = last_requests(web, edge, 100)
    assert [one["ts"][17:] for one in found] == ["07.000Z", "06.500Z"], "before 5.7 s the edge's part is not all there"
