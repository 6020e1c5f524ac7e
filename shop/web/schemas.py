"""Shapes the API shares between features."""

import functools
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from shop.money import CURRENCY


class ApiModel(BaseModel):
    """A request or response body; unknown fields in a request are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    @functools.cache
    def model_json_schema(  # type: ignore[override]  # takes what the original takes, and passes it on
        cls, *args: Any, **options: Any
    ) -> dict[str, Any]:
        """Return the model's schema, drawn once: flask-openapi3 asks at every request with a query, and reads only."""
        return super().model_json_schema(*args, **options)


class MoneySchema(ApiModel):
    """An amount in minor units."""

    amount: StrictInt = Field(description="Minor units (cents).", examples=[1299])
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
