"""A stock that crosses zero invalidates the responses that show the availability, and nothing else."""

import uuid

import pytest

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers, tags
from shop.catalog.editing import ProductChange
from shop.checkout.details import CheckoutDetails
from shop.datasets.importing.importer import import_catalogue
from shop.datasets.importing.reading import rows
from shop.orders.service import OrderViewer
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product

AVAILABILITY_TAGS = frozenset(tags.of_change("mug", ["kitchen", "mugs"]))
OTHERS = frozenset({tags.CATEGORIES, tags.CATALOGUE, tags.product("cup"), tags.category("garden")})
PIECES = 2


class MugShelf:
    """A product, and the operations that change its stock."""

    def __init__(self, runtime, home):
        self.runtime, self.home, self.owner = runtime, home, CartOwner(guest_cart_id=uuid.uuid4())
        self.services = runtime.services()
        self.order = None

    def holds(self, pieces):
        with self.runtime.database.transaction() as session:
            kitchen = make_category(session, "kitchen")
            make_product(session, make_category(session, "mugs", kitchen), "mug", on_hand=pieces)
            make_product(session, make_category(session, "garden"), "cup")

    def invalidated_by(self, operation):
        """Return the tags that an operation has invalidated."""
        every, level = sorted(AVAILABILITY_TAGS | OTHERS), self.runtime.cache.shared
        before = level.ensure_tag_versions(every).versions
        operation()
        return {tag for tag, then, now in zip(every, before, level.versions(every), strict=True) if then != now}

    def sell(self, token="tok_ok"):
        CartService(self.runtime.database, offers).add(self.owner, "mug", PIECES)
        details = CheckoutDetails.model_validate({**DETAILS, "payment": {"token": token}})
        self.order = self.services.checkout.submit(self.owner, str(uuid.uuid4()), details)

    def decline(self):
        self.sell("tok_declined")

    def cancel(self):
        self.services.cancellation.cancel(OrderViewer(guest_id=self.owner.guest_cart_id), self.order.public_id)

    def count(self, pieces):
        self.services.catalog.edit("mug", ProductChange(on_hand=pieces))

    def bring(self, pieces, price="12.99"):
        """Import the product with another number of pieces, and no other change."""
        given = self.home / "stock.csv"
        given.write_text(f"slug,price,on_hand\nmug,{price},{pieces}\n")
        all_tags = []
        import_catalogue(self.runtime.settings, rows(given), on_change=all_tags.extend)
        # Every import invalidates the searches.
        self.services.cache.invalidate([tag for tag in all_tags if tag != tags.SEARCHES])


@pytest.fixture
def stocked_mug(runtime, simulator, tmp_path):
    return MugShelf(runtime, tmp_path)


CROSSES = {
    "sold": (PIECES, MugShelf.sell),
    "promised and put back": (PIECES, MugShelf.decline),
    "counted out": (PIECES, lambda stocked_mug: stocked_mug.count(0)),
    "counted in": (0, lambda stocked_mug: stocked_mug.count(1)),
    "imported out": (PIECES, lambda stocked_mug: stocked_mug.bring(0)),
    "imported in": (0, lambda stocked_mug: stocked_mug.bring(3)),
}
DOES_NOT = {
    "sold": (PIECES + 1, MugShelf.sell),
    "promised and put back": (PIECES + 1, MugShelf.decline),
    "counted": (PIECES, lambda stocked_mug: stocked_mug.count(1)),
    "imported": (PIECES, lambda stocked_mug: stocked_mug.bring(1)),
    "imported and there was none": (0, lambda stocked_mug: stocked_mug.bring(0)),
}


@pytest.mark.parametrize(("pieces", "operation"), CROSSES.values(), ids=CROSSES)
def test_responses_with_availability_are_invalidated_when_it_changes(stocked_mug, pieces, operation):
    stocked_mug.holds(pieces)
    ended = stocked_mug.invalidated_by(lambda: operation(stocked_mug))
    assert AVAILABILITY_TAGS - {tags.SEARCHES} <= ended <= AVAILABILITY_TAGS
    assert tags.SEARCHES in ended or "bring" in operation.__code__.co_names


def test_restocking_sold_out_product_invalidates_its_responses(stocked_mug):
    stocked_mug.holds(PIECES)
    stocked_mug.sell()
    assert stocked_mug.invalidated_by(stocked_mug.cancel) == AVAILABILITY_TAGS


@pytest.mark.parametrize(("pieces", "operation"), DOES_NOT.values(), ids=DOES_NOT)
def test_stock_change_without_crossing_zero_invalidates_nothing(stocked_mug, pieces, operation):
    stocked_mug.holds(pieces)
    assert stocked_mug.invalidated_by(lambda: operation(stocked_mug)) == set()


def test_sale_with_remaining_pieces_runs_no_further_query(client, stocked_mug, runtime):
    """A sale of the last piece costs one query and some tags; any other sale costs nothing."""
    stocked_mug.holds(PIECES + 1)
    asked = []
    invalidate = runtime.cache.shared.invalidate
    runtime.cache.shared.invalidate = lambda ended: asked.append(ended) or invalidate(ended)
    stocked_mug.sell()
    assert asked == []
