"""Schemas of the API that several features use."""

import functools
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shop.money import CURRENCY


def _to_whole_number(value: Any) -> Any:
    """Return a number of a JSON body as an integer: ``3.0`` is one, ``"3"`` and ``true`` are not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise ValueError("must be a whole number")
    return int(value)


WholeNumber = Annotated[int, BeforeValidator(_to_whole_number)]
"""An integer as JSON Schema defines it (draft 2020-12 Validation, 6.1.1): any number with a zero fraction."""


class ApiModel(BaseModel):
    """A request or response body; unknown fields in a request are refused and not ignored."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    @functools.cache
    def model_json_schema(  # type: ignore[override]  # passes all arguments on
        cls, *args: Any, **options: Any
    ) -> dict[str, Any]:
        """Return the model's schema, built once: flask-openapi3 reads it at every request with a query.

        flask-openapi3 drops ``examples``, the keyword of JSON Schema, and passes ``example`` on.
        """
        schema = super().model_json_schema(*args, **options)
        _repeat_examples(schema)
        return schema


def _repeat_examples(schema: Any) -> None:
    """Copy the first item of each ``examples`` to ``example``, in place and at any depth."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        _repeat_examples(part)
    if isinstance(schema, dict) and isinstance(examples := schema.get("examples"), list):
        schema["example"] = examples[0]


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
    errors: dict[str, str] | None = Field(default=None, description="Messages by field name.")
