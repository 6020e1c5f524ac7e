"""Signed-in browsers and bearer tokens, on top of Flask-Login.

The cookie holds who, under which epoch, signed and not secret; the database decides with every request whether that
epoch still counts. A request that carries a bearer token is that token's, whatever cookie comes along.
"""

from collections.abc import Callable
from datetime import timedelta

from flask import Flask, Request, Response, redirect, request, session, url_for
from flask_login import LoginManager, login_user

from shop.accounts.service import Account, Accounts
from shop.errors import BadCredentials, NotSignedIn
from shop.settings import Settings
from shop.web import problems
from shop.web.identity import Identity

OnSignIn = Callable[[int], str | None]
"""Told the user id of who is about to be signed in; returns a note for her, or ``None``."""


class _LoginManager(LoginManager):  # type: ignore[misc]  # flask-login is untyped
    """Flask-Login without its remember-me cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        # The original looks into the session after every request, which makes every page `Vary: Cookie` and so
        # uncacheable at the edge. Nothing here is remembered that way.
        return response


def install(app: Flask, use: Callable[[], Accounts], settings: Settings) -> None:
    """Let requests of the app say who makes them.

    Args:
        app: the application.
        use: returns the accounts of the request being served.
        settings: the secret key, the profile, and how long a session lasts.
    """
    _configure(app, settings)
    manager = _LoginManager()
    # Its protection ties a session to an address and a browser version; both change under honest shoppers.
    manager.session_protection = None
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(lambda carried: _of_cookie(use(), carried) if bearer(request) is None else None)
    manager.request_loader(lambda asked: _of_token(use(), asked))
    app.register_error_handler(NotSignedIn, _ask_to_sign_in)


def sign_in(account: Account, on_sign_in: OnSignIn) -> str | None:
    """Start a signed-in session in the browser being answered.

    Whatever the browser carried before is dropped, so a session somebody planted does not become hers (session
    fixation, CWE-384); the guest's cart moves into the account first.

    Returns:
        A note for the one who signed in, or ``None``.
    """
    note = on_sign_in(account.user_id)
    session.clear()
    session.permanent = True
    login_user(_identity(account))
    return note


def sign_out() -> None:
    """End the session of the browser being answered; nothing of it is left for the next person at the machine."""
    session.clear()


def bearer(asked: Request) -> str | None:
    """Return the request's bearer token, or ``None`` if it carries none (RFC 6750, 2.1)."""
    found = asked.authorization
    return (found.token or "") if found is not None and found.type == "bearer" else None


def _configure(app: Flask, settings: Settings) -> None:
    app.secret_key = settings.secret_key
    app.config.update(
        # The __Host- prefix keeps a neighbouring subdomain from planting this cookie; it demands https (RFC 6265bis).
        SESSION_COOKIE_NAME="session" if settings.is_lab else "__Host-session",
        SESSION_COOKIE_SECURE=not settings.is_lab,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_lifetime_days),
        # Otherwise every answer would carry Set-Cookie, and no page could be cached for a returning shopper.
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def _of_cookie(accounts: Accounts, carried: str) -> Identity | None:
    user_id, _, epoch = carried.partition(".")
    if not (user_id.isdecimal() and epoch.isdecimal()):
        return None
    account = accounts.identity_of(int(user_id), int(epoch))
    return _identity(account) if account else None


def _of_token(accounts: Accounts, asked: Request) -> Identity | None:
    token = bearer(asked)
    if token is None:
        return None
    account = accounts.identity_of_token(token)
    if account is None:  # a program whose token ended must hear so, not be served as a guest
        raise BadCredentials("This token is unknown, revoked or expired.")
    return _identity(account)


def _identity(account: Account) -> Identity:
    return Identity(account.user_id, account.epoch, account.email, account.name, account.role)


def _ask_to_sign_in(error: NotSignedIn) -> Response:
    if request.path.startswith(problems.API_PREFIX):
        return problems.problem(401, "not-signed-in", error.detail)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    answer = redirect(url_for("accounts.login", next=wanted), 303)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer  # type: ignore[return-value]  # werkzeug's response is what the app's class builds
