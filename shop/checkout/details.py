"""What a shopper fills in to check out, and what is wrong with it."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from shop.checkout.agreement import PurchaseAgreement
from shop.email_address import EMAIL_MAX, NO_ADDRESS, clean_email
from shop.errors import InvalidFields
from shop.money import Money
from shop.orders.countries import COUNTRIES
from shop.web.schemas import ApiModel, MoneySchema


def _deliverable(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("we do not deliver there")
    return code


def _writable(email: str) -> str:
    """Refuse what is no address, and leave what is one as typed: a fingerprint is taken of what was sent."""
    try:
        clean_email(email)
    except InvalidFields:
        raise ValueError(NO_ADDRESS) from None
    return email


Country = Annotated[str, Field(json_schema_extra={"enum": list(COUNTRIES)}), AfterValidator(_deliverable)]

_TEXT = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
"""Something, in one line, that PostgreSQL can store."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=_TEXT)]

MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "email": NO_ADDRESS,
        "address.name": "Enter the name on the letter box.",
        "address.line1": "Enter street and number.",
        "address.city": "Enter the town or city.",
        "address.postcode": "Enter the postcode: letters, digits, spaces and hyphens.",
        "address.country": "Choose one of the countries we deliver to.",
        "payment.token": "Choose how to pay.",
    }
)


class DeliveryAddress(ApiModel):
    """Where the parcel goes."""

    name: Text
    line1: Text
    city: Text
    postcode: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,9}$", description="Loosely checked: countries differ.", examples=["10115"]
    )
    country: Country = Field(description="ISO 3166-1 alpha-2.", examples=["DE"])


class PaymentToken(ApiModel):
    """Stands for a card; the card's number never comes here."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{1,255}$", examples=["tok_ok"])


class CheckoutDetails(ApiModel):
    """Everything a checkout needs besides the cart."""

    email: Annotated[str, AfterValidator(_writable)] = Field(
        max_length=EMAIL_MAX, examples=["shopper@example.org"], json_schema_extra={"format": "email"}
    )
    address: DeliveryAddress
    payment: PaymentToken
    expected_total: MoneySchema | None = Field(
        default=None,
        description="What the cart is expected to come to. Where it comes to anything else, nothing is ordered: 409,"
        " with the cart.",
    )

    @property
    def recipient(self) -> str:
        """Return the address mail about the order goes to, in the spelling in which accounts keep theirs."""
        return clean_email(self.email)

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
        InvalidFields: with one message a wrong field, by the field's name in the form.
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
        raise InvalidFields(
            "Some fields are not right.", errors={name.rpartition(".")[2]: MESSAGES[name] for name in wrong}
        ) from None
