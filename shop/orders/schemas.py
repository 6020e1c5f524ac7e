"""Orders in the shape the API shows them."""

from datetime import datetime

from pydantic import Field

from shop.orders.events import OrderedLine
from shop.orders.queries import OrderView
from shop.orders.service import OrdersPage
from shop.orders.transitions import EventType, OrderStatus
from shop.web.schemas import ApiModel, MoneySchema


class OrderLineSchema(ApiModel):
    """One product of an order, at the price it was bought for."""

    product: str = Field(description="The product's slug.")
    title: str
    quantity: int
    unit_price: MoneySchema
    line_total: MoneySchema


class OrderEventSchema(ApiModel):
    """Something that happened to the order."""

    type: EventType
    recorded_at: datetime


class OrderSchema(ApiModel):
    """An order and its story."""

    id: str
    number: str = Field(description="What a person reads out.", examples=["S-7K3M-92QX"])
    status: OrderStatus
    total: MoneySchema
    currency: str
    refund_pending: bool = Field(description="Cancelled, and the money is still to go back; cancel again to retry.")
    created_at: datetime
    lines: list[OrderLineSchema]
    events: list[OrderEventSchema] = Field(description="Oldest first.")


class OrderBody(ApiModel):
    """One order."""

    order: OrderSchema


class OrderPage(ApiModel):
    """A page of orders, newest first."""

    items: list[OrderSchema]
    next_cursor: str | None


def orders_json(shown: OrdersPage) -> list[OrderSchema]:
    """Return the orders as the API shows them."""
    return [_order(order, shown) for order in shown.orders]


def order_json(shown: OrdersPage) -> OrderSchema:
    """Return the one order as the API shows it."""
    return orders_json(shown)[0]


def _order(order: OrderView, shown: OrdersPage) -> OrderSchema:
    return OrderSchema(
        id=order.public_id,
        number=order.number,
        status=order.status,
        total=MoneySchema(**order.total.to_json()),
        currency=order.total.currency,
        refund_pending=order.refund_pending,
        created_at=order.created_at,
        lines=[_line(line, shown) for line in order.lines],
        events=[OrderEventSchema(type=event.type, recorded_at=event.recorded_at) for event in order.events],
    )


def _line(line: OrderedLine, shown: OrdersPage) -> OrderLineSchema:
    return OrderLineSchema(
        product=shown.products[line.product_id].slug,
        title=line.title,
        quantity=line.quantity,
        unit_price=MoneySchema(**line.unit_price.to_json()),
        line_total=MoneySchema(**line.total.to_json()),
    )
