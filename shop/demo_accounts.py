"""The two demo accounts, whose password is published. Only the lab profile has them."""

from dataclasses import dataclass

DEMO_PASSWORD = "let-me-shop"  # noqa: S105 - published on purpose; the production profile refuses these accounts


@dataclass(frozen=True)
class DemoAccount:
    """An account with a known password."""

    email: str
    name: str
    role: str


ADMIN = DemoAccount("admin@shop.test", "Demo Admin", "admin")
SHOPPER = DemoAccount("shopper@shop.test", "Demo Shopper", "customer")
