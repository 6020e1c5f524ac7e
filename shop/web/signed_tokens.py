"""Signed tokens for links in mails and for short-lived cookies.

Problem: a link must open one thing, for a limited time, on a device that the store does not know, and without a row in
the database for each link.
Method: the token contains its subject and its expiry in plain text, and an HMAC-SHA256 of both. The HMAC's key is
derived from a key of the store and the purpose, so a token of one purpose is not valid for another. The first key
signs, and every key is accepted, so a key can be changed while tokens are in use.
Source: RFC 2104 (HMAC); NIST SP 800-57 part 1, 5.3 (cryptoperiods).
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from itsdangerous import BadSignature, Signer

from shop.clock import Clock
from shop.errors import ConfigurationError

MAX_LENGTH = 200
"""Characters; a longer text is no token and is not read."""


class SignedTokens:
    """Makes and reads the tokens of one purpose.

    Args:
        keys: the store's secret keys; the first signs, each is accepted.
        purpose: one word for the use of the tokens.
        clock: tells when tokens expire.
    """

    def __init__(self, keys: Sequence[str], purpose: str, clock: Clock) -> None:
        self._clock = clock
        self._keys = tuple(reversed(keys))  # itsdangerous signs with the last
        self._purpose = purpose

    def sign(self, subject: str, good_for: timedelta) -> str:
        """Return a token for a subject; its characters need no escaping in a URL.

        Args:
            subject: a text without periods.
            good_for: the token's lifetime from now on.

        Raises:
            ConfigurationError: the store has no secret key.
        """
        if not self._keys:
            raise ConfigurationError("SHOP_SECRET_KEY is not set: nothing can be signed, no link in a mail either.")
        expires_at = int((self._clock.now() + good_for).timestamp())
        return self._signer().sign(f"{subject}.{expires_at}").decode()

    def read(self, token: str) -> str | None:
        """Return the subject of a token, or ``None`` if it is forged, expired, or of another purpose."""
        if not self._keys or len(token) > MAX_LENGTH or not token.isascii():
            return None
        try:
            subject, _, expires_at = self._signer().unsign(token).decode().partition(".")
        except BadSignature:
            return None
        return subject if self._clock.now().timestamp() < int(expires_at) else None

    def _signer(self) -> Signer:
        return Signer(list(self._keys), salt=self._purpose, key_derivation="hmac", digest_method=hashlib.sha256)
