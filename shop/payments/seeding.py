"""Seeds the simulator's ledger with the charges of the orders of a data set.

Those orders were never paid here, so the simulator has no charge to refund. With a seeded charge, such an order can be
cancelled and refunded like any other.
"""

from sqlalchemy import select

from shop.charge_keys import DATASET_PREFIX
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.payments.models import Payment
from shop.payments.simulator.ledger import FILE, ProviderLedger
from shop.payments.transitions import PaymentStatus
from shop.settings import Settings

BATCH_SIZE = 5_000


def seed_charges(settings: Settings) -> None:
    """Import the charges of the data set's orders that are not refunded. Safe to repeat, also while the simulator runs.

    An order with a total of zero was never charged, and is left out. The oldest charge is imported first, so if the
    ledger has the newest, it has all.

    Args:
        settings: the addresses of the database and of the simulator's ledger.
    """
    ledger = ProviderLedger(settings.var_dir / FILE)
    engine = build_engine(settings)
    charges = select(Payment.provider_id, Payment.charge_key, Payment.amount, Payment.currency).where(
        Payment.charge_key.like(f"{DATASET_PREFIX}%"), Payment.status == PaymentStatus.CHARGED.value, Payment.amount > 0
    )
    try:
        with Database(engine).reading() as session:
            newest = session.execute(charges.order_by(Payment.id.desc()).limit(1)).one_or_none()
            if newest is None or ledger.charges_with_key(newest.charge_key):
                return
            for batch in session.execute(charges.order_by(Payment.id)).partitions(BATCH_SIZE):
                ledger.import_charges((str(row[0]), row[1], row[2], row[3]) for row in batch)
    finally:
        engine.dispose()
