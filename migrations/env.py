"""Alembic's environment. ``shop.database.schema`` always passes an open connection."""

from alembic import context

from shop.accounts import models as accounts  # noqa: F401 - importing a model registers its table
from shop.backup import models as backup  # noqa: F401
from shop.cart import models as cart  # noqa: F401
from shop.catalog import models as catalog  # noqa: F401
from shop.database.engine import ModelBase
from shop.datasets import models as datasets  # noqa: F401
from shop.mail import models as mail  # noqa: F401
from shop.orders import models as orders  # noqa: F401
from shop.patterns.idempotency import models as idempotency  # noqa: F401
from shop.patterns.outbox import models as outbox  # noqa: F401
from shop.patterns.queue import models as queue  # noqa: F401
from shop.payments import models as payments  # noqa: F401
from shop.switches.store import StoredSwitch  # noqa: F401

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run `bin/shop migrate`: it knows the database and takes the lock.")
context.configure(connection=connection, target_metadata=ModelBase.metadata, compare_server_default=False)
with context.begin_transaction():
    context.run_migrations()
