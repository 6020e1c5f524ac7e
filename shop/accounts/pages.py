"""HTML routes to sign in, register and sign out."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from shop.accounts import sessions
from shop.accounts.credentials import NAME_MAX
from shop.accounts.password_policy import PASSWORD_MAX, PASSWORD_MIN
from shop.accounts.service import AccountIdentity, AccountService
from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
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


def create_pages(
    get_accounts: Callable[[], AccountService], on_sign_in: sessions.OnSignIn, *, demo_accounts: bool = False
) -> Blueprint:
    """Build the pages.

    Args:
        get_accounts: returns the account service for the current request.
        on_sign_in: called with the account before the session starts; returns a note for the customer.
        demo_accounts: whether the log-in names the accounts with a published password (the lab profile).
    """
    known = (SHOPPER, ADMIN) if demo_accounts else ()
    pages = Blueprint("accounts", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.context_processor
    def name_demo_accounts() -> dict[str, object]:
        return {"demo_accounts": known, "demo_password": DEMO_PASSWORD if known else ""}

    @pages.get("/login")
    def login() -> Page:
        if sessions.was_ended():
            return _form("login", notice=sessions.SIGNED_OUT)
        return _redirect_if_signed_in() or _form("login")

    @pages.post("/login")
    @ignores_idempotency_key
    def start_session() -> Page:
        try:
            account = get_accounts().authenticate(request.form.get("email", ""), request.form.get("password", ""))
        except (BadCredentials, TooManyRequests) as error:
            return _form_with_error("login", error)
        return _sign_in(get_accounts(), account, on_sign_in)

    @pages.get("/register")
    def register() -> Page:
        return _redirect_if_signed_in() or _form("register")

    @pages.post("/register")
    @ignores_idempotency_key
    def open_account() -> Page:
        form = request.form
        try:
            account = get_accounts().register(form.get("email", ""), form.get("password", ""), form.get("name", ""))
        except (InvalidFields, StateConflict, TooManyRequests) as error:
            return _form_with_error("register", error)
        return _sign_in(get_accounts(), account, on_sign_in)

    @pages.get("/logout")
    def logout() -> Page:
        identity = current_identity()
        return (render_template("accounts/logout.html", identity=identity), 200) if identity else _see_other(HOME)

    @pages.post("/logout")
    @ignores_idempotency_key
    def end_session() -> Page:
        if (identity := current_identity()) is not None and "everywhere" in request.form:
            get_accounts().end_sessions(identity.user_id)
        sessions.sign_out(get_accounts())
        return _see_other(HOME)

    return pages


def _sign_in(accounts: AccountService, account: AccountIdentity, on_sign_in: sessions.OnSignIn) -> Page:
    note = sessions.sign_in(accounts, account, on_sign_in)
    if note:
        flash(note, "info")
    # Only a private page can show the note: a public page is the same for every visitor. The cart page is private.
    return _see_other(safe_redirect_path(request.form.get("next"), CART if note else HOME))


def _redirect_if_signed_in() -> Page | None:
    return _see_other(_next_path() or HOME) if current_identity() else None


def _form(name: str, errors: Mapping[str, str] | None = None, status: int = 200, notice: str = "") -> Page:
    context: dict[str, Any] = {"errors": errors or {}, "next": _next_path(), "form": request.form, "notice": notice}
    return render_template(f"accounts/{name}.html", **context, **LIMITS), status


def _form_with_error(name: str, error: ShopError) -> Page:
    """Show a form again with the typed values, without the password."""
    errors = error.errors or {"form": error.detail}
    response = make_response(_form(name, errors, STATUS[type(error)]))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _next_path() -> str:
    return safe_redirect_path(request.values.get("next"), "")


def _see_other(path: str) -> AnyResponse:
    return redirect(path, 303)
