"""Backup drill on real servers: buy, back up, buy more, lose the database, restore, settle the lost charges."""

import shutil
import uuid

import httpx
import pytest

from shop.reconciliation.audit import audit
from shop.settings import load_settings
from shop.stack.endpoints import resolve
from tests.support.checkout_processes import DETAILS
from tests.support.polling import until
from tests.support.stack_instance import StackInstance

pytestmark = [
    pytest.mark.long,  # test_backup.py restores, and test_orphaned_charges.py lists and settles such charges
    pytest.mark.xdist_group("whole-stack"),  # one process, one stack
]


@pytest.fixture
def instance(tmp_path_factory):
    instance = StackInstance(tmp_path_factory.mktemp("drill"))
    yield instance
    instance.shop("down")


def buy(instance):
    """Buy one piece of what is in stock, as a guest; return the order's id."""
    with httpx.Client(base_url=f"http://127.0.0.1:{instance.port}", timeout=30) as shopper:
        product = shopper.get("/api/v1/products", params={"in_stock": "true", "limit": 1}).json()["items"][0]
        shopper.post("/api/v1/cart/items", json={"product": product["slug"], "quantity": 1}).raise_for_status()
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = shopper.post("/api/v1/checkout", json=DETAILS, headers=headers).raise_for_status()
        return answer.json()["order"]["id"]


def books(instance):
    """What the auditor finds of money, orders and stock: pairs of kind and id."""
    settings = resolve(load_settings({}, var_dir=instance.var, port=instance.port))
    return {(one.kind, one.id) for one in audit(settings, look_again_s=0.0).mismatches}


def test_charges_after_the_backup_are_listed_and_settled(instance):
    instance.up("--size", "s", "--no-edge")
    kept, copy = buy(instance), str(instance.var / "copy")
    done = instance.shop("backup", copy)
    assert done.returncode == 0, done.stderr
    lost = [buy(instance), buy(instance)]
    refused = instance.shop("restore", copy, "--yes")
    assert (refused.returncode, "bin/shop down" in refused.stderr) == (2, True)

    instance.shop("down")
    shutil.rmtree(instance.var / "pg")
    done = instance.shop("restore", copy, "--yes")
    assert done.returncode == 0, done.stderr

    instance.up("--size", "s", "--no-edge")
    found = until(lambda: books(instance))
    assert {kind for kind, _ in found} == {"charge_unknown"}
    assert len(found) == len(lost)
    first, second = sorted(charge for _, charge in found)
    assert instance.shop("books", "settle", first, "--refund").returncode == 0
    assert instance.shop("books", "settle", second, "--keep", "--reason", "sent from the paper list").returncode == 0
    assert books(instance) == set()
    with httpx.Client(base_url=f"http://127.0.0.1:{instance.port}") as stranger:
        assert stranger.get(f"/api/v1/orders/{lost[0]}").status_code == 404
    assert buy(instance) not in (kept, *lost)
    assert books(instance) == set()
