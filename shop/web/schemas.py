"""Shapes the API shares between features."""

from pydantic import BaseModel, ConfigDict, Field

from shop.money import CURRENCY


class ApiModel(BaseModel):
    """A request or response body; unknown fields in a request are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class MoneySchema(ApiModel):
    """An amount in minor units."""

    amount: int = Field(description="Minor units (cents).", examples=[1299])
    currency: str = Field(default=CURRENCY, description="ISO 4217.", examples=[CURRENCY])


class Problem(ApiModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: dict[str, str] | None = Field(default=None, description="Field name to what is wrong with it.")
