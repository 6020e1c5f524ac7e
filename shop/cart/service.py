"""Carts: for guests, who are known by a cookie, and for accounts; merged when one becomes the other."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Select, delete, false, update
from sqlalchemy.orm import Session

from shop.cart import cart_lines, queries
from shop.cart.cart_lines import CartOffer, CartView, HeldLine, StoredItem
from shop.cart.models import MAX_LINES, MAX_QUANTITY, Cart, CartItem
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound, ProductWithdrawn, StateConflict
from shop.money import Money

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NO_PRODUCT = "There is no such product."
CART_FULL = f"Your cart holds {MAX_LINES} different products, the most it can. Check out, or take one out first."


class OfferLookup(Protocol):
    """What the catalogue does for carts; its module ``offers`` fits."""

    def by_ids(self, session: Session, ids: list[int], /) -> Mapping[int, CartOffer]:
        """Return the offers of the products that exist, by product id; one query."""

    def by_slug(self, session: Session, slug: str, /) -> CartOffer:
        """Return one product's offer, or raise ``NotFound``."""

    def total(self, session: Session, wanted: Select[int, int], /) -> tuple[int, Money]:
        """Return pieces and price of what a statement of product ids and quantities selects; one query."""


@dataclass(frozen=True, slots=True)
class CartOwner:
    """Whose cart is meant: the account's if there is one, else the guest's with this id, else nobody's yet."""

    user_id: int | None = None
    guest_cart_id: uuid.UUID | None = None
    guest_id: uuid.UUID | None = None
    """What a guest orders under; her cart's id where it is not told."""

    def cart_condition(self) -> ColumnElement[bool]:
        """Return what holds for this owner's cart alone.

        A guest's id opens only carts that no account owns, so an id that leaked opens nothing after log-in.
        """
        if self.user_id is not None:
            return Cart.user_id == self.user_id
        if self.guest_cart_id is not None:
            return (Cart.id == self.guest_cart_id) & Cart.user_id.is_(None)
        return false()

    def with_cart(self, cart_id: uuid.UUID) -> "CartOwner":
        """Return this owner, now known to have that cart."""
        return self if self.user_id is not None else CartOwner(guest_cart_id=cart_id)


@dataclass(frozen=True, slots=True)
class AddedItem:
    """What became of an addition."""

    cart_id: uuid.UUID
    """The cart it went to; a guest's browser has to keep it."""
    note: str | None


class CartService:
    """The use cases of carts.

    Every change first takes the lock on its cart's row, so two tabs, a merge and a checkout take turns on one cart
    and never wait for another's.

    Args:
        database: where carts are kept.
        offers: what is for sale, at what price.
        before_merge: told in a merge's transaction, before any cart is locked, the guest's cart and the account.
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
        """Return the cart priced as of now: two queries, however much lies in it."""
        with self._database.reading() as session:
            rows = session.execute(
                queries.select_items(
                    owner.cart_condition(), CartItem.product_id, CartItem.quantity, CartItem.seen_price_amount
                ).order_by(CartItem.added_at, CartItem.product_id)
            )
            kept = [StoredItem(row.product_id, row.quantity, Money(row.seen_price_amount)) for row in rows]
            return cart_lines.price_cart(
                kept, self._offers.by_ids(session, [item.product_id for item in kept]) if kept else {}
            )

    def count_and_total(self, owner: CartOwner) -> tuple[int, Money]:
        """Return how many pieces lie in the cart and what they cost now: one query, none without a cart."""
        if owner.user_id is None and owner.guest_cart_id is None:
            return 0, Money(0)
        with self._database.reading() as session:
            return self._offers.total(
                session, queries.select_items(owner.cart_condition(), CartItem.product_id, CartItem.quantity)
            )

    def add(self, owner: CartOwner, slug: str, quantity: int) -> AddedItem:
        """Put pieces of a product into the cart, making the cart if there is none.

        Whether the shelf holds them is shown with the cart and decided at checkout; here it would only be a guess.

        Raises:
            NotFound: there is no such product.
            ProductWithdrawn: it is no longer sold.
            InvalidFields: the quantity is out of range.
            StateConflict: the cart has no room for another product.
        """
        _check(quantity)

        def work(session: Session) -> AddedItem:
            offer = self._sold(session, slug)
            cart_id = queries.get_or_create_locked(session, owner.user_id, owner.guest_cart_id)
            held = queries.add_to_line(session, cart_id, offer.product_id, quantity, offer.unit_price)
            if held is None:
                raise StateConflict(CART_FULL)
            return AddedItem(cart_id, cart_lines.limit_note(held))

        return self._database.run_in_transaction(work)

    def set_quantity(self, owner: CartOwner, slug: str, quantity: int) -> None:
        """Make a line hold exactly so many pieces.

        Raises:
            NotFound: the product does not exist or is not in the cart.
            ProductWithdrawn: it is no longer sold; only :meth:`remove` takes it.
            InvalidFields: the quantity is out of range.
        """
        _check(quantity)

        def work(session: Session) -> None:
            offer = self._sold(session, slug)
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
        """Take a product out of the cart; well too if it was not in it.

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
        """Move a guest's cart into an account's, adding up what is in both.

        Safe to do twice and by two processes at once: the guest's cart is locked, moved and deleted in one
        transaction, and who comes second finds none.

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
            mine = queries.get_or_create_locked(session, user_id, None)
            return queries.move_items(session, guest_cart_id, mine)

        return cart_lines.merge_note(*self._database.run_in_transaction(work))

    @staticmethod
    def held_lines(session: Session, owner: CartOwner) -> dict[int, HeldLine]:
        """Return what lies in the cart, by product id, inside the caller's transaction."""
        return queries.held_lines(session, owner.user_id, owner.guest_cart_id)

    @staticmethod
    def quantities(session: Session, owner: CartOwner) -> dict[int, int]:
        """Return what lies in the cart, product id to quantity, inside the caller's transaction."""
        return {product_id: line.quantity for product_id, line in CartService.held_lines(session, owner).items()}

    @staticmethod
    def remove_bought(session: Session, owner: CartOwner, bought: Mapping[int, int]) -> None:
        """Take what was bought out of the cart, inside the caller's transaction.

        Only that: what another tab added since the checkout began stays.

        Args:
            session: the caller's.
            owner: whose cart.
            bought: product id to quantity.
        """
        cart_id = queries.lock_cart(session, owner.user_id, owner.guest_cart_id)
        if cart_id is None or not bought:
            return
        queries.remove_bought(session, cart_id, bought)

    @staticmethod
    def clear(session: Session, owner: CartOwner) -> None:
        """Empty the cart, inside the caller's transaction."""
        session.execute(delete(CartItem).where(CartItem.cart_id.in_(queries.select_for_update(owner.cart_condition()))))

    def _sold(self, session: Session, slug: str) -> CartOffer:
        offer = self._offer(session, slug)
        if offer.withdrawn:
            raise ProductWithdrawn(cart_lines.NO_LONGER_SOLD)
        return offer

    def _offer(self, session: Session, slug: str) -> CartOffer:
        if not SLUG.fullmatch(slug):
            raise NotFound(NO_PRODUCT)  # before PostgreSQL sees it: its text cannot even hold every string
        return self._offers.by_slug(session, slug)


def _check(quantity: int) -> None:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidFields("The quantity is not right.", errors={"quantity": f"Choose 1 to {MAX_QUANTITY}."})
