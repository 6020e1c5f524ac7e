"""Checks of the production profile: it refuses a data set and the demo accounts."""

from sqlalchemy import Engine, text

from shop.demo_accounts import ADMIN, SHOPPER
from shop.errors import ConfigurationError

REMEDY = "name another database in DATABASE_URL, or a new directory in SHOP_VAR_DIR, and use `bin/shop import`."
OWN = "own"
"""Name of the data set of a store with only an imported catalogue."""
NO_DATA_SET = (
    "SHOP_PROFILE=production sells nothing invented: take the products of your own with `bin/shop import`, or set"
    " SHOP_PROFILE=lab to try the store."
)


def require_own_data(engine: Engine) -> None:
    """Check that a migrated database holds only an imported catalogue, and no account with a published password.

    Raises:
        ConfigurationError: the database holds data of a lab.
    """
    with engine.connect() as connection:
        dataset = connection.scalar(text("SELECT name || ' ' || size FROM datasets WHERE name <> :own"), {"own": OWN})
        if dataset is not None:
            raise ConfigurationError(
                f"DATABASE_URL leads to a lab's database: it holds the data set {dataset.strip()}, with invented"
                f" customers and orders; {REMEDY}"
            )
        demo_emails = connection.scalars(
            text("SELECT email FROM users WHERE email IN (:admin, :shopper) AND password_hash IS NOT NULL"),
            {"admin": ADMIN.email, "shopper": SHOPPER.email},
        ).all()
        if demo_emails:
            raise ConfigurationError(
                f"DATABASE_URL leads to a lab's database: it holds {' and '.join(sorted(demo_emails))}, whose password"
                f" is published; {REMEDY}"
            )
