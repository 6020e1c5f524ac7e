import uuid

import pytest

from shop.cart.service import CartOwner
from shop.checkout.details import MESSAGES, CheckoutDetails, read_form
from shop.checkout.phases import cart_owner, key_owner
from shop.checkout.recovery_points import RecoveryStep, next_step
from shop.errors import InvalidFields
from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import NotCharged, OutcomePending
from tests.support.email_addresses import INVALID_ADDRESSES

FORM = {
    "email": "robin@example.org",
    "name": "Robin Fields",
    "line1": "Lindenweg 4",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "token": "tok_ok",
}


@pytest.mark.parametrize(
    ("outcome", "first_attempt", "step"),
    [
        (ChargeSucceeded("ch_1"), True, RecoveryStep.PAY),
        (ChargeDeclined("card_declined"), False, RecoveryStep.REFUSE),
        (NotCharged(conclusive=True), False, RecoveryStep.UNDO),
        (NotCharged(conclusive=False), True, RecoveryStep.UNDO),
        # an earlier request may have charged: that this one did not get through proves nothing
        (NotCharged(conclusive=False), False, RecoveryStep.WAIT),
        (OutcomePending(), True, RecoveryStep.WAIT),
    ],
)
def test_only_certainty_undoes_a_checkout(outcome, first_attempt, step):
    assert next_step(outcome, first_attempt=first_attempt) is step


@pytest.mark.parametrize("owner", [CartOwner(user_id=7), CartOwner(guest_cart_id=uuid.uuid4())])
def test_an_order_leads_back_to_its_cart(owner):
    assert cart_owner(key_owner(owner)) == owner


def test_an_order_without_an_owner_leads_to_no_cart():
    assert key_owner(CartOwner()) is None
    assert cart_owner(None) == CartOwner()


def test_fingerprint_ignores_spacing_of_fields():
    spaced = {name: f"  {value} " if name != "token" else value for name, value in FORM.items()}
    assert read_form(spaced).fingerprint() == read_form(FORM).fingerprint()
    assert read_form({**FORM, "token": "tok_slow"}).fingerprint() != read_form(FORM).fingerprint()


def test_empty_form_has_an_error_per_field():
    with pytest.raises(InvalidFields) as refused:
        read_form({})
    assert set(refused.value.errors) == set(FORM)
    assert refused.value.errors["email"] == MESSAGES["email"]


@pytest.mark.parametrize("typed", INVALID_ADDRESSES)
def test_the_checkout_takes_the_addresses_that_an_account_takes(typed):
    with pytest.raises(InvalidFields) as refused:
        read_form({**FORM, "email": typed})
    assert refused.value.errors == {"email": MESSAGES["email"]}


def test_order_mail_uses_normalized_address():
    details = read_form({**FORM, "email": "Robin@B\u00fccher.example"})
    assert (details.email, details.recipient) == ("Robin@B\u00fccher.example", "robin@xn--bcher-kva.example")


@pytest.mark.parametrize("value", ["a\x00b", "two\nlines", "   ", "x" * 121])
def test_a_name_is_one_line_that_can_be_stored(value):
    with pytest.raises(InvalidFields):
        read_form({**FORM, "name": value})


def test_form_and_api_share_one_model():
    assert isinstance(read_form(FORM), CheckoutDetails)
