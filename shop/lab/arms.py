"""One side of a comparison: what stands how, what is broken when, and what is visited."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from shop.faults import NONE
from shop.lab.load import ShopperVisit


class StrictModel(BaseModel):
    """A part of an experiment's file: a key nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def with_changes(self, **changes: Any) -> Self:
        """Return it changed; raise ``ValidationError`` where that makes no sense."""
        return self.model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


class ScheduledAction(StrictModel):
    """Something done to the store while it is under load."""

    at_s: float = Field(ge=0)
    """Seconds after the load began."""
    fault: str
    value: str = NONE


class ExperimentArm(StrictModel):
    """One side of the comparison."""

    name: str = Field(pattern=r"^[a-z][\w-]*$")
    title: str
    switches: dict[str, str] = Field(min_length=1)
    faults: dict[str, str] = Field(default_factory=dict)
    """In force from the first warm-up to the end of the arm."""
    parameters: dict[str, float] = Field(default_factory=dict)
    """Instead of the experiment's."""
    actions: tuple[ScheduledAction, ...] = ()
    """Done in the phase at the common rate."""
    visits: tuple[ShopperVisit, ...] = ()
    """Instead of the workload's, where the switch changes what a client asks for."""
    exponent: float | None = Field(default=None, ge=0, le=3)
    """Of Zipf's law, instead of the workload's: how steep demand is."""
    browsers: int = Field(default=0, ge=0, le=10_000)
    """How many shoppers keep what they were sent and ask whether it still holds; 0: nobody keeps anything."""
    warm_up_s: float | None = Field(default=None, gt=0)
    """Instead of the phases', where an arm's cache keeps nothing for good at first."""
    driver_params: dict[str, Any] = Field(default_factory=dict)
    """What the driver is told of this arm alone."""


class FigureChart(StrictModel):
    """A picture of one figure, all arms side by side."""

    figure: str
    title: str
    says: str = ""
    unit: str = ""
