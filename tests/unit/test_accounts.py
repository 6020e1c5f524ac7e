import threading

import pytest
from argon2 import PasswordHasher

from shop.accounts.credentials import clean_email, clean_registration
from shop.accounts.password_policy import ADDRESS, BLANK, LENGTH, WELL_KNOWN, password_fault
from shop.accounts.passwords import Passwords
from shop.errors import Invalid, Unavailable
from shop.web.redirects import local_path

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
    "typed", ["", "ann", "ann@", "@shop.test", "a b@shop.test", "ann@shop.test\x00", "ünn@shop.test"]
)
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(Invalid) as refused:
        clean_email(typed)
    assert list(refused.value.errors) == ["email"]


def test_a_registration_reports_every_wrong_field_at_once():
    with pytest.raises(Invalid) as refused:
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
    assert password_fault(password, "ann.example@shop.test") == fault


@pytest.mark.parametrize(
    "password", ["let-me-shop", "correct horse battery", "ann.example!", "\u4f60" * 10, "a\n" * 10]
)
def test_any_other_password_may_be_chosen(password):
    assert password_fault(password, "ann.example@shop.test") is None


def test_a_password_matches_however_the_keyboard_composed_it():
    passwords = Passwords(CHEAP)
    assert passwords.matches("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


@pytest.mark.parametrize("stored", [None, "", "no hash at all"])
def test_nothing_matches_an_account_without_a_password(stored):
    assert not Passwords(CHEAP).matches("", stored)


def test_only_so_many_hashes_are_computed_at_once():
    inside, leave = threading.Event(), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password, *, salt=None):
            inside.set()
            leave.wait(10)
            return super().hash(password, salt=salt)

    passwords = Passwords(Slow(time_cost=1, memory_cost=64, parallelism=1), at_once=1, turn_timeout_s=0.01)
    busy = threading.Thread(target=passwords.hash, args=("one",))
    busy.start()
    assert inside.wait(10)
    with pytest.raises(Unavailable) as refused:
        passwords.hash("two")
    leave.set()
    busy.join()
    assert refused.value.retry_after
    assert passwords.hash("three")


@pytest.mark.parametrize(
    "path", ["/", "/cart", "/p/a-mug?colour=blue#reviews", "/search?q=a%20b", "/login?next=https://x"]
)
def test_a_path_of_this_site_is_followed(path):
    assert local_path(path, "/") == path


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
    assert local_path(elsewhere, "/safe") == "/safe"
