"""The arms of an experiment: the switches, faults, parameters and visits of each side of the comparison."""

from typing import Any

from pydantic import Field

from shop.faults import NONE
from shop.lab.load import ShopperVisit
from shop.lab.strict_model import StrictModel


class PhaseLengths(StrictModel):
    """The length of each phase, in seconds, for each arm in each run."""

    runs: int = Field(default=3, ge=1, le=20)
    """One run has no spread, so its verdict confirms nothing."""
    settle_s: float = Field(default=1.2, ge=0)
    """The least wait after a flip. A flip waits in any case until every web process applies it."""
    edge_settle_s: float = Field(default=5.0, ge=0)
    """The further wait before the steady state is measured, if the edge caches in it. Once a second, the edge deletes
    the responses that were requested up to five seconds after a flip, since a worker may not have known of it yet."""
    warm_up_s: float = Field(default=3.0, gt=0)
    """Repeated until the hit rate is stable."""
    warm_up_limit_s: float = Field(default=24.0, gt=0)
    """If the hit rate is not stable after this time, the timing is invalid."""
    open_s: float = Field(default=10.0, gt=0)
    """Open loop: the same rate for every arm. Latency is measured here."""
    closed_s: float = Field(default=5.0, gt=0)
    """Closed loop at full speed, which measures the highest throughput of an arm."""


class ScheduledAction(StrictModel):
    """A fault that is set while the store is under load."""

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
    """Active from the first warm-up to the end of the arm."""
    parameters: dict[str, float] = Field(default_factory=dict)
    """Replace those of the experiment."""
    actions: tuple[ScheduledAction, ...] = ()
    """Run during the phase at the common rate."""
    visits: tuple[ShopperVisit, ...] = ()
    """Replace those of the workload, for a switch that changes the requests of a client."""
    exponent: float | None = Field(default=None, ge=0, le=3)
    """Exponent of Zipf's law, the steepness of demand; replaces that of the workload."""
    browsers: int = Field(default=0, ge=0, le=10_000)
    """Number of simulated browsers with a cache that revalidates; 0: no browser cache."""
    warm_up_s: float | None = Field(default=None, gt=0)
    """Replaces that of the phases, for a cache that needs longer to fill."""
    driver_params: dict[str, Any] = Field(default_factory=dict)
    """Replace those of the experiment."""


class FigureChart(StrictModel):
    """A chart of one figure, all arms side by side."""

    figure: str
    title: str
    says: str = ""
    unit: str = ""
