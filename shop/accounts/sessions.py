"""Signed-in browsers and bearer tokens, on top of Flask-Login.

Problem: a cookie that says by itself whose it is stays good wherever it was copied to, whoever signs out.
Method: a signed-in browser carries a random token in a cookie of its own; the database knows its hash, and with every
request says whose it is, or no longer anybody's, in the one query that reads the account. The signed session cookie is
the guest's alone (her cart, a note for the next page), so an answer that was begun before somebody signed in writes
that one and cannot undo the other. A request that carries a bearer token is that token's, whatever cookie comes along.
Source: OWASP, "Session Management Cheat Sheet".
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, after_this_request, current_app, redirect, request, session, url_for
from flask_login import LoginManager

from shop.accounts.service import AccountIdentity, AccountService, IssuedToken
from shop.errors import AuthenticationRequired, BadCredentials
from shop.settings import Settings
from shop.web import problems
from shop.web.identity import SignedInIdentity, current_identity
from shop.web.private_response import keep_private

COOKIE = "ACCOUNT_COOKIE_NAME"
"""Key of the app's configuration; named as Flask names the settings of its own cookie."""
OLDER_SESSION = "_user_id"
"""Under it the signed cookie said who was signed in, before sessions were kept on the server."""
ENDED = "You were signed out. Sign in again."
OnSignIn = Callable[[AccountIdentity], str | None]
"""Told the account that is about to be signed in; returns a note for her, or ``None``."""


class _LoginManager(LoginManager):  # type: ignore[misc]  # flask-login is untyped
    """Flask-Login without its remember-me cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        # The original looks into the session after every request, which makes every page `Vary: Cookie` and so
        # uncacheable at the edge. Nothing here is remembered that way.
        return response


def install(app: Flask, use: Callable[[], AccountService], settings: Settings) -> None:
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
    manager.request_loader(lambda asked: _of_cookie(use(), asked) if bearer(asked) is None else _of_token(use(), asked))
    app.register_error_handler(AuthenticationRequired, _ask_to_sign_in)


def sign_in(accounts: AccountService, account: AccountIdentity, on_sign_in: OnSignIn) -> str | None:
    """Start a signed-in session in the browser being answered.

    Whatever the browser carried before is dropped, so a session somebody planted does not become hers (session
    fixation, CWE-384), and one that was open ends; the guest's cart moves into the account first.

    Returns:
        A note for the one who signed in, or ``None``.

    Raises:
        BadCredentials: the account's sessions were ended after it was proved.
    """
    opened = accounts.open_session(account)
    note = on_sign_in(account)
    _end_carried(accounts)
    if session:  # else the answer would delete the cart that another tab's answer has just brought
        session.clear()
    _send_cookie(opened)
    return note


def renew(accounts: AccountService, account: AccountIdentity) -> None:
    """Give the browser being answered a new session of its account, whose others have ended."""
    _send_cookie(accounts.open_session(account))


def sign_out(accounts: AccountService) -> None:
    """End the session of the browser being answered, here and in the browser.

    Nothing is left for the next person at the machine, and nothing for a copy of the cookie.
    """
    leave(accounts)
    session.clear()


def leave(accounts: AccountService) -> None:
    """End the session of the browser being answered, if it has one; what a guest has stays."""
    if _carried(request) is not None:
        _end_carried(accounts)
        after_this_request(_drop_cookie)


def was_ended() -> bool:
    """Tell whether the request carries a session that is over; asks who is signed in."""
    return current_identity() is None and (_carried(request) is not None or OLDER_SESSION in session)


def bearer(asked: Request) -> str | None:
    """Return the request's bearer token, or ``None`` if it carries none (RFC 6750, 2.1)."""
    found = asked.authorization
    return (found.token or "") if found is not None and found.type == "bearer" else None


def _configure(app: Flask, settings: Settings) -> None:
    app.secret_key, *older = settings.secret_keys or ("",)
    app.config.update(
        SECRET_KEY_FALLBACKS=older,
        # The __Host- prefix keeps a neighbouring subdomain from planting these; it demands https (RFC 6265bis).
        ACCOUNT_COOKIE_NAME="account" if settings.is_lab else "__Host-account",
        SESSION_COOKIE_NAME="session" if settings.is_lab else "__Host-session",
        NOTES_COOKIE_NAME="notes" if settings.is_lab else "__Host-notes",
        SESSION_COOKIE_SECURE=not settings.is_lab,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_lifetime_days),
        # Otherwise every answer would carry Set-Cookie, and no page could be cached for a returning shopper.
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def _carried(asked: Request) -> str | None:
    return asked.cookies.get(current_app.config[COOKIE])


def _end_carried(accounts: AccountService) -> None:
    if (token := _carried(request)) is not None:
        accounts.end_session(token)


def _send_cookie(opened: IssuedToken) -> None:
    @after_this_request
    def send(response: Response) -> Response:
        response.set_cookie(current_app.config[COOKIE], opened.token, expires=opened.expires_at, **_attributes())
        return response


def _drop_cookie(response: Response) -> Response:
    response.delete_cookie(current_app.config[COOKIE], **_attributes())
    return response


def _attributes() -> dict[str, Any]:
    config = current_app.config
    return {
        "httponly": config["SESSION_COOKIE_HTTPONLY"],
        "samesite": config["SESSION_COOKIE_SAMESITE"],
        "secure": config["SESSION_COOKIE_SECURE"],
    }


def _of_cookie(accounts: AccountService, asked: Request) -> SignedInIdentity | None:
    token = _carried(asked)
    account = accounts.identity_of_session(token) if token is not None else None
    return _identity(account) if account else None


def _of_token(accounts: AccountService, asked: Request) -> SignedInIdentity | None:
    token = bearer(asked)
    if token is None:
        return None
    account = accounts.identity_of_token(token)
    if account is None:  # a program whose token ended must hear so, not be served as a guest
        raise BadCredentials("This token is unknown, revoked or expired.")
    return _identity(account)


def _identity(account: AccountIdentity) -> SignedInIdentity:
    return SignedInIdentity(account.user_id, account.email, account.name, account.role)


def _ask_to_sign_in(error: AuthenticationRequired) -> Response:
    if request.path.startswith(problems.API_PREFIX):
        return problems.problem_document(401, "not-signed-in", ENDED if was_ended() else error.detail)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    answer = redirect(url_for("accounts.login", next=wanted), 303)
    # The app's response class is Flask's, although `redirect` is typed with werkzeug's.
    return keep_private(answer)  # type: ignore[arg-type]
