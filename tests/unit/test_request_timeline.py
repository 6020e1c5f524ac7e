"""The way of one request, placed on one scale."""

import pytest

from shop.lab_console.request_timeline import build_timeline

ID = {"request_id": "a" * 32, "level": "info"}
MAIL = {"order": "ord_1", "mail": "<m>"}
CHARGED = {**ID, "process": "payments", "ts": "2026-01-01T00:00:00.400Z", "event": "request", "method": "POST"}
WEB = {
    **ID,
    "process": "web",
    "ts": "2026-01-01T00:00:00.500Z",
    "event": "request",
    "method": "POST",
    "path": "/api/v1/checkout",
    "status": 201,
    "duration_ms": 450.0,
    "queries": 23,
    "cache": [],
}
EDGE = {**WEB, "process": "edge", "ts": "2026-01-01T00:00:00.510Z", "duration_s": 0.5, "cache": "shop-edge; fwd=bypass"}
FORWARDED = {name: value for name, value in EDGE.items() if name not in ("duration_ms", "queries")}
SENT = {
    **ID,
    "process": "worker",
    "ts": "2026-01-01T00:00:01.010Z",
    "event": "mail_sent",
    "order": "ord_1",
    "mail": "<m>",
}


def test_steps_begin_before_their_lines_were_written():
    timeline = build_timeline([CHARGED, WEB, FORWARDED, SENT])
    assert [(step.process, step.title) for step in timeline.steps] == [
        ("edge", "POST /api/v1/checkout"),
        ("web", "POST /api/v1/checkout"),
        ("payments", "POST "),
        ("worker", "mail_sent"),
    ]
    assert [step.start_ms for step in timeline.steps] == pytest.approx([0, 40, 390, 1000])
    assert [step.duration_ms for step in timeline.steps] == [500, 450, None, None]
    assert timeline.length_ms == pytest.approx(1000)


def test_orders_and_mails_of_the_lines_are_listed_once():
    timeline = build_timeline([SENT, SENT])
    assert (timeline.orders, timeline.mails) == (("ord_1",), ("<m>",))


@pytest.mark.parametrize(
    ("lines", "layer"),
    [
        ([WEB, FORWARDED], "database"),
        ([{**WEB, "queries": 0, "cache": ["shop-shared; hit"]}, FORWARDED], "Valkey"),
        ([{**FORWARDED, "cache": "shop-edge; hit; ttl=3"}], "edge"),
        ([FORWARDED], None),
        ([], None),
    ],
)
def test_answering_layer_is_that_of_the_answer(lines, layer):
    assert build_timeline(lines).answered_by == layer


@pytest.mark.parametrize(
    ("line", "problem"),
    [(WEB, False), ({**WEB, "status": 503}, True), ({**SENT, "level": "warning"}, True)],
)
def test_warnings_and_failures_are_problems(line, problem):
    assert build_timeline([line]).steps[0].is_problem is problem
