"""Who may call: declared on the view, asked before anything else about the request is.

Problem: a view that asks for a role in its first line is reached last. A stranger's fields are validated first, so that
she is told how to fill in a form she may not send; and an answer kept under an idempotency key is replayed without the
view, to an account that has lost the role since.
Method: a decorator says what the view needs, and one function in front of all views asks for it: 401, then 403, then
whatever the fields deserve.
Source: RFC 9110, 15.5.2 and 15.5.4; OWASP, "Authorization Cheat Sheet" (enforce on every request).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

from shop.web.identity import require_identity, require_role

V = TypeVar("V", bound=Callable[..., Any])

_NEED = "__access__"


def needs(check: Callable[[], object]) -> Callable[[V], V]:
    """Let a view be called where a check raises nothing.

    Args:
        check: raises :class:`AuthenticationRequired` or :class:`Forbidden` for a request that may not.
    """

    def mark(view: V) -> V:
        setattr(view, _NEED, check)
        return view

    return mark


def needs_account(view: V) -> V:
    """Let a view be called by whoever is signed in."""
    return needs(require_identity)(view)


def needs_role(role: str) -> Callable[[V], V]:
    """Let a view be called by accounts with a role alone."""
    return needs(lambda: require_role(role))


def install(app: Flask) -> None:
    """Ask, at every request of the app, for what its view needs."""
    app.before_request(check)


def check() -> None:
    """Refuse the request being served if its view may not be called by whoever asks.

    Raises:
        AuthenticationRequired: it needs an account, and nobody is signed in.
        ForbiddenAction: it needs a role that the account does not have.
    """
    need = needed(current_app.view_functions.get(request.endpoint or ""))
    if need is not None:
        need()


def needed(view: Callable[..., Any] | None) -> Callable[[], object] | None:
    """Return the check a view was marked with, if it was."""
    return getattr(view, _NEED, None)
