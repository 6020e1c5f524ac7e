import pytest

from shop.checkout.agreement import PurchaseAgreement, lines_fingerprint
from shop.checkout.details import CheckoutDetails
from shop.errors import CartChanged
from shop.money import Money
from shop.orders.events import OrderedLine

MUG, BOWL = OrderedLine(1, "Mug", 2, Money(500)), OrderedLine(2, "Bowl", 1, Money(1000))
BODY = {
    "email": "robin@example.org",
    "address": {"name": "R", "line1": "Lane 1", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}
FINGERPRINT = "711c98a32ccc1b24b84e24b45a6485da39d4c2d07a0e5825c6d76f2b86516b1c"
"""Of that body, as it is kept with orders that were placed before a body could name a total."""


def test_the_order_of_lines_does_not_count():
    assert lines_fingerprint([MUG, BOWL]) == lines_fingerprint([BOWL, MUG])


@pytest.mark.parametrize(
    "other",
    [
        [OrderedLine(3, "Mug", 2, Money(500)), BOWL],
        [OrderedLine(1, "Mug", 1, Money(1000)), BOWL],
        [OrderedLine(1, "Mug", 2, Money(501)), BOWL],
        [MUG],
        [],
    ],
)
def test_other_products_quantities_or_prices_were_not_agreed_to(other):
    agreement = PurchaseAgreement(lines=lines_fingerprint([MUG, BOWL]))
    with pytest.raises(CartChanged):
        agreement.check(Money(2000), other)


def test_matching_agreement_is_accepted():
    PurchaseAgreement(Money(2000), lines_fingerprint([MUG, BOWL])).check(Money(2000), [BOWL, MUG])
    PurchaseAgreement().check(Money(5), [MUG])


def test_another_total_was_not_agreed_to():
    with pytest.raises(CartChanged, match=r"€20\.00"):
        PurchaseAgreement(Money(1999)).check(Money(2000), [MUG, BOWL])


def test_bodies_without_a_total_keep_the_fingerprint_they_had():
    assert CheckoutDetails.model_validate(BODY).fingerprint() == FINGERPRINT
