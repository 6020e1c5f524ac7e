"""Signing in, registering and signing out, for people."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from shop.accounts import sessions
from shop.accounts.credentials import NAME_MAX
from shop.accounts.password_policy import PASSWORD_MAX, PASSWORD_MIN
from shop.accounts.service import AccountIdentity, AccountService
from shop.errors import BadCredentials, InvalidFields, ShopError, StateConflict, TooManyRequests
from shop.web.idempotency import ignores_idempotency_key
from shop.web.identity import current_identity
from shop.web.private_response import keep_private
from shop.web.problems import STATUS
from shop.web.redirects import safe_redirect_path

HOME = "/"
CART = "/cart"
LIMITS = {"password_min": PASSWORD_MIN, "password_max": PASSWORD_MAX, "name_max": NAME_MAX}

Page = tuple[str, int] | AnyResponse


def create_pages(use: Callable[[], AccountService], on_sign_in: sessions.OnSignIn) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the accounts of the request being served.
        on_sign_in: told who is about to be signed in; returns a note for her.
    """
    pages = Blueprint("accounts", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/login")
    def login() -> Page:
        if sessions.was_ended():
            return _form("login", notice=sessions.ENDED)
        return _already_in() or _form("login")

    @pages.post("/login")
    @ignores_idempotency_key
    def start_session() -> Page:
        try:
            account = use().authenticate(request.form.get("email", ""), request.form.get("password", ""))
        except (BadCredentials, TooManyRequests) as error:
            return _refused("login", error)
        return _enter(use(), account, on_sign_in)

    @pages.get("/register")
    def register() -> Page:
        return _already_in() or _form("register")

    @pages.post("/register")
    @ignores_idempotency_key
    def open_account() -> Page:
        form = request.form
        try:
            account = use().register(form.get("email", ""), form.get("password", ""), form.get("name", ""))
        except (InvalidFields, StateConflict, TooManyRequests) as error:
            return _refused("register", error)
        return _enter(use(), account, on_sign_in)

    @pages.get("/logout")
    def logout() -> Page:
        identity = current_identity()
        return (render_template("accounts/logout.html", identity=identity), 200) if identity else _go(HOME)

    @pages.post("/logout")
    @ignores_idempotency_key
    def end_session() -> Page:
        if (identity := current_identity()) is not None and "everywhere" in request.form:
            use().end_sessions(identity.user_id)
        sessions.sign_out(use())
        return _go(HOME)

    return pages


def _enter(accounts: AccountService, account: AccountIdentity, on_sign_in: sessions.OnSignIn) -> Page:
    note = sessions.sign_in(accounts, account, on_sign_in)
    if note:
        flash(note, "info")
    # The note is shown by the next private page, since public ones are the same for everybody; the cart is one.
    return _go(safe_redirect_path(request.form.get("next"), CART if note else HOME))


def _already_in() -> Page | None:
    return _go(_next() or HOME) if current_identity() else None


def _form(name: str, errors: Mapping[str, str] | None = None, status: int = 200, notice: str = "") -> Page:
    shown: dict[str, Any] = {"errors": errors or {}, "next": _next(), "form": request.form, "notice": notice, **LIMITS}
    return render_template(f"accounts/{name}.html", **shown), status


def _refused(name: str, error: ShopError) -> Page:
    """Show a form again with what was typed, a password excepted."""
    errors = error.errors or {"form": error.detail}
    answer = make_response(_form(name, errors, STATUS[type(error)]))
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _next() -> str:
    return safe_redirect_path(request.values.get("next"), "")


def _go(path: str) -> AnyResponse:
    return redirect(path, 303)
