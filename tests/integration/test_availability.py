"""The last piece, sold or put back: whatever way the stock crosses zero, all that says so ends, and nothing else."""

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

SAY_SO = frozenset(tags.of_change("mug", ["kitchen", "mugs"]))
OTHERS = frozenset({tags.CATEGORIES, tags.CATALOGUE, tags.product("cup"), tags.category("garden")})
PIECES = 2


class MugShelf:
    """A shelf of mugs, and all that can happen to it."""

    def __init__(self, runtime, home):
        self.runtime, self.home, self.owner = runtime, home, CartOwner(guest_cart_id=uuid.uuid4())
        self.services = runtime.services()
        self.order = None

    def holds(self, pieces):
        with self.runtime.database.transaction() as session:
            kitchen = make_category(session, "kitchen")
            make_product(session, make_category(session, "mugs", kitchen), "mug", on_hand=pieces)
            make_product(session, make_category(session, "garden"), "cup")

    def ended(self, happening):
        """Return which tags have another version after something happened."""
        every, level = sorted(SAY_SO | OTHERS), self.runtime.cache.shared
        before = level.ensure_tag_versions(every).versions
        happening()
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
        """Import the shelf's row with another number of pieces, and no other change."""
        given = self.home / "stock.csv"
        given.write_text(f"slug,price,on_hand\nmug,{price},{pieces}\n")
        told = []
        import_catalogue(self.runtime.settings, rows(given), on_change=told.extend)
        self.services.cache.invalidate([tag for tag in told if tag != tags.SEARCHES])  # those end with every import


@pytest.fixture
def shelf(runtime, simulator, tmp_path):
    return MugShelf(runtime, tmp_path)


CROSSES = {
    "sold": (PIECES, MugShelf.sell),
    "promised and put back": (PIECES, MugShelf.decline),
    "counted out": (PIECES, lambda shelf: shelf.count(0)),
    "counted in": (0, lambda shelf: shelf.count(1)),
    "imported out": (PIECES, lambda shelf: shelf.bring(0)),
    "imported in": (0, lambda shelf: shelf.bring(3)),
}
DOES_NOT = {
    "sold": (PIECES + 1, MugShelf.sell),
    "promised and put back": (PIECES + 1, MugShelf.decline),
    "counted": (PIECES, lambda shelf: shelf.count(1)),
    "imported": (PIECES, lambda shelf: shelf.bring(1)),
    "imported and there was none": (0, lambda shelf: shelf.bring(0)),
}


@pytest.mark.parametrize(("pieces", "happening"), CROSSES.values(), ids=CROSSES)
def test_responses_with_availability_are_invalidated_when_it_changes(shelf, pieces, happening):
    shelf.holds(pieces)
    ended = shelf.ended(lambda: happening(shelf))
    assert SAY_SO - {tags.SEARCHES} <= ended <= SAY_SO
    assert tags.SEARCHES in ended or "bring" in happening.__code__.co_names


def test_restocking_sold_out_product_invalidates_its_responses(shelf):
    shelf.holds(PIECES)
    shelf.sell()
    assert shelf.ended(shelf.cancel) == SAY_SO


@pytest.mark.parametrize(("pieces", "happening"), DOES_NOT.values(), ids=DOES_NOT)
def test_stock_change_without_crossing_zero_invalidates_nothing(shelf, pieces, happening):
    shelf.holds(pieces)
    assert shelf.ended(lambda: happening(shelf)) == set()


def test_sale_with_remaining_pieces_runs_no_further_query(client, shelf, runtime):
    """The price of the last piece is one query and some tags; of every other piece, nothing."""
    shelf.holds(PIECES + 1)
    asked = []
    invalidate = runtime.cache.shared.invalidate
    runtime.cache.shared.invalidate = lambda ended: asked.append(ended) or invalidate(ended)
    shelf.sell()
    assert asked == []
