"""Accounts over HTTP: sessions, registration, tokens."""

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
from shop.web.idempotency import ignores_idempotency_key
from shop.web.identity import current_identity
from shop.web.openapi import AUTH_OPTIONAL, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.schemas import ApiModel, ProblemDetails


class LoginCredentials(ApiModel):
    """What proves who somebody is."""

    email: str = Field(max_length=EMAIL_MAX, examples=["shopper@shop.test"], json_schema_extra=NO_NUL_SCHEMA)
    password: SecretStr = Field(max_length=PASSWORD_MAX, examples=["let-me-shop"], json_schema_extra=NO_NUL_SCHEMA)


class AccountRegistration(ApiModel):
    """A new account."""

    email: str = Field(max_length=EMAIL_MAX, examples=["new@shop.test"], json_schema_extra={"format": "email"})
    password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra=NO_NUL_SCHEMA)
    name: str = Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN, examples=["A. Customer"])


class UserSchema(ApiModel):
    """An account, as its owner sees it."""

    name: str
    email: str
    role: str = Field(description="`customer` or `admin`.")


class UserAnswer(ApiModel):
    """The account that was opened."""

    user: UserSchema


class SessionAnswer(UserAnswer):
    """Who is signed in now."""

    note: str | None = Field(description="What became of the guest's cart, if there was one.")


class TokenAnswer(ApiModel):
    """A bearer token; it is shown this once."""

    token: str
    expires_at: datetime


class SessionEnd(ApiModel):
    """How far a log-out goes."""

    everywhere: bool = Field(default=False, description="End every session and token of the account.")


def create_api(use: Callable[[], AccountService], on_sign_in: sessions.OnSignIn) -> ApiBlueprint:
    """Build the routes.

    Args:
        use: returns the accounts of the request being served.
        on_sign_in: told who is about to be signed in; returns a note for her.
    """
    api = ApiBlueprint("accounts_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="accounts")])
    api.after_request(keep_private)

    @api.post("/session", responses={200: SessionAnswer, **_problems(401, 422, 429, 503)})
    @ignores_idempotency_key
    def start_session(body: LoginCredentials) -> Any:
        """Sign in with a cookie. A guest's cart moves into the account's."""
        account = use().authenticate(body.email, body.password.get_secret_value())
        note = sessions.sign_in(use(), account, on_sign_in)
        return SessionAnswer(user=_shown(account), note=note).model_dump()

    @api.delete("/session", security=AUTH_OPTIONAL, responses={204: None, **_problems(401, 422, 503)})
    @ignores_idempotency_key
    def end_session(query: SessionEnd) -> Any:
        """Sign out: end the cookie's session, or revoke the bearer token the request carries."""
        if (identity := current_identity()) is not None and query.everywhere:
            use().end_sessions(identity.user_id)
        elif (token := sessions.bearer(request)) is not None:
            use().revoke_token(token)
        sessions.sign_out(use())
        return "", HTTPStatus.NO_CONTENT

    @api.post("/users", operation_id="register_user", responses={201: UserAnswer, **_problems(409, 422, 429, 503)})
    def register(body: AccountRegistration) -> Any:
        """Open an account. It does not sign in."""
        account = use().register(body.email, body.password.get_secret_value(), body.name)
        return UserAnswer(user=_shown(account)).model_dump(), HTTPStatus.CREATED

    @api.post("/tokens", responses={201: TokenAnswer, **_problems(401, 422, 429, 503)})
    @ignores_idempotency_key
    def issue_token(body: LoginCredentials) -> Any:
        """Get a bearer token, for programs: send it as `Authorization: Bearer`."""
        account = use().authenticate(body.email, body.password.get_secret_value())
        issued = use().issue_token(account.user_id, account.epoch)
        answer = TokenAnswer(token=issued.token, expires_at=issued.expires_at)
        return answer.model_dump(mode="json"), HTTPStatus.CREATED

    return api


def _shown(account: AccountIdentity) -> UserSchema:
    return UserSchema(name=account.name, email=account.email, role=account.role)


def _problems(*statuses: int) -> dict[str | int, Any]:
    return dict.fromkeys(statuses, ProblemDetails)
