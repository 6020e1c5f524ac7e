"""A request followed in the lab: on its page, and for the strip at the foot of every page."""

import uuid
from datetime import UTC, datetime

import pytest

from shop.checkout.details import CheckoutDetails
from shop.faults import FaultChannel, FaultReport
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.logs import timestamp
from tests.support.checkout_processes import DETAILS
from tests.support.checkout_records import sent_mails
from tests.support.guest_carts import guest_with_cart


@pytest.fixture
def request_id():
    return uuid.uuid4().hex  # the tests of a process share its logs


@pytest.fixture
def write(settings, request_id):
    """Append a log line of the request, as a process would."""

    def append(process, **fields):
        file = JsonLinesFile(settings.log_dir / f"{process}.jsonl")
        common = {"ts": timestamp(datetime.now(UTC)), "request_id": request_id, "level": "info", "event": "request"}
        file.write(common | fields)
        file.close()

    return append


@pytest.fixture
def answered(write):
    write(
        "web", method="GET", path="/p/a-mug", status=200, duration_ms=12.5, queries=4, cache=["shop-shared; fwd=miss"]
    )


def test_request_page_shows_every_line_of_the_request(client, answered, write, request_id):
    write("worker", event="message_failed", level="warning", reason="no mail server")
    page = client.get(f"/lab/requests/{request_id}").text
    assert "GET /p/a-mug" in page
    assert "answered by: database" in page
    assert "reason=no mail server" in page
    assert "problem" in page


def test_request_page_links_the_order_and_shows_its_mail(client, write, runtime, database, last_mugs, request_id):
    runtime.switch_store.set("orders.confirmation", "inline")
    runtime.switch_poller.refresh()
    runtime.services().checkout.submit(
        guest_with_cart(database, {"last-mug": 2}), "the-key", CheckoutDetails.model_validate(DETAILS)
    )
    (mail,) = sent_mails(database)
    order = mail.message_id.removeprefix("<confirmation.").removesuffix("@shop>")
    write("worker", event="mail_sent", order=order, mail=mail.message_id)
    page = client.get(f"/lab/requests/{request_id}").text
    assert f'href="/orders/{order}"' in page
    assert mail.subject in page


def test_unknown_request_is_404_and_says_where_to_look(client):
    answer = client.get("/lab/requests/unknown")
    assert answer.status_code == 404
    assert "No line belongs to this request" in answer.text


def test_list_of_requests_leads_to_each(client, answered, request_id):
    assert f'href="/lab/requests/{request_id}"' in client.get("/lab/requests").text
    assert client.get(f"/lab/requests?id={request_id}").location == f"/lab/requests/{request_id}"


def test_list_leaves_out_the_requests_of_the_lab_itself(client, write, request_id):
    write("web", method="GET", path="/lab", status=200, duration_ms=1.0, queries=0, cache=[])
    write("edge", method="GET", path="/docs/index.html", status=200, duration_ms=1.0, queries=0, cache=[])
    write("web", method="GET", path="/api/v1/lab/figures", status=200, duration_ms=1.0, queries=0, cache=[])
    assert request_id not in client.get("/lab/requests").text


def test_strip_learns_how_the_application_answered(client, answered, request_id):
    answer = client.get(f"/api/v1/lab/requests/{request_id}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "answered_by": "database",
        "duration_ms": 12.5,
        "queries": 4,
        "faults": [],
        "switches": [],
        "parameters": [],
    }


def test_strip_learns_of_a_fault_and_of_changed_switches(client, settings, runtime, request_id):
    runtime.switch_store.set("cache.local", "off")
    runtime.switch_store.set("checkout.stock", "naive")
    runtime.switch_poller.refresh()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    faults = FaultChannel(settings.run_dir)
    faults.publish_report(FaultReport(("cache",), {"cache": "hang"}))
    answer = client.get(f"/api/v1/lab/requests/{request_id}").json
    faults.close()
    assert answer["answered_by"] is None
    assert answer["faults"] == [{"name": "cache", "value": "hang", "unsafe": True}]
    assert answer["switches"] == [
        {"name": "cache.local", "value": "off", "unsafe": False},
        {"name": "checkout.stock", "value": "naive", "unsafe": True},
    ]


def test_page_is_the_same_bytes_with_and_without_the_strip(client):
    assert "lab-strip" not in client.get("/").text
