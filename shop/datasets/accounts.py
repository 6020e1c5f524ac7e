"""The two accounts everybody may log in with. They exist in the lab profile only."""

from dataclasses import dataclass

PASSWORD = "let-me-shop"  # noqa: S105 - printed on the first screen; the production profile has no such accounts


@dataclass(frozen=True)
class DemoAccount:
    """An account with a known password."""

    email: str
    name: str
    role: str


ADMIN = DemoAccount("admin@shop.test", "Demo Admin", "admin")
SHOPPER = DemoAccount("shopper@shop.test", "Demo Shopper", "customer")
