"""The account page of a signed-in customer, and the JSON route that changes a password."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask_openapi3 import Tag
from pydantic import Field, SecretStr
from werkzeug.wrappers import Response as AnyResponse

from shop.accounts import sessions
from shop.accounts.credentials import NAME_MAX, NO_NUL_SCHEMA
from shop.accounts.password_changes import PasswordChanges
from shop.accounts.password_policy import PASSWORD_MAX, PASSWORD_MIN
from shop.accounts.service import AccountService
from shop.errors import InvalidFields, StateConflict
from shop.web.access_control import needs_account
from shop.web.idempotency import ignores_idempotency_key
from shop.web.identity import SignedInIdentity, require_identity
from shop.web.openapi import AUTH_REQUIRED, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.problems import STATUS
from shop.web.schemas import ApiModel, ProblemDetails

PAGE = "/account"
LIMITS = {"password_min": PASSWORD_MIN, "password_max": PASSWORD_MAX, "name_max": NAME_MAX}

Page = tuple[str, int] | AnyResponse


class PasswordChange(ApiModel):
    """A new password, and the current one as proof."""

    current_password: SecretStr = Field(max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)
    new_password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)


def create_account_api(
    get_accounts: Callable[[], AccountService], get_changes: Callable[[], PasswordChanges]
) -> ApiBlueprint:
    """Build the JSON route.

    Args:
        get_accounts: returns the account service for the current request.
        get_changes: returns the password changes for the current request.
    """
    api = ApiBlueprint("account_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)
    problems: dict[str | int, Any] = dict.fromkeys((401, 409, 422, 429, 503), ProblemDetails)

    @api.post("/me/password", security=AUTH_REQUIRED, responses={204: None, **problems})
    @needs_account
    @ignores_idempotency_key
    def change_password(body: PasswordChange) -> Any:
        """Change the password, with the current one as proof. All other sessions and tokens of the account end."""
        current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
        _change_password(get_accounts(), get_changes(), current, new)
        return "", HTTPStatus.NO_CONTENT

    return api


def create_account_pages(
    get_accounts: Callable[[], AccountService], get_changes: Callable[[], PasswordChanges]
) -> Blueprint:
    """Build the page; the arguments are those of :func:`create_account_api`."""
    pages = Blueprint("own_account", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(PAGE)
    def own_account() -> Page:
        return _page(require_identity())

    @pages.post(PAGE)
    def rename() -> Page:
        identity = require_identity()
        try:
            get_accounts().rename(identity.user_id, request.form.get("name", ""))
        except InvalidFields as error:
            return _page(identity, error.errors, STATUS[InvalidFields])
        return _redirect_with_note("Your name is changed.")

    @pages.post(f"{PAGE}/password")
    @ignores_idempotency_key
    def change_password() -> Page:
        identity, form = require_identity(), request.form
        try:
            current, new = form.get("current_password", ""), form.get("new_password", "")
            _change_password(get_accounts(), get_changes(), current, new)
        except (InvalidFields, StateConflict) as error:
            return _page(identity, error.errors or {"form": error.detail}, STATUS[type(error)])
        return _redirect_with_note("Your password is changed. Every other browser is signed out.")

    return pages


def _change_password(accounts: AccountService, changes: PasswordChanges, current: str, new: str) -> None:
    bearer_token = sessions.bearer_token(request)
    account = changes.change(require_identity().user_id, current, new, bearer_token=bearer_token)
    if bearer_token is None:
        sessions.renew(accounts, account)


def _redirect_with_note(note: str) -> Page:
    flash(note, "success")
    return redirect(PAGE, 303)


def _page(identity: SignedInIdentity, errors: Mapping[str, str] | None = None, status: int = 200) -> Page:
    context: dict[str, Any] = {"identity": identity, "errors": errors or {}, "form": request.form, **LIMITS}
    return render_template("accounts/account.html", **context), status
