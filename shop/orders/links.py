"""The link by which a guest opens her order on any device: it opens that one order, for 90 days."""

from collections.abc import Sequence
from datetime import timedelta

from shop.clock import Clock
from shop.web.signed_tokens import SignedTokens

PAGE = "/orders/open"
"""No access log holds what comes after the ``?``; the edge keeps these requests out of its error log (deploy/nginx)."""
GOOD_FOR = timedelta(days=90)
PASS_GOOD_FOR = timedelta(hours=1)
"""How long a browser that followed the link keeps the order open."""


class OrderLinks:
    """Makes links and passes, and reads them.

    Args:
        keys: the store's secret keys; the first signs, each is believed.
        clock: says when they end.
        address: of the store.
    """

    def __init__(self, keys: Sequence[str], clock: Clock, address: str) -> None:
        self._links = SignedTokens(keys, "order-link", clock)
        self._passes = SignedTokens(keys, "order-pass", clock)
        self._address = address

    def path(self, public_id: str) -> str:
        """Return where a guest's order opens, for whoever has this, for 90 days."""
        return f"{PAGE}?token={self._links.sign(public_id, GOOD_FOR)}"

    def url(self, public_id: str) -> str:
        """Return the same for a mail."""
        return self._address + self.path(public_id)

    def page(self, public_id: str) -> str:
        """Return the address of an order's page, which proves nothing."""
        return f"{self._address}/orders/{public_id}"

    def read(self, token: str) -> str | None:
        """Return the order a link's token is for, or ``None`` if the token is worth nothing."""
        return self._links.read(token)

    def make_pass(self, public_id: str) -> str:
        """Return what a browser carries that has followed an order's link."""
        return self._passes.sign(public_id, PASS_GOOD_FOR)

    def read_pass(self, carried: str) -> str | None:
        """Return the order a browser's pass is for, or ``None`` if it is worth nothing."""
        return self._passes.read(carried)
