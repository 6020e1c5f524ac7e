"""Where the servers of one stack find each other, decided before any of them runs."""

import pytest

from shop.stack import edge
from shop.stack.program import free_port
from shop.stack.state import StackState
from shop.stack.up import WEBHOOK_PATH, make_plan

pytestmark = pytest.mark.skipif(edge.find_binary() is None, reason="there is no nginx for this platform")


@pytest.fixture
def alone(settings, tmp_path):
    """Settings of a stack which runs the application, the simulator and the edge; the rest is the tests' own."""
    return settings.model_copy(update={"payments_url": None, "port": free_port(), "var_dir": tmp_path})


def told(program):
    return program.env["SHOP_PAYMENTS_WEBHOOK_ADDRESS"]


def test_the_simulator_calls_the_store_at_its_own_address(alone):
    plan = make_plan(alone, StackState())
    assert told(plan.simulators[0]) == f"http://127.0.0.1:{alone.port}{WEBHOOK_PATH}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_with_tls_simulator_calls_the_application_behind_the_edge(alone, tmp_path, host):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("read by nginx alone")
    with_tls = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem", "host": host}
    plan = make_plan(alone.model_copy(update=with_tls), StackState())
    web = next(program for program in plan.store if program.name == "web")
    assert told(plan.simulators[0]) == f"http://127.0.0.1:{web.port}{WEBHOOK_PATH}"
    assert web.env["SHOP_HOST"] == "127.0.0.1"


def test_an_address_that_the_user_gave_is_kept(alone):
    address = "http://web:8080/webhooks/payments"
    plan = make_plan(alone.model_copy(update={"payments_webhook_address": address}), StackState())
    assert told(plan.simulators[0]) == address
