"""Secret tokens of sessions, API clients and password reset links.

Problem: a thief of a table of tokens can sign in to every account.
Method: a token has 256 random bits, so it cannot be guessed. The table stores its SHA-256, which an index can find and
which cannot be reversed. A slow hash is needed only for secrets that people choose; these are random.
Source: OWASP, "Session Management Cheat Sheet"; RFC 6750, 5.2.
"""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """Return a new random token of 43 characters that are valid in a URL and a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, 32 bytes; the database stores only this."""
    return hashlib.sha256(token.encode()).digest()
