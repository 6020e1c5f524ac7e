"""Tokens that prove something by being known: sessions, bearer tokens, links to set a password.

Problem: a table of tokens that gets stolen signs the thief in everywhere.
Method: a token is 256 random bits, so nothing about it can be guessed; a plain SHA-256 is kept, which is found by an
index and cannot be turned back. A slow hash protects what people choose, and these are not chosen.
Source: OWASP, "Session Management Cheat Sheet"; RFC 6750, 5.2.
"""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """Return a new random token, 43 characters that a URL and a cookie can carry."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token: its SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode()).digest()
