"""What the provider tells us by itself, read from a message that was verified first."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from shop.errors import BadRequest
from shop.money import Money
from shop.storable import is_storable


class WebhookEventType(StrEnum):
    """What a message says became of a charge."""

    CHARGED = "charge.succeeded"
    DECLINED = "charge.declined"
    REFUNDED = "charge.refunded"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One message.

    Args:
        happened: what it says.
        charge_key: our own key of the charge, which leads to its payment.
        provider_id: the charge's id at the provider.
        amount: of the charge.
        refunded: how much of it has been given back by now.
    """

    happened: WebhookEventType
    charge_key: str
    provider_id: str
    amount: Money
    refunded: Money


class WebhookHandler(Protocol):
    """Acts on what the provider tells."""

    def receive(self, notice: WebhookEvent) -> None:
        """Write down what a notice says, if that is not done yet. Safe for any order and any number of times.

        What is of no payment of ours is counted; what contradicts our record is noted for the auditor.

        Raises:
            StateConflict: it cannot be written down as things stand; sent again later, it may.
        """


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it has a character that no text has")
    return text


class _WebhookCharge(BaseModel):
    id: Annotated[str, AfterValidator(_storable)] = Field(min_length=1)
    key: str = Field(min_length=1)
    amount: int = Field(gt=0)
    currency: str
    refunded: int = Field(default=0, ge=0)


class _WebhookEnvelope(BaseModel):
    type: str


class _WebhookMessage(_WebhookEnvelope):
    data: _WebhookCharge


def read(body: bytes) -> WebhookEvent | None:
    """Return what a message says; ``None`` where it speaks of something we have no use for.

    Raises:
        BadRequest: it is signed and still nothing we can read.
    """
    try:
        if _WebhookEnvelope.model_validate_json(body).type not in list(WebhookEventType):
            return None  # a provider adds kinds of messages whenever it likes
        message = _WebhookMessage.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest("The message cannot be read.") from error
    charge = message.data
    return WebhookEvent(
        WebhookEventType(message.type),
        charge.key,
        charge.id,
        Money(charge.amount, charge.currency),
        Money(charge.refunded, charge.currency),
    )
