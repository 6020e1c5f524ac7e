"""Signing in, for tests of what only signed-in people may do."""

from functools import cache

from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shop.accounts.models import User
from shop.accounts.passwords import hash_password
from tests.factories import make_user

PASSWORD = "correct horse battery"


def make_account(session: Session, email: str, **fields: object) -> User:
    """Add an account that can log in with :data:`PASSWORD`."""
    return make_user(session, email, password_hash=_hashed(), **fields)


@cache
def _hashed() -> str:
    """Hash once a test process: it is slow on purpose."""
    return hash_password(PASSWORD)


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD) -> TestResponse:
    """Start a cookie session through the API."""
    return client.post("/api/v1/session", json={"email": email, "password": password})
