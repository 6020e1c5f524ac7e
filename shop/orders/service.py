"""What people do with orders: look at their own, and, as staff, send them off."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.errors import NotFound
from shop.orders import order_list, order_stream, queries
from shop.orders.order_list import OrderList, RefundState
from shop.orders.order_state import Command, DeliverOrder, ShipOrder
from shop.orders.order_stream import OrderStreams
from shop.orders.queries import OrderHolder, OrderView
from shop.orders.transitions import OrderStatus

NO_SUCH_ORDER = (
    "You have no such order. If you ordered as a guest, the link in your mail opens it; /orders/link sends it again."
)


class ProductRef(Protocol):
    """What an order's line needs to know of its product today; the catalogue's offers fit."""

    @property
    def slug(self) -> str:
        """Return its name in addresses."""

    @property
    def picture(self) -> str:
        """Return the path of its picture."""


Products = Callable[[Session, Collection[int]], Mapping[int, ProductRef]]
MAX_REASON_LENGTH = 500
CloseRefund = Callable[[str, int, str], None]
"""Closes the owed refund of an order: its public id, the account of the member of staff, the reason."""
Refunds = Callable[[Session, Collection[int]], Mapping[int, RefundState]]


@dataclass(frozen=True, slots=True)
class OrderViewer:
    """Whose eyes an order is looked at with.

    Args:
        user_id: the account, if signed in.
        guest_id: what the guest orders under, if nobody is signed in, from the browser's signed cookie.
        earlier_guest_id: what she may have ordered under before.
        opened: the public id of the one order whose link this browser has followed.
        is_admin: whether everybody's orders are shown.
    """

    user_id: int | None = None
    guest_id: uuid.UUID | None = None
    earlier_guest_id: uuid.UUID | None = None
    opened: str | None = None
    is_admin: bool = False

    @property
    def guest_ids(self) -> frozenset[uuid.UUID]:
        """Return the ids under which the guest's orders are found."""
        return frozenset(known for known in (self.guest_id, self.earlier_guest_id) if known)

    def may_see(self, holder: OrderHolder) -> bool:
        """Tell whether an order is this viewer's to know about."""
        return self.is_admin or self.owns(holder)

    def owns(self, holder: OrderHolder) -> bool:
        """Tell whether an order is this viewer's own; one that an account has is no guest's any more."""
        if holder.user_id is not None:
            return holder.user_id == self.user_id
        return holder.is_guest and (holder.guest_id in self.guest_ids or holder.public_id == self.opened)


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """Orders to be shown, with what is known of their products, and where the next page starts."""

    orders: Sequence[OrderView]
    products: Mapping[int, ProductRef]
    next_cursor: str | None = None
    as_staff: bool = False
    """Whether they are shown to somebody whose own they are not."""
    refunds: Mapping[int, RefundState] = field(default_factory=dict)
    """What is still owed of them, by the orders' keys; filled for staff alone."""
    for_guest: bool = False
    """Whether a guest has the order."""


def adoption_note(orders: int) -> str | None:
    """Return what to say when so many orders came into the account of whoever signed in."""
    if orders == 0:
        return None
    if orders == 1:
        return "The order you placed in this browser as a guest is in your account now."
    return f"The {orders} orders you placed in this browser as a guest are in your account now."


class OrderService:
    """The use cases.

    Args:
        database: where orders are.
        products: looks products up by id, in the caller's session.
        streams: changes orders.
        refunds: looks refunds that are owed up by order, in the caller's session.
    """

    def __init__(self, database: Database, products: Products, streams: OrderStreams, refunds: Refunds) -> None:
        self._database = database
        self._products = products
        self._streams = streams
        self._refunds = refunds

    def list_own(self, viewer: OrderViewer, cursor: str | None, limit: int) -> OrdersPage:
        """Return the viewer's orders, newest first; from the write side, so what she just did is there.

        Raises:
            InvalidFields: the cursor belongs to nobody, or to somebody else.
        """
        with self._database.reading() as session:
            if viewer.user_id is not None:
                return self._shown(session, queries.of_user(session, viewer.user_id, cursor, limit + 1), limit)
            if viewer.guest_ids:
                return self._shown(session, queries.of_guest(session, viewer.guest_ids, cursor, limit + 1), limit)
        return OrdersPage((), {})

    def list_all(
        self, status: OrderStatus | None, cursor: str | None, limit: int, *, only_owed: bool = False
    ) -> OrderList:
        """Return all orders, or those in one status, newest first; from the read model.

        Args:
            status: of these only; all if ``None``.
            cursor: the public id of the last order seen.
            limit: how many at most.
            only_owed: leave out all whose money is not to go back.

        Raises:
            InvalidFields: the cursor is of no order.
        """
        with self._database.reading() as session:
            page = order_list.page(session, status, cursor, limit, only_owed=only_owed)
            owed = [row.id for row in page.orders if row.refund_pending]
            return replace(page, refunds=self._refunds(session, owed)) if owed else page

    def counts(self) -> dict[OrderStatus, int]:
        """Return how many orders stand where; from the read model."""
        with self._database.reading() as session:
            return order_list.by_status(session)

    def owed_count(self) -> int:
        """Return how many orders' money is to go back; from the read model."""
        with self._database.reading() as session:
            return order_list.owed_count(session)

    def detail(self, viewer: OrderViewer, public_id: str) -> OrdersPage:
        """Return one order.

        Raises:
            NotFound: there is none, or it is somebody else's: which of the two is not for a stranger to learn.
        """
        with self._database.reading() as session:
            found = queries.one(session, public_id)
            if found is None or not viewer.may_see(found[1]):
                raise NotFound(NO_SUCH_ORDER)
            order, owner = found
            shown = self._shown(session, [order], 1)
            refunds = self._refunds(session, [order.id]) if viewer.is_admin and order.refund_pending else {}
            return replace(shown, as_staff=not viewer.owns(owner), for_guest=owner.is_guest, refunds=refunds)

    def bought(self, public_id: str) -> OrdersPage:
        """Return one order to whoever has proved to be its buyer by the key of its checkout.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return self.detail_in_session(session, public_id)

    def detail_in_session(self, session: Session, public_id: str) -> OrdersPage:
        """Return one order as the caller's transaction has left it, to whoever just placed or cancelled it.

        Raises:
            NotFound: there is none.
        """
        found = queries.one(session, public_id)
        if found is None:
            raise NotFound(NO_SUCH_ORDER)
        return self.with_products(session, found[0])

    def with_products(self, session: Session, order: OrderView) -> OrdersPage:
        """Return an order that was read already, with what is known of its products, for the same eyes."""
        return self._shown(session, [order], 1)

    def claim_guest_orders(self, guest_ids: Collection[uuid.UUID], user_id: int, is_hers: Callable[[str], bool]) -> int:
        """Move a guest's orders into the account that signs in on her browser, where the e-mail is the account's.

        Both must hold. An address alone proves nothing, since an account may be opened under anybody's; a cookie alone
        neither, since several people use a browser.

        Args:
            guest_ids: what the guest ordered under.
            user_id: the account.
            is_hers: tells whether an order's e-mail address is the account's.

        Returns:
            How many orders that were.
        """
        return self._database.run_in_transaction(
            lambda session: self._streams.claim_guest_orders(session, guest_ids, user_id, is_hers)
        )

    def follow(self, earlier_id: uuid.UUID, guest_id: uuid.UUID) -> None:
        """Let what a guest ordered under an earlier id be found under the one her browser carries now."""
        self._database.run_in_transaction(lambda session: order_stream.follow(session, earlier_id, guest_id))

    def ship(self, public_id: str) -> None:
        """Send a paid order off.

        Raises:
            NotFound: there is none.
            IllegalTransition: it is not paid, or has left already.
        """
        self._change(public_id, ShipOrder())

    def deliver(self, public_id: str) -> None:
        """Note that a shipped order has arrived.

        Raises:
            NotFound: there is none.
            IllegalTransition: it is not on its way.
        """
        self._change(public_id, DeliverOrder())

    def _change(self, public_id: str, command: Command) -> None:
        self._database.run_in_transaction(
            lambda session: self._streams.change(session, order_stream.lock(session, public_id), command)
        )

    def _shown(self, session: Session, found: Sequence[OrderView], limit: int) -> OrdersPage:
        orders = found[:limit]
        ids = {line.product_id for order in orders for line in order.lines}
        cursor = orders[-1].public_id if len(found) > limit else None
        return OrdersPage(orders, self._products(session, ids), cursor)
