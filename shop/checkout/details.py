"""What a shopper fills in to check out, and what is wrong with it."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from shop.checkout.agreement import PurchaseAgreement
from shop.errors import Invalid
from shop.money import Money
from shop.orders.countries import COUNTRIES
from shop.web.schemas import ApiModel, MoneySchema


def _deliverable(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("we do not deliver there")
    return code


Country = Annotated[str, Field(json_schema_extra={"enum": list(COUNTRIES)}), AfterValidator(_deliverable)]

_TEXT = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
"""Something, in one line, that PostgreSQL can store."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=_TEXT)]

MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "email": "Enter an email address, such as name@example.org.",
        "address.name": "Enter the name on the letter box.",
        "address.line1": "Enter street and number.",
        "address.city": "Enter the town or city.",
        "address.postcode": "Enter the postcode: letters, digits, spaces and hyphens.",
        "address.country": "Choose one of the countries we deliver to.",
        "payment.token": "Choose how to pay.",
    }
)


class Address(ApiModel):
    """Where the parcel goes."""

    name: Text
    line1: Text
    city: Text
    postcode: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,9}$", description="Loosely checked: countries differ.", examples=["10115"]
    )
    country: Country = Field(description="ISO 3166-1 alpha-2.")


class PaymentToken(ApiModel):
    """Stands for a card; the card's number never comes here."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{1,255}$", examples=["tok_ok"])


class CheckoutDetails(ApiModel):
    """Everything a checkout needs besides the cart."""

    email: str = Field(
        pattern=r"^[^@\s\x00]+@[^@\s\x00]+\.[^@\s\x00]+$", max_length=254, examples=["shopper@example.org"]
    )
    address: Address
    payment: PaymentToken
    expected_total: MoneySchema | None = Field(
        default=None,
        description="What the cart is expected to come to. Where it comes to anything else, nothing is ordered: 409,"
        " with the cart.",
    )

    @property
    def agreement(self) -> PurchaseAgreement:
        """Return what was agreed to pay for, as far as the body says so."""
        expected = self.expected_total
        return PurchaseAgreement(total=Money(expected.amount, expected.currency) if expected else None)

    def fingerprint(self) -> str:
        """Return a hash that is the same for the same answers, in whatever order and spacing they were sent."""
        return hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()


def read_form(form: Mapping[str, str]) -> CheckoutDetails:
    """Read the checkout page's form.

    Raises:
        Invalid: with one message a wrong field, by the field's name in the form.
    """
    given = {name: form.get(name, "").strip() for name in ("email", "name", "line1", "city", "postcode", "country")}
    try:
        return CheckoutDetails.model_validate(
            {
                "email": given.pop("email"),
                "address": given,
                "payment": {"token": form.get("token", "")},
            }
        )
    except ValidationError as error:
        wrong = (".".join(map(str, fault["loc"])) for fault in error.errors())
        raise Invalid(
            "Some fields are not right.", errors={name.rpartition(".")[2]: MESSAGES[name] for name in wrong}
        ) from None
