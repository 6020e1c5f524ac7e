"""Access control: each view declares which clients may call it, and one check before all views enforces it.

Problem: a view that checks the role in its first line checks too late. The fields of a stranger's form are validated
first, so she is told how to correct a form that she may not send. And a stored response is replayed for its idempotency
key without the view, to an account that has lost the role since.
Method: a decorator on the view declares the check, and one function before all views runs it: first 401, then 403, then
the validation of fields.
Source: RFC 9110, 15.5.2 and 15.5.4; OWASP, "Authorization Cheat Sheet" (enforce on every request).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

from shop.web.identity import require_identity, require_role

V = TypeVar("V", bound=Callable[..., Any])

_CHECK = "__access__"


def needs(check: Callable[[], object]) -> Callable[[V], V]:
    """Mark a view that may be called only if a check passes.

    Args:
        check: raises :class:`AuthenticationRequired` or :class:`ForbiddenAction` if the client may not call the view.
    """

    def mark(view: V) -> V:
        setattr(view, _CHECK, check)
        return view

    return mark


def needs_account(view: V) -> V:
    """Mark a view that only signed-in accounts may call."""
    return needs(require_identity)(view)


def needs_role(role: str) -> Callable[[V], V]:
    """Mark a view that only accounts with a role may call."""
    return needs(lambda: require_role(role))


def install(app: Flask) -> None:
    """Run the check of the view at every request of the app."""
    app.before_request(check)


def check() -> None:
    """Refuse the request being served if its client may not call the view.

    Raises:
        AuthenticationRequired: the view needs an account, and the client is not signed in.
        ForbiddenAction: the view needs a role that the account does not have.
    """
    view_check = access_check(current_app.view_functions.get(request.endpoint or ""))
    if view_check is not None:
        view_check()


def access_check(view: Callable[..., Any] | None) -> Callable[[], object] | None:
    """Return the check that a view was marked with; ``None`` if every client may call it."""
    return getattr(view, _CHECK, None)
