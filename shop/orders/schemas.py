"""The JSON schemas of orders in the API."""

from datetime import datetime

from pydantic import Field

from shop.orders.service import OrdersWithProducts
from shop.orders.transitions import EventType, OrderStatus
from shop.web.schemas import ApiModel, MoneySchema


class OrderLineSchema(ApiModel):
    """One product of an order, with its price at the time of the order."""

    product: str = Field(description="The product's slug.")
    title: str
    quantity: int
    unit_price: MoneySchema
    line_total: MoneySchema


class OrderEventSchema(ApiModel):
    """An event of the order."""

    type: EventType
    recorded_at: datetime


class OrderSchema(ApiModel):
    """An order with its lines and events."""

    id: str
    number: str = Field(description="The number for customers.", examples=["S-7K3M-92QX"])
    status: OrderStatus
    total: MoneySchema
    currency: str
    refund_pending: bool = Field(description="Cancelled, and the refund is still due; cancel again to retry.")
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


def order_json(page: OrdersWithProducts) -> OrderSchema:
    """Return the only order of a page in its schema."""
    return orders_json(page)[0]


def orders_json(page: OrdersWithProducts) -> list[OrderSchema]:
    """Return the orders of a page in their schema."""
    return [
        OrderSchema(
            id=order.public_id,
            number=order.number,
            status=order.status,
            total=MoneySchema(**order.total.to_json()),
            currency=order.total.currency,
            refund_pending=order.refund_pending,
            created_at=order.created_at,
            lines=[
                OrderLineSchema(
                    product=page.products[line.product_id].slug,
                    title=line.title,
                    quantity=line.quantity,
                    unit_price=MoneySchema(**line.unit_price.to_json()),
                    line_total=MoneySchema(**line.total.to_json()),
                )
                for line in order.lines
            ],
            events=[
                OrderEventSchema(type=EventType(event.type), recorded_at=event.recorded_at) for event in order.events
            ],
        )
        for order in page.orders
    ]
