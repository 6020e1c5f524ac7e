"""JSON routes of the accounts: sessions, registration, tokens."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import request
from flask_openapi3 import Tag
from pydantic import Field, SecretStr

from shop.accounts import sessions
from shop.accounts.credentials import EMAIL_MAX, NAME_MAX, NAME_PATTERN, NO_NUL_SCHEMA
from shop.accounts.password_policy import PASSWORD_MAX, PASSWORD_MIN
from shop.accounts.service import AccountIdentity, AccountService
from shop.demo_accounts import DEMO_PASSWORD, SHOPPER
from shop.web.idempotency import ignores_idempotency_key
from shop.web.identity import current_identity
from shop.web.openapi import AUTH_OPTIONAL, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.schemas import ApiModel, ProblemDetails


class LoginCredentials(ApiModel):
    """An email and its password."""

    email: str = Field(max_length=EMAIL_MAX, examples=[SHOPPER.email], json_schema_extra=NO_NUL_SCHEMA)
    password: SecretStr = Field(max_length=PASSWORD_MAX, examples=[DEMO_PASSWORD], json_schema_extra=NO_NUL_SCHEMA)


class AccountRegistration(ApiModel):
    """A new account."""

    email: str = Field(max_length=EMAIL_MAX, examples=["new@shop.test"], json_schema_extra={"format": "email"})
    password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)
    name: str = Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN, examples=["A. Customer"])


class UserSchema(ApiModel):
    """An account, as shown to its owner."""

    name: str
    email: str
    role: str = Field(description="`customer` or `admin`.")


class UserAnswer(ApiModel):
    """The created account."""

    user: UserSchema


class SessionAnswer(UserAnswer):
    """The account that is signed in now."""

    note: str | None = Field(description="The result of merging the guest's cart, if the guest had one.")


class TokenAnswer(ApiModel):
    """A bearer token. Only this response shows it."""

    token: str
    expires_at: datetime


class SessionEnd(ApiModel):
    """The scope of a log-out."""

    everywhere: bool = Field(default=False, description="End every session and token of the account.")


def create_api(get_accounts: Callable[[], AccountService], on_sign_in: sessions.OnSignIn) -> ApiBlueprint:
    """Build the routes.

    Args:
        get_accounts: returns the account service for the current request.
        on_sign_in: called with the account before the session starts; returns a note for the customer.
    """
    api = ApiBlueprint("accounts_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)

    @api.post("/session", responses={200: SessionAnswer, **_problems(401, 422, 429, 503)})
    @ignores_idempotency_key
    def start_session(body: LoginCredentials) -> Any:
        """Sign in with a cookie. The guest's cart is merged into the account's cart."""
        account = get_accounts().authenticate(body.email, body.password.get_secret_value())
        note = sessions.sign_in(get_accounts(), account, on_sign_in)
        return SessionAnswer(user=_user_schema(account), note=note).model_dump()

    @api.delete("/session", security=AUTH_OPTIONAL, responses={204: None, **_problems(401, 422, 503)})
    @ignores_idempotency_key
    def end_session(query: SessionEnd) -> Any:
        """Sign out: end the session of the cookie, or revoke the bearer token of the request."""
        if (identity := current_identity()) is not None and query.everywhere:
            get_accounts().end_sessions(identity.user_id)
        elif (token := sessions.bearer_token(request)) is not None:
            get_accounts().revoke_token(token)
        sessions.sign_out(get_accounts())
        return "", HTTPStatus.NO_CONTENT

    @api.post("/users", operation_id="register_user", responses={201: UserAnswer, **_problems(409, 422, 429, 503)})
    def register(body: AccountRegistration) -> Any:
        """Create an account. This does not sign in."""
        account = get_accounts().register(body.email, body.password.get_secret_value(), body.name)
        return UserAnswer(user=_user_schema(account)).model_dump(), HTTPStatus.CREATED

    @api.post("/tokens", responses={201: TokenAnswer, **_problems(401, 422, 429, 503)})
    @ignores_idempotency_key
    def issue_token(body: LoginCredentials) -> Any:
        """Get a bearer token for a program. Send it as `Authorization: Bearer`."""
        account = get_accounts().authenticate(body.email, body.password.get_secret_value())
        issued = get_accounts().issue_token(account.user_id, account.epoch)
        response = TokenAnswer(token=issued.token, expires_at=issued.expires_at)
        return response.model_dump(mode="json"), HTTPStatus.CREATED

    return api


def _user_schema(account: AccountIdentity) -> UserSchema:
    return UserSchema(name=account.name, email=account.email, role=account.role)


def _problems(*statuses: int) -> dict[str | int, Any]:
    return dict.fromkeys(statuses, ProblemDetails)
