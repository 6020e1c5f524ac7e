"""Accounts and signed-in clients for tests."""

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shop.accounts.models import User
from shop.accounts.passwords import PasswordHashing
from tests.support.factories import make_user

PASSWORD = "correct horse battery"
CHEAP = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
"""A hasher with the lowest cost: the default takes a fifth of a second for each log-in, half a minute in all tests."""
HASHED = CHEAP.hash(PASSWORD)


def make_account(session: Session, email: str, **fields: object) -> User:
    """Add an account that can log in with :data:`PASSWORD`."""
    return make_user(session, email, password_hash=HASHED, **fields)


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD) -> TestResponse:
    """Start a cookie session through the API."""
    return client.post("/api/v1/session", json={"email": email, "password": password})
