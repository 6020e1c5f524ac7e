"""The drill: buy, back up, buy more, lose the database, put the backup back, settle what was lost. All servers real."""

import shutil
import uuid

import httpx
import pytest

from shop.reconciliation.audit import audit
from shop.settings import load_settings
from shop.stack.endpoints import resolve
from tests.support.checkout_processes import DETAILS
from tests.support.polling import until
from tests.support.stack_instance import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole-stack")]  # one process, one stack


@pytest.fixture
def checkout(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("drill"))
    yield checkout
    checkout.shop("down")


def buy(checkout):
    """Buy one piece of what is in stock, as a guest; return the order's id."""
    with httpx.Client(base_url=f"http://127.0.0.1:{checkout.port}", timeout=30) as shopper:
        product = shopper.get("/api/v1/products", params={"in_stock": "true", "limit": 1}).json()["items"][0]
        shopper.post("/api/v1/cart/items", json={"product": product["slug"], "quantity": 1}).raise_for_status()
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = shopper.post("/api/v1/checkout", json=DETAILS, headers=headers).raise_for_status()
        return answer.json()["order"]["id"]


def books(checkout):
    """What the auditor finds of money, orders and stock: pairs of kind and id."""
    settings = resolve(load_settings({}, var_dir=checkout.var, port=checkout.port))
    return {(one.kind, one.id) for one in audit(settings, look_again_s=0.0).mismatches}


def test_what_was_lost_after_the_backup_is_named_and_settled(checkout):
    checkout.up("--size", "s", "--no-edge")
    kept, copy = buy(checkout), str(checkout.var / "copy")
    done = checkout.shop("backup", copy)
    assert done.returncode == 0, done.stderr
    lost = [buy(checkout), buy(checkout)]
    refused = checkout.shop("restore", copy, "--yes")
    assert (refused.returncode, "shop down" in refused.stderr) == (2, True)

    checkout.shop("down")
    shutil.rmtree(checkout.var / "pg")
    done = checkout.shop("restore", copy, "--yes")
    assert done.returncode == 0, done.stderr

    checkout.up("--size", "s", "--no-edge")
    found = until(lambda: books(checkout))
    assert {kind for kind, _ in found} == {"charge_unknown"}
    assert len(found) == len(lost)
    first, second = sorted(charge for _, charge in found)
    assert checkout.shop("books", "settle", first, "--refund").returncode == 0
    assert checkout.shop("books", "settle", second, "--keep", "--reason", "sent from the paper list").returncode == 0
    assert books(checkout) == set()
    with httpx.Client(base_url=f"http://127.0.0.1:{checkout.port}") as stranger:
        assert stranger.get(f"/api/v1/orders/{lost[0]}").status_code == 404
    assert buy(checkout) not in (kept, *lost)
    assert books(checkout) == set()
