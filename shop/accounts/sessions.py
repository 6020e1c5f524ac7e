"""Session cookies of signed-in browsers, and bearer tokens, on top of Flask-Login.

Problem: a cookie that holds the user's id stays valid in every copy, also after the user signs out.
Method: a signed-in browser carries a random token in a separate cookie, and the database stores the token's hash. Every
request reads the account by this hash in one query; after sign-out the query finds nothing. The signed session cookie
holds only the guest's data (cart, note for the next page). So a response that began before the sign-in may overwrite
the guest's cookie, but never the account's. If a request carries a bearer token, its cookies are ignored.
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
from shop.web.rate_limits import ACCOUNT_COOKIE, note_account

LEGACY_USER_KEY = "_user_id"
"""Key in the signed cookie that held the signed-in user, before sessions were stored on the server."""
SIGNED_OUT = "You were signed out. Sign in again."
OnSignIn = Callable[[AccountIdentity], str | None]
"""Called with the account before its session starts; returns a note for the customer, or ``None``."""


class _LoginManager(LoginManager):  # type: ignore[misc]  # flask-login is untyped
    """Flask-Login without its remember-me cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        # The original reads the session after every request. Every page would then have `Vary: Cookie`, and the edge
        # could not cache it. The store has no remember-me cookie.
        return response


def install(app: Flask, get_accounts: Callable[[], AccountService], settings: Settings) -> None:
    """Authenticate the requests of an app.

    Args:
        app: the application.
        get_accounts: returns the account service for the current request.
        settings: the secret key, the profile, and the lifetime of a session.
    """
    _configure_cookies(app, settings)
    manager = _LoginManager()
    # Flask-Login would tie a session to the IP address and the browser version. Both change for honest customers.
    manager.session_protection = None
    manager.init_app(app, add_context_processor=False)

    @manager.request_loader  # type: ignore[untyped-decorator]  # flask-login is untyped
    def load_identity(request: Request) -> SignedInIdentity | None:
        account = None
        if (bearer := bearer_token(request)) is not None:
            account = get_accounts().identity_of_token(bearer)
            if account is None:  # a program with an invalid token gets an error; it is not served as a guest
                raise BadCredentials("This token is unknown, revoked or expired.")
        elif (token := _session_token(request)) is not None:
            account = get_accounts().identity_of_session(token)
        if account is None:
            return None
        note_account(account.user_id)
        return SignedInIdentity(account.user_id, account.email, account.name, account.role)

    @app.errorhandler(AuthenticationRequired)
    def redirect_to_login(error: AuthenticationRequired) -> Response:
        if request.path.startswith(problems.API_PREFIX):
            return problems.problem_document(401, "not-signed-in", SIGNED_OUT if was_ended() else error.detail)
        next_path = request.full_path.rstrip("?") if request.method == "GET" else None
        response = redirect(url_for("accounts.login", next=next_path), 303)
        # The app's response class is Flask's, although `redirect` is typed with werkzeug's.
        return keep_private(response)  # type: ignore[arg-type]


def sign_in(accounts: AccountService, account: AccountIdentity, on_sign_in: OnSignIn) -> str | None:
    """Start a session of the account in the current browser.

    The guest's cart is merged first. Then the browser's earlier session ends and its data are dropped, so a session
    that an attacker planted does not become the customer's (session fixation, CWE-384).

    Returns:
        A note for the customer, or ``None``.

    Raises:
        BadCredentials: all sessions of the account were ended after its authentication.
    """
    token = accounts.open_session(account)
    note = on_sign_in(account)
    _end_session(accounts)
    if session:  # clearing an empty session would delete the cart cookie that a response to another tab has just set
        session.clear()
    _send_cookie(token)
    return note


def renew(accounts: AccountService, account: AccountIdentity) -> None:
    """Open a new session in the current browser, after all sessions of the account have ended."""
    _send_cookie(accounts.open_session(account))


def sign_out(accounts: AccountService) -> None:
    """End the session of the current browser in the database and in the browser.

    The next user of the computer gets neither the session nor the guest's data, and a copy of the cookie is invalid.
    """
    end_browser_session(accounts)
    session.clear()


def end_browser_session(accounts: AccountService) -> None:
    """End the session of the current browser, if it has one. The guest's data stay."""
    if _session_token(request) is None:
        return
    _end_session(accounts)

    @after_this_request
    def delete_cookie(response: Response) -> Response:
        response.delete_cookie(current_app.config[ACCOUNT_COOKIE], **_cookie_attributes())
        return response


def was_ended() -> bool:
    """Return whether the request carries a session that has ended."""
    return current_identity() is None and (_session_token(request) is not None or LEGACY_USER_KEY in session)


def bearer_token(request: Request) -> str | None:
    """Return the request's bearer token, or ``None`` if it has none (RFC 6750, 2.1)."""
    authorization = request.authorization
    return (authorization.token or "") if authorization is not None and authorization.type == "bearer" else None


def _configure_cookies(app: Flask, settings: Settings) -> None:
    app.secret_key, *older_keys = settings.secret_keys or ("",)
    app.config.update(
        SECRET_KEY_FALLBACKS=older_keys,
        # The __Host- prefix stops a neighbouring subdomain from setting these cookies. It needs HTTPS (RFC 6265bis).
        ACCOUNT_COOKIE_NAME="account" if settings.is_lab else "__Host-account",
        SESSION_COOKIE_NAME="session" if settings.is_lab else "__Host-session",
        NOTES_COOKIE_NAME="notes" if settings.is_lab else "__Host-notes",
        SESSION_COOKIE_SECURE=not settings.is_lab,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_lifetime_days),
        # Otherwise every response would have Set-Cookie, and no page could be cached for a returning customer.
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def _session_token(request: Request) -> str | None:
    return request.cookies.get(current_app.config[ACCOUNT_COOKIE])


def _end_session(accounts: AccountService) -> None:
    if (token := _session_token(request)) is not None:
        accounts.end_session(token)


def _send_cookie(token: IssuedToken) -> None:
    @after_this_request
    def set_cookie(response: Response) -> Response:
        name = current_app.config[ACCOUNT_COOKIE]
        response.set_cookie(name, token.token, expires=token.expires_at, **_cookie_attributes())
        return response


def _cookie_attributes() -> dict[str, Any]:
    config = current_app.config
    return {
        "httponly": config["SESSION_COOKIE_HTTPONLY"],
        "samesite": config["SESSION_COOKIE_SAMESITE"],
        "secure": config["SESSION_COOKIE_SECURE"],
    }
