"""The charges of orders that came with a data set, for the simulator's books.

Those orders were never paid here, so the simulator has never heard of them and could give nothing back. Handing their
charges over makes a seeded order as good as one that was bought: it can be cancelled, and its money goes back.
"""

from sqlalchemy import select

from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.payments.models import Payment
from shop.payments.simulator.ledger import FILE, ProviderLedger
from shop.settings import Settings

DATASET_KEYS = "dataset-%"
"""How the charge keys of data sets start."""
BATCH = 5_000


def seed_charges(settings: Settings) -> None:
    """Enter the charges of the data set's orders that were not given back; safe to do twice, and while it runs.

    An order that came to nothing was never charged, and is left out. The others are entered oldest first, so when the
    newest is there, all are.

    Args:
        settings: where the database and the simulator's books are.
    """
    books = ProviderLedger(settings.var_dir / FILE)
    engine = build_engine(settings)
    charges = select(Payment.provider_id, Payment.charge_key, Payment.amount, Payment.currency).where(
        Payment.charge_key.like(DATASET_KEYS), Payment.status == "charged", Payment.amount > 0
    )
    try:
        with Database(engine).reading() as session:
            newest = session.execute(charges.order_by(Payment.id.desc()).limit(1)).one_or_none()
            if newest is None or books.charges(newest.charge_key):
                return
            for batch in session.execute(charges.order_by(Payment.id)).partitions(BATCH):
                books.import_charges((str(row[0]), row[1], row[2], row[3]) for row in batch)
    finally:
        engine.dispose()
