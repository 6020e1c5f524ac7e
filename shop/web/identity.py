"""The signed-in account of the request being served.

Reading the identity reads the cookies, so the response becomes private. Views of public pages must not read it.
"""

from dataclasses import dataclass
from typing import cast

from flask_login import UserMixin, current_user

from shop.errors import AuthenticationRequired, ForbiddenAction

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class SignedInIdentity(UserMixin):  # type: ignore[misc]  # flask-login is untyped
    """A signed-in account."""

    user_id: int
    email: str
    name: str
    role: str


def current_identity() -> SignedInIdentity | None:
    """Return the signed-in account, or ``None`` for a guest."""
    return cast(SignedInIdentity, current_user._get_current_object()) if current_user.is_authenticated else None


def require_identity() -> SignedInIdentity:
    """Return the signed-in account.

    Raises:
        AuthenticationRequired: the client is not signed in.
    """
    identity = current_identity()
    if identity is None:
        raise AuthenticationRequired("Sign in first.")
    return identity


def require_role(role: str) -> SignedInIdentity:
    """Return the signed-in account, if it has the role.

    Raises:
        AuthenticationRequired: the client is not signed in.
        ForbiddenAction: the account has another role.
    """
    identity = require_identity()
    if identity.role != role:
        raise ForbiddenAction(f"This needs the role {role}: sign in with an account that has it.")
    return identity
