"""Tokens that prove by their signature what they say: for links in mails and for short-lived cookies.

Problem: a link must open one thing, until a moment, on a device the store has never seen, without a row for each.
Method: the token is the subject and its end in plain text, and an HMAC-SHA256 of both under a key of the store and the
purpose, so that a token of one kind never passes as another's. The first key signs, all of them are believed: that is
how a key is changed while tokens are out.
Source: RFC 2104 (HMAC); NIST SP 800-57 part 1, 5.3 (cryptoperiods).
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from itsdangerous import BadSignature, Signer

from shop.clock import Clock
from shop.errors import ConfigurationError

MAX_LENGTH = 200
"""Characters; no token is longer, and what is longer is not looked into."""


class SignedTokens:
    """Makes and reads the tokens of one purpose.

    Args:
        keys: the store's secret keys; the first signs, each is believed.
        purpose: what its tokens are for, in one word.
        clock: says when tokens end.
    """

    def __init__(self, keys: Sequence[str], purpose: str, clock: Clock) -> None:
        self._clock = clock
        self._keys = tuple(reversed(keys))  # itsdangerous signs with the last
        self._purpose = purpose

    def sign(self, subject: str, good_for: timedelta) -> str:
        """Return a token for a subject, of characters that need no escaping in a URL.

        Args:
            subject: what the token is about, without periods.
            good_for: from now on.

        Raises:
            ConfigurationError: the store has no secret key.
        """
        if not self._keys:
            raise ConfigurationError("SHOP_SECRET_KEY is not set: nothing can be signed, no link in a mail either.")
        ends = int((self._clock.now() + good_for).timestamp())
        return self._signer().sign(f"{subject}.{ends}").decode()

    def read(self, token: str) -> str | None:
        """Return the subject of a token, or ``None`` if it is forged, of another purpose, or its time is over."""
        if not self._keys or len(token) > MAX_LENGTH or not token.isascii():
            return None
        try:
            subject, _, ends = self._signer().unsign(token).decode().partition(".")
        except BadSignature:
            return None
        return subject if self._clock.now().timestamp() < int(ends) else None

    def _signer(self) -> Signer:
        return Signer(list(self._keys), salt=self._purpose, key_derivation="hmac", digest_method=hashlib.sha256)
