"""Shapes the API shares between features."""

import functools
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shop.money import CURRENCY


def _whole(value: Any) -> Any:
    """Return a number of a JSON body as the integer it is: ``3.0`` is one, ``"3"`` and ``true`` are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise ValueError("must be a whole number")
    return int(value)


WholeNumber = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON Schema understands it (draft 2020-12 Validation, 6.1.1): any number with a zero fraction."""


class ApiModel(BaseModel):
    """A request or response body; unknown fields in a request are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    @functools.cache
    def model_json_schema(  # type: ignore[override]  # takes what the original takes, and passes it on
        cls, *args: Any, **options: Any
    ) -> dict[str, Any]:
        """Return the model's schema, drawn once: flask-openapi3 asks at every request with a query, and reads only.

        flask-openapi3 drops ``examples``, JSON Schema's own word, and passes ``example`` on.
        """
        schema = super().model_json_schema(*args, **options)
        _repeat_examples(schema)
        return schema


def _repeat_examples(schema: Any) -> None:
    """Repeat the first of each ``examples`` as ``example``, in place and at any depth."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        _repeat_examples(part)
    if isinstance(schema, dict) and isinstance(given := schema.get("examples"), list):
        schema["example"] = given[0]


class MoneySchema(ApiModel):
    """An amount in minor units."""

    amount: WholeNumber = Field(description="Minor units (cents).", examples=[1299])
    currency: str = Field(default=CURRENCY, description="ISO 4217.", examples=[CURRENCY])


class ProblemDetails(ApiModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: dict[str, str] | None = Field(default=None, description="Field name to what is wrong with it.")
