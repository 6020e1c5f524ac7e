"""Reads the database records of a checkout, and makes them older, so that a test need not wait."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select, text

from shop.catalog.models import StockItem
from shop.database.transactions import Database
from shop.mail.models import Mail
from shop.orders.models import Order
from shop.payments.models import Payment

StockAndOrders = tuple[tuple[int, int], dict[str, int], dict[str, int]]


def stock_orders_payments(database: Database) -> StockAndOrders:
    """Return (on hand, reserved) of the only product, and the number of orders and payments in each status."""
    with database.reading() as session:
        stock = session.execute(select(StockItem.on_hand, StockItem.reserved)).one()
        orders = Counter(session.scalars(select(Order.status)))
        payments = Counter(session.scalars(select(Payment.status)))
    return (stock[0], stock[1]), dict(orders), dict(payments)


def count_rows(database: Database, model: type) -> int:
    """Return the number of rows of a table."""
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def sent_mails(database: Database) -> list[Mail]:
    """Return every mail in the mailbox table, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(Mail).order_by(Mail.id)))


def expire_payment_claims(database: Database) -> None:
    """Expire the claim of every payment, as if the process with the claim had been dead for long enough."""
    with database.transaction() as session:
        session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second', next_attempt_at = NULL"))


def age_orders(database: Database, age: timedelta) -> None:
    """Make every order older by a time."""
    with database.transaction() as session:
        session.execute(text("UPDATE orders SET created_at = created_at - :age"), {"age": age})
