"""The use cases of carts. A guest's cart is found by a cookie; it is merged into the account's cart at log-in."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Select, delete, false, update
from sqlalchemy.orm import Session

from shop.cart import cart_lines, queries
from shop.cart.cart_lines import CartOffer, CartView, LockedLine, StoredItem
from shop.cart.models import MAX_LINES, MAX_QUANTITY, Cart, CartItem
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound, ProductWithdrawn, StateConflict
from shop.money import Money

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NO_PRODUCT = "There is no such product."
CART_FULL = f"Your cart is full: it has {MAX_LINES} different products. Check out, or remove a product first."


class OfferLookup(Protocol):
    """Looks up offers for carts; the catalogue's module ``offers`` implements it."""

    def by_ids(self, session: Session, ids: list[int], /) -> Mapping[int, CartOffer]:
        """Return the offers of the products that exist, by product id; one query."""

    def by_slug(self, session: Session, slug: str, /) -> CartOffer:
        """Return one product's offer.

        Raises:
            NotFound: no product has or had this slug.
        """

    def total(self, session: Session, quantities: Select[int, int], /) -> tuple[int, Money]:
        """Return the pieces and the price that a statement of product ids and quantities selects; one query."""


@dataclass(frozen=True, slots=True)
class CartOwner:
    """The owner of a cart: an account, or a guest with the id of a cart, or a guest without a cart."""

    user_id: int | None = None
    guest_cart_id: uuid.UUID | None = None
    guest_id: uuid.UUID | None = None
    """Owns a guest's orders; the cart's id is used if it is ``None``."""

    def cart_condition(self) -> ColumnElement[bool]:
        """Return the SQL condition of this owner's cart.

        A guest's cart id matches only carts without an account, so a leaked id gives no access after log-in.
        """
        if self.user_id is not None:
            return Cart.user_id == self.user_id
        if self.guest_cart_id is not None:
            return (Cart.id == self.guest_cart_id) & Cart.user_id.is_(None)
        return false()

    def with_cart(self, cart_id: uuid.UUID) -> "CartOwner":
        """Return this owner with the id of a cart."""
        return self if self.user_id is not None else CartOwner(guest_cart_id=cart_id)


@dataclass(frozen=True, slots=True)
class AddedItem:
    """The result of an addition."""

    cart_id: uuid.UUID
    """The changed cart; a guest's browser must store this id."""
    note: str | None


class CartService:
    """The use cases of carts.

    Every change locks the cart's row before it changes a line. So two tabs, a merge and a checkout change one cart one
    after another, and a change never waits for a cart that it does not change. A merge changes two carts: it locks the
    guest's cart first, and then the account's.

    Args:
        database: stores the carts.
        offers: looks up products and prices.
        before_merge: called in a merge's transaction, before any cart is locked, with the guest's cart id and the
            account's id.
    """

    def __init__(
        self,
        database: Database,
        offers: OfferLookup,
        before_merge: Callable[[Session, uuid.UUID, int], None] = lambda session, guest_cart_id, user_id: None,
    ) -> None:
        self._database = database
        self._offers = offers
        self._before_merge = before_merge

    def view(self, owner: CartOwner) -> CartView:
        """Return the cart at current prices; two queries for any number of lines."""
        with self._database.reading() as session:
            rows = session.execute(
                queries.select_items(
                    owner.cart_condition(), CartItem.product_id, CartItem.quantity, CartItem.seen_price_amount
                ).order_by(CartItem.added_at, CartItem.product_id)
            )
            items = [StoredItem(row.product_id, row.quantity, Money(row.seen_price_amount)) for row in rows]
            return cart_lines.price_cart(
                items, self._offers.by_ids(session, [item.product_id for item in items]) if items else {}
            )

    def count_and_total(self, owner: CartOwner) -> tuple[int, Money]:
        """Return the number of pieces in the cart and their current price; one query, none without a cart."""
        if owner.user_id is None and owner.guest_cart_id is None:
            return 0, Money(0)
        with self._database.reading() as session:
            return self._offers.total(
                session, queries.select_items(owner.cart_condition(), CartItem.product_id, CartItem.quantity)
            )

    def add(self, owner: CartOwner, slug: str, quantity: int) -> AddedItem:
        """Add pieces of a product to the cart, and create the cart if there is none.

        The stock is not checked here: the cart shows it, and the checkout decides.

        Raises:
            NotFound: there is no such product.
            ProductWithdrawn: the product is no longer sold.
            InvalidFields: the quantity is out of range.
            StateConflict: the cart has no room for another product.
        """
        _check_quantity(quantity)

        def work(session: Session) -> AddedItem:
            offer = self._offer_on_sale(session, slug)
            cart_id = queries.get_or_create_locked(session, owner.user_id, owner.guest_cart_id)
            line_quantity = queries.add_to_line(session, cart_id, offer.product_id, quantity, offer.unit_price)
            if line_quantity is None:
                raise StateConflict(CART_FULL)
            return AddedItem(cart_id, cart_lines.limit_note(line_quantity))

        return self._database.run_in_transaction(work)

    def set_quantity(self, owner: CartOwner, slug: str, quantity: int) -> None:
        """Set the quantity of a line.

        Raises:
            NotFound: the product does not exist or is not in the cart.
            ProductWithdrawn: the product is no longer sold; only :meth:`remove` accepts it.
            InvalidFields: the quantity is out of range.
        """
        _check_quantity(quantity)

        def work(session: Session) -> None:
            offer = self._offer_on_sale(session, slug)
            changed = session.execute(
                update(CartItem)
                .where(
                    CartItem.cart_id.in_(queries.select_for_update(owner.cart_condition())),
                    CartItem.product_id == offer.product_id,
                )
                .values(quantity=quantity, seen_price_amount=offer.unit_price.amount)
                .returning(CartItem.product_id)
            )
            if changed.one_or_none() is None:
                raise NotFound("This product is not in your cart.")

        self._database.run_in_transaction(work)

    def remove(self, owner: CartOwner, slug: str) -> None:
        """Remove a product from the cart; a product that is not in the cart is no error.

        Raises:
            NotFound: there is no such product.
        """

        def work(session: Session) -> None:
            offer = self._offer(session, slug)
            session.execute(
                delete(CartItem).where(
                    CartItem.cart_id.in_(queries.select_for_update(owner.cart_condition())),
                    CartItem.product_id == offer.product_id,
                )
            )

        self._database.run_in_transaction(work)

    def merge(self, guest_cart_id: uuid.UUID | None, user_id: int) -> str | None:
        """Move the items of a guest's cart into an account's cart; quantities of the same product are added.

        The method is safe to run twice, and in two processes at once: one transaction locks, moves and deletes the
        guest's cart, so the second one finds no cart.

        Returns:
            A note for the shopper, or ``None`` if nothing was moved.
        """
        if guest_cart_id is None:
            return None
        guest = CartOwner(guest_cart_id=guest_cart_id)

        def work(session: Session) -> tuple[int, int]:
            self._before_merge(session, guest_cart_id, user_id)
            if session.execute(queries.select_for_update(guest.cart_condition())).one_or_none() is None:
                return 0, 0
            account_cart_id = queries.get_or_create_locked(session, user_id, None)
            return queries.move_items(session, guest_cart_id, account_cart_id)

        return cart_lines.merge_note(*self._database.run_in_transaction(work))

    @staticmethod
    def locked_lines(session: Session, owner: CartOwner) -> dict[int, LockedLine]:
        """Return the cart's lines by product id, in the caller's transaction."""
        return queries.locked_lines(session, owner.user_id, owner.guest_cart_id)

    @staticmethod
    def quantities(session: Session, owner: CartOwner) -> dict[int, int]:
        """Return the cart's quantities by product id, in the caller's transaction."""
        return {product_id: line.quantity for product_id, line in CartService.locked_lines(session, owner).items()}

    @staticmethod
    def remove_bought(session: Session, owner: CartOwner, bought: Mapping[int, int]) -> None:
        """Remove the bought pieces from the cart, in the caller's transaction.

        Pieces that another tab has added since the checkout began stay.

        Args:
            session: of the caller's transaction.
            owner: of the cart.
            bought: product id to quantity.
        """
        cart_id = queries.lock_cart(session, owner.user_id, owner.guest_cart_id)
        if cart_id is None or not bought:
            return
        queries.remove_bought(session, cart_id, bought)

    def _offer_on_sale(self, session: Session, slug: str) -> CartOffer:
        offer = self._offer(session, slug)
        if offer.withdrawn:
            raise ProductWithdrawn(cart_lines.NO_LONGER_SOLD)
        return offer

    def _offer(self, session: Session, slug: str) -> CartOffer:
        if not SLUG.fullmatch(slug):
            raise NotFound(NO_PRODUCT)  # checked before the query: PostgreSQL's text cannot hold every string
        return self._offers.by_slug(session, slug)


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidFields("The quantity is invalid.", errors={"quantity": f"Choose 1 to {MAX_QUANTITY}."})
