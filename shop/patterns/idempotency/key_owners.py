"""The names of the owners of idempotency keys. Two owners never share a key. Pure."""

import uuid

ACCOUNT_PREFIX = "user:"
GUEST_PREFIX = "guest:"
ANONYMOUS_PREFIX = "anybody:"
"""Prefix of the owner of a key whose client has neither account nor cart; the request's fingerprint follows it. Two
such clients share a key only if they send the same request. Then the stored response contains nothing that the second
client does not know."""


def account_owner(user_id: int) -> str:
    """Return the name of an account."""
    return f"{ACCOUNT_PREFIX}{user_id}"


def guest_owner(guest_id: uuid.UUID) -> str:
    """Return the name of a guest."""
    return f"{GUEST_PREFIX}{guest_id}"


def is_account(owner: str) -> bool:
    """Return whether an account has this name."""
    return owner.startswith(ACCOUNT_PREFIX)


def is_guest(owner: str) -> bool:
    """Return whether a guest has this name."""
    return owner.startswith(GUEST_PREFIX)


def owner_id(owner: str) -> str:
    """Return an account's number or a guest's id, without the prefix."""
    return owner.partition(":")[2]
