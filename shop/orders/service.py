"""The use cases of orders: customers view their own orders; staff views, ships and delivers all orders."""

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
    """The current slug and picture of an order line's product; the catalogue's offers fit."""

    @property
    def slug(self) -> str:
        """Return the product's slug."""

    @property
    def picture(self) -> str:
        """Return the path of the product's picture."""


Products = Callable[[Session, Collection[int]], Mapping[int, ProductRef]]
MAX_REASON_LENGTH = 500
CloseRefund = Callable[[str, int, str], None]
"""Closes the due refund of an order; arguments: public id, account of the member of staff, reason."""
Refunds = Callable[[Session, Collection[int]], Mapping[int, RefundState]]


@dataclass(frozen=True, slots=True)
class OrderViewer:
    """The client that views an order: an account, a guest, or the holder of an order's link.

    Args:
        user_id: the account, if the client is signed in.
        guest_id: the guest's id from the signed cookie, if the client is not signed in.
        earlier_guest_id: the id under which the guest may have ordered before.
        opened: the public id of the one order whose link this browser has followed.
        is_admin: whether the viewer may see all orders.
    """

    user_id: int | None = None
    guest_id: uuid.UUID | None = None
    earlier_guest_id: uuid.UUID | None = None
    opened: str | None = None
    is_admin: bool = False

    @property
    def guest_ids(self) -> frozenset[uuid.UUID]:
        """Return the ids under which the guest may have ordered."""
        return frozenset(guest_id for guest_id in (self.guest_id, self.earlier_guest_id) if guest_id)

    def may_see(self, holder: OrderHolder) -> bool:
        """Tell whether the viewer may see an order."""
        return self.is_admin or self.owns(holder)

    def owns(self, holder: OrderHolder) -> bool:
        """Tell whether the viewer holds the order. A guest no longer holds an order that an account holds."""
        if holder.user_id is not None:
            return holder.user_id == self.user_id
        return holder.is_guest and (holder.guest_id in self.guest_ids or holder.public_id == self.opened)


@dataclass(frozen=True, slots=True)
class OrdersWithProducts:
    """A page of orders with their products, and the cursor of the next page."""

    orders: Sequence[OrderView]
    products: Mapping[int, ProductRef]
    next_cursor: str | None = None
    as_staff: bool = False
    """Whether staff views the order of another person."""
    refunds: Mapping[int, RefundState] = field(default_factory=dict)
    """The due refunds by order id; filled for staff only."""
    for_guest: bool = False
    """Whether a guest holds the order."""


def adoption_note(orders: int) -> str | None:
    """Return the message after orders of a guest moved into the account; ``None`` if there were none."""
    if orders == 0:
        return None
    if orders == 1:
        return "The order you placed in this browser as a guest is in your account now."
    return f"The {orders} orders you placed in this browser as a guest are in your account now."


class OrderService:
    """The use cases.

    Args:
        database: the database of the orders.
        products: finds products by id, in the caller's session.
        streams: changes orders.
        refunds: finds due refunds by order id, in the caller's session.
    """

    def __init__(self, database: Database, products: Products, streams: OrderStreams, refunds: Refunds) -> None:
        self._database = database
        self._products = products
        self._streams = streams
        self._refunds = refunds

    def list_own(self, viewer: OrderViewer, cursor: str | None, limit: int) -> OrdersWithProducts:
        """Return the viewer's orders, newest first; from the write model, so the latest order is among them.

        Raises:
            InvalidFields: the cursor is unknown, or belongs to another viewer.
        """
        with self._database.reading() as session:
            if viewer.user_id is not None:
                return self._page(session, queries.list_for_user(session, viewer.user_id, cursor, limit + 1), limit)
            if viewer.guest_ids:
                return self._page(session, queries.list_for_guest(session, viewer.guest_ids, cursor, limit + 1), limit)
        return OrdersWithProducts((), {})

    def list_all(
        self, status: OrderStatus | None, cursor: str | None, limit: int, *, only_owed: bool = False
    ) -> OrderList:
        """Return all orders, or those in one status, newest first; from the read model.

        Args:
            status: only orders in this status; all if ``None``.
            cursor: the public id of the last order of the previous page.
            limit: the most orders to return.
            only_owed: return only orders with a due refund.

        Raises:
            InvalidFields: the cursor is unknown.
        """
        with self._database.reading() as session:
            page = order_list.list_orders(session, status, cursor, limit, only_owed=only_owed)
            refund_ids = [row.id for row in page.orders if row.refund_pending]
            return replace(page, refunds=self._refunds(session, refund_ids)) if refund_ids else page

    def count_by_status(self) -> dict[OrderStatus, int]:
        """Return the number of orders in each status; from the read model."""
        with self._database.reading() as session:
            return order_list.count_by_status(session)

    def count_today(self) -> order_list.TodaysOrders:
        """Return number and value of the orders placed since midnight (UTC); from the read model."""
        with self._database.reading() as session:
            return order_list.count_today(session)

    def count_owed_refunds(self) -> int:
        """Return the number of orders with a due refund; from the read model."""
        with self._database.reading() as session:
            return order_list.count_owed_refunds(session)

    def detail(self, viewer: OrderViewer, public_id: str) -> OrdersWithProducts:
        """Return one order.

        Raises:
            NotFound: the order does not exist, or the viewer may not see it; the response is the same for both.
        """
        with self._database.reading() as session:
            order_and_holder = queries.find_order(session, public_id)
            if order_and_holder is None or not viewer.may_see(order_and_holder[1]):
                raise NotFound(NO_SUCH_ORDER)
            order, holder = order_and_holder
            page = self._page(session, [order], 1)
            refunds = self._refunds(session, [order.id]) if viewer.is_admin and order.refund_pending else {}
            return replace(page, as_staff=not viewer.owns(holder), for_guest=holder.is_guest, refunds=refunds)

    def detail_for_buyer(self, public_id: str) -> OrdersWithProducts:
        """Return one order to its buyer, whom the checkout key has identified.

        Raises:
            NotFound: the order does not exist.
        """
        with self._database.reading() as session:
            return self.detail_in_session(session, public_id)

    def detail_in_session(self, session: Session, public_id: str) -> OrdersWithProducts:
        """Return one order as the caller's transaction has written it, to its buyer or to staff.

        Raises:
            NotFound: the order does not exist.
        """
        order_and_holder = queries.find_order(session, public_id)
        if order_and_holder is None:
            raise NotFound(NO_SUCH_ORDER)
        return self.with_products(session, order_and_holder[0])

    def with_products(self, session: Session, order: OrderView) -> OrdersWithProducts:
        """Return a loaded order with its products, to the same viewer."""
        return self._page(session, [order], 1)

    def claim_guest_orders(
        self, guest_ids: Collection[uuid.UUID], user_id: int, owns_email: Callable[[str], bool]
    ) -> int:
        """Move a guest's orders into the account that signs in on the guest's browser, if the e-mail addresses match.

        Both conditions are necessary. An address alone proves nothing: anybody can register with any address. A cookie
        alone proves nothing: several people may use one browser.

        Args:
            guest_ids: the ids under which the guest ordered.
            user_id: the account.
            owns_email: tells whether an order's e-mail address is the account's.

        Returns:
            The number of moved orders.
        """
        return self._database.run_in_transaction(
            lambda session: self._streams.claim_guest_orders(session, guest_ids, user_id, owns_email)
        )

    def change_guest_id(self, earlier_id: uuid.UUID, guest_id: uuid.UUID) -> None:
        """Move a guest's orders from an earlier guest id to the present one."""
        self._database.run_in_transaction(lambda session: order_stream.change_guest_id(session, earlier_id, guest_id))

    def ship(self, public_id: str) -> None:
        """Ship a paid order.

        Raises:
            NotFound: the order does not exist.
            IllegalTransition: the order is not paid, or is shipped already.
        """
        self._change(public_id, ShipOrder())

    def deliver(self, public_id: str) -> None:
        """Record that a shipped order has arrived.

        Raises:
            NotFound: the order does not exist.
            IllegalTransition: the order is not shipped.
        """
        self._change(public_id, DeliverOrder())

    def _change(self, public_id: str, command: Command) -> None:
        self._database.run_in_transaction(
            lambda session: self._streams.change(session, order_stream.lock(session, public_id), command)
        )

    def _page(self, session: Session, views: Sequence[OrderView], limit: int) -> OrdersWithProducts:
        """Build a page from up to ``limit + 1`` orders; the additional one tells that there is a next page."""
        orders = views[:limit]
        ids = {line.product_id for order in orders for line in order.lines}
        cursor = orders[-1].public_id if len(views) > limit else None
        return OrdersWithProducts(orders, self._products(session, ids), cursor)
