"""API of the faults: lists them and sets them. Registered in the lab profile only."""

from datetime import UTC, datetime
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field

from shop.faults import FAULT_S, FAULTS, LONGEST_FAULT_S, NONE, FaultChannel, FaultReport, resolve_name
from shop.lab_console.services import LabConsoleServices
from shop.patterns.observability import correlation
from shop.web.openapi import ApiBlueprint
from shop.web.private_response import NO_STORE_HEADERS
from shop.web.schemas import ApiModel, ProblemDetails, WholeNumber


class FaultPath(ApiModel):
    """The dependency in the path."""

    name: str = Field(description="The dependency.")


class FaultOrder(ApiModel):
    """The new value of a fault."""

    value: str = Field(description="One of its values; `none` ends it. `failing:50` lets half of the calls fail.")
    for_s: WholeNumber = Field(
        default=FAULT_S, ge=1, le=LONGEST_FAULT_S, description="Seconds after which the fault ends by itself."
    )


class FaultAnswer(ApiModel):
    """One dependency and its fault in force."""

    name: str
    value: str
    values: list[str] = Field(description="All possible faults; `none` first.")
    offered: bool = Field(description="Whether it is a server of this stack. Other servers are never broken.")
    does: str
    ends_at: datetime | None = Field(description="When the fault ends by itself; null if there is none.")


class FaultList(ApiModel):
    """All faults."""

    items: list[FaultAnswer]


def create_api(services: LabConsoleServices) -> ApiBlueprint:
    """Build the routes."""
    api = ApiBlueprint("faults_api", __name__, url_prefix="/api/v1/faults", abp_tags=[Tag(name="lab")])

    @api.get("", responses={200: FaultList})
    def list_faults() -> Any:
        """List the faults of every dependency, and which are in force."""
        return {"items": describe_all(services.fault_channel)}, NO_STORE_HEADERS

    @api.put(
        "/<name>",
        operation_id="set_fault",
        responses={200: FaultAnswer, 409: ProblemDetails, 422: ProblemDetails, 503: ProblemDetails},
    )
    def put_fault(path: FaultPath, body: FaultOrder) -> Any:
        """Set or end a fault; in force when this answers, but a server that was down still has to start."""
        name = resolve_name(path.name)
        report = services.fault_channel.request(name, body.value, correlation.request_id.get(), body.for_s)
        return describe(name, report), NO_STORE_HEADERS

    return api


def describe_all(fault_channel: FaultChannel) -> list[dict[str, Any]]:
    """Return every fault as the API shows it."""
    report = fault_channel.report()
    return [describe(name, report) for name in FAULTS]


def describe(name: str, report: FaultReport) -> dict[str, Any]:
    """Return one fault as the API shows it."""
    fault = FAULTS[name]
    return FaultAnswer(
        name=name,
        value=report.active.get(name, NONE),
        values=list(fault.values),
        offered=name in report.offered,
        does=fault.description,
        ends_at=datetime.fromtimestamp(ends_at, UTC) if (ends_at := report.ends_at.get(name)) is not None else None,
    ).model_dump(mode="json")
