"""The switches over HTTP. Hung in the lab profile only: production has no such routes at all."""

from typing import Any

from flask_openapi3 import Tag
from pydantic import Field

from shop.switches.registry import SWITCHES, PatternSwitch, SwitchPoller
from shop.switches.store import SwitchStore
from shop.web.openapi import ApiBlueprint
from shop.web.schemas import ApiModel, ProblemDetails


class SwitchPath(ApiModel):
    """Which switch is meant."""

    name: str = Field(description="Its dotted name.")


class SwitchChange(ApiModel):
    """How it is to stand."""

    value: str = Field(description="One of its values.")


class SwitchAnswer(ApiModel):
    """One switch and how it stands."""

    name: str
    value: str
    default: str
    values: list[str] = Field(description="What it can stand at; the default first.")
    unsafe: list[str] = Field(description="Values that exist only to be measured.")
    teaches: str


class SwitchList(ApiModel):
    """All of them."""

    items: list[SwitchAnswer]


def create_api(store: SwitchStore, board: SwitchPoller) -> ApiBlueprint:
    """Build the routes.

    Args:
        store: where flips are kept for every process.
        board: this process's view, read again at once after a flip made here.
    """
    api = ApiBlueprint("switches_api", __name__, url_prefix="/api/v1/switches", abp_tags=[Tag(name="lab")])

    @api.get("", responses={200: SwitchList})
    def list_switches() -> Any:
        """List every switch and how it stands."""
        return {"items": describe_all(board)}, {"Cache-Control": "no-store"}

    @api.put("/<name>", operation_id="set_switch", responses={200: SwitchAnswer, 422: ProblemDetails})
    def flip(path: SwitchPath, body: SwitchChange) -> Any:
        """Flip one switch; every process follows within a second."""
        store.set(path.name, body.value)
        board.refresh()
        return describe(SWITCHES[path.name], body.value), {"Cache-Control": "no-store"}

    return api


def describe_all(board: SwitchPoller) -> list[dict[str, Any]]:
    """Return every switch as the API shows it."""
    stand = board.current().to_dict()
    return [describe(switch, stand[name]) for name, switch in SWITCHES.items()]


def describe(switch: PatternSwitch, value: str) -> dict[str, Any]:
    """Return one switch as the API shows it."""
    return SwitchAnswer(
        name=switch.name,
        value=value,
        default=switch.default,
        values=list(switch.values),
        unsafe=sorted(switch.unsafe),
        teaches=switch.teaches,
    ).model_dump()
