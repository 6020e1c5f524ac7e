"""Webhook events of the payments provider, parsed from a body whose signature was verified first."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from shop.errors import BadRequest
from shop.money import Money
from shop.storable_text import is_storable


class WebhookEventType(StrEnum):
    """The types of events that the store handles."""

    CHARGED = "charge.succeeded"
    DECLINED = "charge.declined"
    REFUNDED = "charge.refunded"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event.

    Args:
        type: the type of the event.
        charge_key: the idempotency key of the charge, which leads to its payment.
        provider_id: the charge's id at the provider.
        amount: the amount of the charge.
        refunded: the amount that is refunded by now.
    """

    type: WebhookEventType
    charge_key: str
    provider_id: str
    amount: Money
    refunded: Money


class WebhookHandler(Protocol):
    """Handles webhook events."""

    def handle(self, event: WebhookEvent) -> None:
        """Record an event, if it is not recorded yet. Events may arrive in any order and any number of times.

        An event of an unknown charge is counted. An event that contradicts the store's record is reported.

        Raises:
            StateConflict: the event cannot be recorded yet; the provider must send it again later.
        """


def _require_storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it has a character that no text has")
    return text


class _WebhookCharge(BaseModel):
    id: Annotated[str, AfterValidator(_require_storable)] = Field(min_length=1)
    key: str = Field(min_length=1)
    amount: int = Field(gt=0)
    currency: str
    refunded: int = Field(default=0, ge=0)


class _WebhookEnvelope(BaseModel):
    type: str


class _WebhookMessage(_WebhookEnvelope):
    data: _WebhookCharge


def parse_event(body: bytes) -> WebhookEvent | None:
    """Parse an event; return ``None`` for a type that the store does not handle.

    Raises:
        BadRequest: the body is signed, but it is not a valid event.
    """
    try:
        if _WebhookEnvelope.model_validate_json(body).type not in list(WebhookEventType):
            return None  # a provider may add new types at any time
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
