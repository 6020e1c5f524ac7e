"""The page on which people look after their account, and the call that changes a password."""

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
from shop.web.access import needs_account
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
    """Another password, and the present one as proof."""

    current_password: SecretStr = Field(max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)
    new_password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)


def create_account_api(use: Callable[[], AccountService], changes: Callable[[], PasswordChanges]) -> ApiBlueprint:
    """Build the call.

    Args:
        use: returns the accounts of the request being served.
        changes: returns the password changes of the request being served.
    """
    api = ApiBlueprint("account_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)
    refusals: dict[str | int, Any] = dict.fromkeys((401, 409, 422, 429, 503), ProblemDetails)

    @api.post("/me/password", security=AUTH_REQUIRED, responses={204: None, **refusals})
    @needs_account
    @ignores_idempotency_key
    def change_password(body: PasswordChange) -> Any:
        """Change the password, with the present one. All other sessions and tokens of the account end."""
        _change(use(), changes(), body.current_password.get_secret_value(), body.new_password.get_secret_value())
        return "", HTTPStatus.NO_CONTENT

    return api


def create_account_pages(use: Callable[[], AccountService], changes: Callable[[], PasswordChanges]) -> Blueprint:
    """Build the page; arguments as :func:`create_account_api`."""
    pages = Blueprint("own_account", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(PAGE)
    def own_account() -> Page:
        return _page(require_identity())

    @pages.post(PAGE)
    def rename() -> Page:
        identity = require_identity()
        try:
            use().rename(identity.user_id, request.form.get("name", ""))
        except InvalidFields as error:
            return _page(identity, error.errors, STATUS[InvalidFields])
        return _done("Your name is changed.")

    @pages.post(f"{PAGE}/password")
    @ignores_idempotency_key
    def change_password() -> Page:
        identity, form = require_identity(), request.form
        try:
            _change(use(), changes(), form.get("current_password", ""), form.get("new_password", ""))
        except (InvalidFields, StateConflict) as error:
            return _page(identity, error.errors or {"form": error.detail}, STATUS[type(error)])
        return _done("Your password is changed. Every other browser is signed out.")

    return pages


def _change(accounts: AccountService, changes: PasswordChanges, present: str, new: str) -> None:
    bearer = sessions.bearer(request)
    account = changes.change(require_identity().user_id, present, new, bearer=bearer)
    if bearer is None:
        sessions.renew(accounts, account)


def _done(note: str) -> Page:
    flash(note, "success")
    return redirect(PAGE, 303)


def _page(identity: SignedInIdentity, errors: Mapping[str, str] | None = None, status: int = 200) -> Page:
    shown: dict[str, Any] = {"identity": identity, "errors": errors or {}, "form": request.form, **LIMITS}
    return render_template("accounts/account.html", **shown), status
