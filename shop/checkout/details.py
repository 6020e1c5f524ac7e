"""The details of a checkout: e-mail, address and payment, with their validation."""

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


def _validate_country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("we do not deliver there")
    return code


def _validate_email(email: str) -> str:
    """Refuse an invalid address. Return a valid one as it was typed: the fingerprint depends on it."""
    try:
        clean_email(email)
    except InvalidFields:
        raise ValueError(NO_ADDRESS) from None
    return email


Country = Annotated[str, Field(json_schema_extra={"enum": list(COUNTRIES)}), AfterValidator(_validate_country)]

_TEXT = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
"""One line of text, not empty, that PostgreSQL can store."""
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
    """The delivery address."""

    name: Text
    line1: Text
    city: Text
    postcode: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,9}$", description="Loosely checked: countries differ.", examples=["10115"]
    )
    country: Country = Field(description="ISO 3166-1 alpha-2.", examples=["DE"])


class PaymentToken(ApiModel):
    """The token of a card; the store never receives the card's number."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{1,255}$", examples=["tok_ok"])


class CheckoutDetails(ApiModel):
    """All fields of a checkout. The cart is stored on the server."""

    email: Annotated[str, AfterValidator(_validate_email)] = Field(
        max_length=EMAIL_MAX, examples=["shopper@example.org"], json_schema_extra={"format": "email"}
    )
    address: DeliveryAddress
    payment: PaymentToken
    expected_total: MoneySchema | None = Field(
        default=None,
        description="The total that the client expects. If the cart's total differs, nothing is ordered: 409,"
        " with the cart.",
    )

    @property
    def recipient(self) -> str:
        """Return the mail address of the order, in the same spelling as the addresses of accounts."""
        return clean_email(self.email)

    @property
    def agreement(self) -> PurchaseAgreement:
        """Return the agreement to the expected total, if the body has one."""
        expected = self.expected_total
        return PurchaseAgreement(total=Money(expected.amount, expected.currency) if expected else None)

    def fingerprint(self) -> str:
        """Return a hash of the parsed fields. Order and spacing of the fields in the request do not matter."""
        return hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()


def read_form(form: Mapping[str, str]) -> CheckoutDetails:
    """Read the checkout page's form.

    Raises:
        InvalidFields: with one message per wrong field, by the field's name in the form.
    """
    fields = {name: form.get(name, "").strip() for name in ("email", "name", "line1", "city", "postcode", "country")}
    try:
        return CheckoutDetails.model_validate(
            {
                "email": fields.pop("email"),
                "address": fields,
                "payment": {"token": form.get("token", "")},
            }
        )
    except ValidationError as error:
        paths = (".".join(map(str, details["loc"])) for details in error.errors())
        raise InvalidFields(
            "Some fields are not right.", errors={path.rpartition(".")[2]: MESSAGES[path] for path in paths}
        ) from None
