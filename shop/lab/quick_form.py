"""The quick form of an experiment: the arms that its headline needs, shorter phases, and still two runs in turn."""

from typing import Any

from pydantic import Field

from shop.lab.strict_model import StrictModel

STEADY_S, STEADY_RATE = 0.5, 20.0
"""The steady state in the quick form: as many visits as in the full form, in a shorter time."""
CALIBRATION_S = 1.0
SETTLE_S = 0.2
"""Least wait after a flip: the process that purges the edge reads the switches so often."""
WARM_UP_LIMIT_S = 6.0
"""A quick form that waits longer for a stable hit rate is no longer quick."""
NOISE_MS = 10.0
"""So few visits have a less certain median."""


class QuickForm(StrictModel):
    """What the quick form changes. Claims and ratios about an arm that it leaves out are left out too."""

    arms: tuple[str, ...] = Field(min_length=2)
    """Their names, the arm without the pattern first."""
    runs: int = Field(default=2, ge=2)
    """Fewer would repeat nothing, and claim nothing."""
    products: int | None = Field(default=None, ge=1)
    parameters: dict[str, float] = Field(default_factory=dict)
    """Replace those of the experiment."""
    warm_up_s: float = Field(default=0.8, gt=0)
    open_s: float = Field(default=1.4, gt=0)
    closed_s: float = Field(default=0.7, gt=0)
    driver_params: dict[str, Any] = Field(default_factory=dict)
    """Replace those of the experiment."""
    actions_share: float = Field(default=1.0, gt=0, le=1)
    """Scheduled faults come after this share of their time."""
