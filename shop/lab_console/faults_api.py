"""Faults over HTTP: what can be broken, what is, and breaking it. Hung in the lab profile only."""

from typing import Any

from flask_openapi3 import Tag
from pydantic import Field

from shop.faults import FAULTS, NONE, FaultChannel, FaultReport
from shop.patterns.observability import correlation
from shop.web.openapi import ApiBlueprint
from shop.web.schemas import ApiModel, ProblemDetails

NO_STORE = {"Cache-Control": "no-store"}


class FaultPath(ApiModel):
    """Which dependency is meant."""

    name: str = Field(description="The dependency.")


class FaultOrder(ApiModel):
    """What is to be done to it."""

    value: str = Field(description="One of its values; `none` ends it.")


class FaultAnswer(ApiModel):
    """One dependency and what is being done to it."""

    name: str
    value: str
    values: list[str] = Field(description="What can be done to it; `none` first.")
    offered: bool = Field(description="Whether it is a server of this stack, which alone is ever broken.")
    does: str


class FaultList(ApiModel):
    """All of them."""

    items: list[FaultAnswer]


def create_api(desk: FaultChannel) -> ApiBlueprint:
    """Build the routes.

    Args:
        desk: where faults are ordered.
    """
    api = ApiBlueprint("faults_api", __name__, url_prefix="/api/v1/faults", abp_tags=[Tag(name="lab")])

    @api.get("", responses={200: FaultList})
    def list_faults() -> Any:
        """List what can be broken on purpose, and what is."""
        return {"items": describe_all(desk)}, NO_STORE

    @api.put(
        "/<name>",
        operation_id="set_fault",
        responses={200: FaultAnswer, 409: ProblemDetails, 422: ProblemDetails, 503: ProblemDetails},
    )
    def put_fault(path: FaultPath, body: FaultOrder) -> Any:
        """Break one dependency, or mend it; done when this answers, but what was down still has to start."""
        return describe(path.name, desk.request(path.name, body.value, correlation.request_id.get())), NO_STORE

    return api


def describe_all(desk: FaultChannel) -> list[dict[str, Any]]:
    """Return every fault as the API shows it."""
    report = desk.report()
    return [describe(name, report) for name in FAULTS]


def describe(name: str, report: FaultReport) -> dict[str, Any]:
    """Return one fault as the API shows it."""
    known = FAULTS[name]
    return FaultAnswer(
        name=name,
        value=report.active.get(name, NONE),
        values=list(known.values),
        offered=name in report.offered,
        does=known.description,
    ).model_dump()
