"""The signed link that opens a guest's order on any device: one order, for 90 days."""

from collections.abc import Sequence
from datetime import timedelta

from shop.clock import Clock
from shop.web.signed_tokens import SignedTokens

LINK_PATH = "/orders/open"
"""Access logs leave out the query; nginx leaves these requests out of its error log (deploy/nginx)."""
LINK_LIFETIME = timedelta(days=90)
PASS_LIFETIME = timedelta(hours=1)
"""How long the order stays open in a browser that followed the link."""


class OrderLinks:
    """Makes and reads the tokens of links, and of passes: cookies of browsers that followed a link.

    Args:
        keys: the store's secret keys; the first one signs, and each one verifies.
        clock: tells whether a token has expired.
        address: the store's address.
    """

    def __init__(self, keys: Sequence[str], clock: Clock, address: str) -> None:
        self._links = SignedTokens(keys, "order-link", clock)
        self._passes = SignedTokens(keys, "order-pass", clock)
        self._address = address

    def guest_path(self, public_id: str) -> str:
        """Return the path that opens a guest's order for 90 days, on any device."""
        return f"{LINK_PATH}?token={self._links.sign(public_id, LINK_LIFETIME)}"

    def guest_url(self, public_id: str) -> str:
        """Return the absolute URL of :meth:`guest_path`, for mails."""
        return self._address + self.guest_path(public_id)

    def page_url(self, public_id: str) -> str:
        """Return the URL of an order's page. It has no token, so it opens the page only for the order's holder."""
        return f"{self._address}/orders/{public_id}"

    def read_link(self, token: str) -> str | None:
        """Return the public id in a link's token; ``None`` if the token is invalid or expired."""
        return self._links.read(token)

    def make_pass(self, public_id: str) -> str:
        """Return the pass cookie for a browser that followed an order's link."""
        return self._passes.sign(public_id, PASS_LIFETIME)

    def read_pass(self, token: str) -> str | None:
        """Return the public id in a pass cookie; ``None`` if the pass is invalid or expired."""
        return self._passes.read(token)
