"""API of the switches. Registered in the lab profile only: production has no such routes."""

from typing import Any

from flask_openapi3 import Tag
from pydantic import Field

from shop.lab_console.services import LabConsoleServices
from shop.switches.registry import PatternSwitch
from shop.web.openapi import ApiBlueprint
from shop.web.private_response import NO_STORE_HEADERS
from shop.web.schemas import ApiModel, ProblemDetails


class SwitchPath(ApiModel):
    """The switch in the path."""

    name: str = Field(description="Its dotted name.")


class SwitchChange(ApiModel):
    """The new value of a switch."""

    value: str = Field(description="One of its values; `attempt` for the reader's code in a begun exercise.")


class SwitchAnswer(ApiModel):
    """One switch and its value."""

    name: str
    value: str = Field(description="One of its values; with its version for a reader's code: `attempt:1a2b3c4d`.")
    default: str
    values: list[str] = Field(description="All values; the default first.")
    unsafe: list[str] = Field(description="Values that exist only for measurements.")
    teaches: str


class SwitchList(ApiModel):
    """All switches."""

    items: list[SwitchAnswer]
    applied: bool = Field(description="Whether every web process applies the stored values of switches and parameters.")


def create_api(services: LabConsoleServices) -> ApiBlueprint:
    """Build the routes."""
    api = ApiBlueprint("switches_api", __name__, url_prefix="/api/v1/switches", abp_tags=[Tag(name="lab")])

    @api.get("", responses={200: SwitchList})
    def list_switches() -> Any:
        """List every switch and its value."""
        return {"items": describe_all(services), "applied": services.switches_applied()}, NO_STORE_HEADERS

    @api.put("/<name>", operation_id="set_switch", responses={200: SwitchAnswer, 422: ProblemDetails})
    def put_switch(path: SwitchPath, body: SwitchChange) -> Any:
        """Set one switch; every process applies it within a second."""
        services.set_switch(path.name, body.value)
        switch = services.switch_store.switches()[path.name]
        attempts = dict(services.poller.current().attempts)
        return describe(switch, attempts.get(path.name, body.value)), NO_STORE_HEADERS

    return api


def describe_all(services: LabConsoleServices) -> list[dict[str, Any]]:
    """Return every switch as the API shows it."""
    values = services.poller.current().to_dict()
    switches = services.switch_store.switches()
    return [describe(switch, values.get(name, switch.default)) for name, switch in switches.items()]


def describe(switch: PatternSwitch, value: str) -> dict[str, Any]:
    """Return one switch as the API shows it."""
    return SwitchAnswer(
        name=switch.name,
        value=value,
        default=switch.default,
        values=list(switch.values),
        unsafe=sorted(switch.unsafe),
        teaches=switch.description,
    ).model_dump()
