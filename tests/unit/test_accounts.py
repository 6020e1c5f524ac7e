import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from shop.accounts.credentials import clean_email, clean_registration
from shop.accounts.password_policy import ADDRESS, BLANK, LENGTH, WELL_KNOWN, password_error
from shop.accounts.passwords import PasswordHashing, max_waiting
from shop.errors import InvalidFields, TooManyRequests
from shop.web.redirects import safe_redirect_path
from tests.support.email_addresses import INVALID_ADDRESSES
from tests.support.polling import until

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ann@Shop.Test ", "ann@shop.test"),
        ("ann+news@example.com", "ann+news@example.com"),
        ("ann@bücher.example.com", "ann@xn--bcher-kva.example.com"),
    ],
)
def test_an_email_is_kept_in_one_spelling(typed, kept):
    assert clean_email(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", "ann", "ann@", "@shop.test", "a b@shop.test", "ann@shop.test\x00", *INVALID_ADDRESSES]
)
def test_invalid_email_address_is_refused(typed):
    with pytest.raises(InvalidFields) as refused:
        clean_email(typed)
    assert list(refused.value.errors) == ["email"]


def test_a_registration_reports_every_wrong_field_at_once():
    with pytest.raises(InvalidFields) as refused:
        clean_registration("nowhere", "short", "\x07")
    assert set(refused.value.errors) == {"email", "name", "password"}


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("a short 1", LENGTH),
        ("x" * 129, LENGTH),
        (" \u3000" * 6, BLANK),
        ("Ann.Example@Shop.test ", ADDRESS),
        ("ann.EXAMPLE", ADDRESS),
        ("password1234", WELL_KNOWN),
        ("PassWord1234", WELL_KNOWN),
        ("  password1234  ", WELL_KNOWN),
        ("\uff50assword1234", WELL_KNOWN),  # a full-width p: hashed as the plain one
        ("qwertyuiopasdfghjklzxcvbnm", WELL_KNOWN),
    ],
)
def test_a_password_tried_first_by_attackers_is_refused(password, fault):
    assert password_error(password, "ann.example@shop.test") == fault


@pytest.mark.parametrize(
    "password", ["let-me-shop", "correct horse battery", "ann.example!", "\u4f60" * 10, "a\n" * 10]
)
def test_any_other_password_may_be_chosen(password):
    assert password_error(password, "ann.example@shop.test") is None


def test_a_password_matches_however_the_keyboard_composed_it():
    passwords = PasswordHashing(CHEAP)
    assert passwords.matches("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


@pytest.mark.parametrize("stored", [None, "", "no hash at all"])
def test_nothing_matches_an_account_without_a_password(stored):
    assert not PasswordHashing(CHEAP).matches("", stored)


class HeldHasher(PasswordHasher):
    """Says when a hash is begun and finishes none before it is let go."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.begun, self.leave = threading.Semaphore(0), threading.Event()

    def hash(self, password, *, salt=None):
        self.begun.release()
        self.leave.wait(10)
        return super().hash(password, salt=salt)


def test_hashing_runs_two_queues_two_and_refuses_further_callers():
    hasher = HeldHasher()
    passwords = PasswordHashing(hasher, queue_timeout_s=60)
    with ThreadPoolExecutor(7) as callers:
        asked = [callers.submit(passwords.hash, "one") for _ in range(7)]
        refused = until(lambda: done if len(done := [one for one in asked if one.done()]) == 3 else None)
        assert [type(one.exception()) for one in refused] == [TooManyRequests] * 3
        assert all(one.exception().retry_after for one in refused)
        assert [hasher.begun.acquire(blocking=False) for _ in range(3)] == [True, True, False]
        hasher.leave.set()
        assert all(one.result(10) for one in asked if one not in refused)
    assert passwords.hash("two")


def test_waiting_caller_is_refused_after_timeout():
    hasher = HeldHasher()
    passwords = PasswordHashing(hasher, concurrent=1, waiting=1, queue_timeout_s=0.01)
    with ThreadPoolExecutor(1) as callers:
        served = callers.submit(passwords.hash, "one")
        assert hasher.begun.acquire(timeout=10)
        with pytest.raises(TooManyRequests):
            passwords.hash("two")
        hasher.leave.set()
        assert served.result(10)


@pytest.mark.parametrize(("threads", "waiting"), [(1, 0), (4, 0), (5, 0), (6, 1), (8, 2), (128, 2)])
def test_log_ins_hold_at_most_half_of_the_request_threads(threads, waiting):
    assert max_waiting(threads) == waiting


@pytest.mark.parametrize(
    "path", ["/", "/cart", "/p/a-mug?colour=blue#reviews", "/search?q=a%20b", "/login?next=https://x"]
)
def test_a_path_of_this_site_is_followed(path):
    assert safe_redirect_path(path, "/") == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "cart",
        "//x.example",
        "///x.example",
        "/\\x.example",
        "https://x.example",
        "javascript:alert(1)",
        "/a\nb",
        "/\t/x",
    ],
)
def test_an_address_elsewhere_is_not_followed(elsewhere):
    assert safe_redirect_path(elsewhere, "/safe") == "/safe"
