"""Pages and JSON routes to reset a forgotten password.

The link in the mail carries its token in the query string. The page moves the token into the browser's session cookie
at once and redirects to the same path without it. So the token is not in the browser's history and not in a Referer
header; the logs hold no query strings.
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
from shop.demo_accounts import SHOPPER
from shop.errors import InvalidFields, NotFound
from shop.web.idempotency import ignores_idempotency_key
from shop.web.openapi import ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.problems import STATUS
from shop.web.schemas import ApiModel, ProblemDetails

SENT = (
    "If there is an account with this address, a mail with a link is on its way. The link works once,"
    " for 30 minutes. After three mails in that time no further mail is sent."
)
SESSION_KEY = "reset"
"""Key of the browser's session that holds the token of the link."""
TOKEN_MAX = 200
"""Characters; every real token is shorter. A longer value is cut, and is then unknown."""
LIMITS = {"password_min": PASSWORD_MIN, "password_max": PASSWORD_MAX}

Page = tuple[str, int] | AnyResponse


class ForgottenPassword(ApiModel):
    """The address to which the link is sent."""

    email: str = Field(max_length=EMAIL_MAX, examples=[SHOPPER.email], json_schema_extra=NO_NUL_SCHEMA)


class LinkSent(ApiModel):
    """The response; it is the same for every address."""

    note: str


class NewPassword(ApiModel):
    """A new password, and the link's token as proof."""

    token: SecretStr = Field(max_length=TOKEN_MAX, json_schema_extra=NO_NUL_SCHEMA)
    password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)


def create_reset_api(get_resets: Callable[[], PasswordResets]) -> ApiBlueprint:
    """Build the JSON routes.

    Args:
        get_resets: returns the password resets for the current request.
    """
    api = ApiBlueprint("resets_api", __name__, url_prefix="/api/v1/password-resets", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)

    @api.post(
        "", operation_id="request_password_reset", responses={202: LinkSent, 422: ProblemDetails, 503: ProblemDetails}
    )
    def request_reset(body: ForgottenPassword) -> Any:
        """Send a mail with a link to set a new password. The response does not tell whether the account exists."""
        get_resets().request(body.email)
        return LinkSent(note=SENT).model_dump(), HTTPStatus.ACCEPTED

    @api.post(
        "/confirm",
        operation_id="confirm_password_reset",
        responses={204: None, 404: ProblemDetails, 422: ProblemDetails, 429: ProblemDetails, 503: ProblemDetails},
    )
    @ignores_idempotency_key
    def set_password(body: NewPassword) -> Any:
        """Set a new password with the token of the link. All sessions and tokens of the account end."""
        get_resets().reset(body.token.get_secret_value(), body.password.get_secret_value())
        return "", HTTPStatus.NO_CONTENT

    return api


def create_reset_pages(
    get_resets: Callable[[], PasswordResets], get_accounts: Callable[[], AccountService]
) -> Blueprint:
    """Build the pages.

    Args:
        get_resets: returns the password resets for the current request.
        get_accounts: returns the account service for the current request.
    """
    pages = Blueprint("resets", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/forgotten")
    def forgotten() -> Page:
        return _page("forgotten")

    @pages.post("/forgotten")
    def request_reset() -> Page:
        try:
            get_resets().request(request.form.get("email", ""))
        except InvalidFields as error:
            return _page("forgotten", error.errors, STATUS[InvalidFields])
        flash(SENT, "info")
        return redirect("/forgotten", 303)

    @pages.get("/reset")
    def follow_link() -> Page:
        if "token" in request.args:
            session[SESSION_KEY] = request.args["token"][:TOKEN_MAX]
            return redirect("/reset", 303)
        try:
            return _page("reset", email=get_resets().check(session.get(SESSION_KEY, "")))
        except NotFound as error:
            return _page("forgotten", {"form": error.detail}, STATUS[NotFound])

    @pages.post("/reset")
    @ignores_idempotency_key
    def set_password() -> Page:
        token = session.get(SESSION_KEY, "")
        try:
            get_resets().reset(token, request.form.get("password", ""))
        except InvalidFields as error:
            return _page("reset", error.errors, STATUS[InvalidFields], email=get_resets().check(token))
        except NotFound as error:
            return _page("forgotten", {"form": error.detail}, STATUS[NotFound])
        session.pop(SESSION_KEY, None)
        sessions.end_browser_session(get_accounts())
        flash("Your new password is set, and every browser is signed out. Sign in with it.", "success")
        return redirect("/login", 303)

    return pages


def _page(name: str, errors: Mapping[str, str] | None = None, status: int = 200, **names: str) -> Page:
    context: dict[str, Any] = {"errors": errors or {}, "form": request.form, **LIMITS, **names}
    return render_template(f"accounts/{name}.html", **context), status
