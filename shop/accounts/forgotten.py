"""The pages and calls for who has forgotten the password.

The token of a link arrives in a query, is moved at once into the browser's session cookie, and the address of the page
is clean from then on: it is in no history, in no Referer of what the page loads or leads to, and no log line holds a
query.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session
from flask_openapi3 import Tag
from pydantic import Field, SecretStr
from werkzeug.wrappers import Response as AnyResponse

from shop.accounts import sessions
from shop.accounts.credentials import EMAIL_MAX, NO_NUL_SCHEMA
from shop.accounts.password_policy import PASSWORD_MAX, PASSWORD_MIN
from shop.accounts.password_resets import PasswordResets
from shop.accounts.service import AccountService
from shop.errors import InvalidFields, NotFound
from shop.web.idempotency import ignores_idempotency_key
from shop.web.openapi import ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.problems import STATUS
from shop.web.schemas import ApiModel, ProblemDetails

SENT = (
    "If there is an account with this address, a mail with a link is on its way. The link is good once,"
    " for 30 minutes. After three mails in that time no further one is sent."
)
CARRIED = "reset"
"""Key of the browser's session under which it carries the token of a link."""
TOKEN_MAX = 200
"""More than any token has; what is longer is cut, and then opens nothing."""
LIMITS = {"password_min": PASSWORD_MIN, "password_max": PASSWORD_MAX}

Page = tuple[str, int] | AnyResponse


class ForgottenPassword(ApiModel):
    """Where the link is to be sent."""

    email: str = Field(max_length=EMAIL_MAX, examples=["shopper@shop.test"], json_schema_extra=NO_NUL_SCHEMA)


class LinkSent(ApiModel):
    """The same for every address."""

    note: str


class NewPassword(ApiModel):
    """A new password, and the token of the link as proof."""

    token: SecretStr = Field(max_length=TOKEN_MAX, json_schema_extra=NO_NUL_SCHEMA)
    password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)


def create_reset_api(use: Callable[[], PasswordResets]) -> ApiBlueprint:
    """Build the calls.

    Args:
        use: returns the password resets of the request being served.
    """
    api = ApiBlueprint("resets_api", __name__, url_prefix="/api/v1/password-resets", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)

    @api.post(
        "", operation_id="request_password_reset", responses={202: LinkSent, 422: ProblemDetails, 503: ProblemDetails}
    )
    def request_reset(body: ForgottenPassword) -> Any:
        """Have a link to set a new password sent by mail. The answer does not tell whether there is an account."""
        use().request(body.email)
        return LinkSent(note=SENT).model_dump(), HTTPStatus.ACCEPTED

    @api.post(
        "/confirm",
        operation_id="confirm_password_reset",
        responses={204: None, 404: ProblemDetails, 422: ProblemDetails, 429: ProblemDetails, 503: ProblemDetails},
    )
    @ignores_idempotency_key
    def set_password(body: NewPassword) -> Any:
        """Set a new password with the token of the link. All sessions and tokens of the account end."""
        use().reset(body.token.get_secret_value(), body.password.get_secret_value())
        return "", HTTPStatus.NO_CONTENT

    return api


def create_reset_pages(use: Callable[[], PasswordResets], accounts: Callable[[], AccountService]) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the password resets of the request being served.
        accounts: returns its accounts.
    """
    pages = Blueprint("resets", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/forgotten")
    def forgotten() -> Page:
        return _page("forgotten")

    @pages.post("/forgotten")
    def request_reset() -> Page:
        try:
            use().request(request.form.get("email", ""))
        except InvalidFields as error:
            return _page("forgotten", error.errors, STATUS[InvalidFields])
        flash(SENT, "info")
        return redirect("/forgotten", 303)

    @pages.get("/reset")
    def follow_link() -> Page:
        if "token" in request.args:
            session[CARRIED] = request.args["token"][:TOKEN_MAX]
            return redirect("/reset", 303)
        try:
            return _page("reset", email=use().check(session.get(CARRIED, "")))
        except NotFound as error:
            return _page("forgotten", {"form": error.detail}, STATUS[NotFound])

    @pages.post("/reset")
    @ignores_idempotency_key
    def set_password() -> Page:
        token = session.get(CARRIED, "")
        try:
            use().reset(token, request.form.get("password", ""))
        except InvalidFields as error:
            return _page("reset", error.errors, STATUS[InvalidFields], email=use().check(token))
        except NotFound as error:
            return _page("forgotten", {"form": error.detail}, STATUS[NotFound])
        session.pop(CARRIED, None)
        sessions.leave(accounts())
        flash("Your new password is set, and every browser is signed out. Sign in with it.", "success")
        return redirect("/login", 303)

    return pages


def _page(name: str, errors: Mapping[str, str] | None = None, status: int = 200, **names: str) -> Page:
    shown: dict[str, Any] = {"errors": errors or {}, "form": request.form, **LIMITS, **names}
    return render_template(f"accounts/{name}.html", **shown), status
