"""Every arm is offered the same visits at the same rate, then as many as it takes."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from shop.lab.arms import ExperimentArm, StrictModel
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure


class PlainParams(StrictModel):
    """Nothing: its lengths are the phases'."""


class PlainDriver:
    """Stands for the runner itself, which measures these arms."""

    given = PlainParams
    measures: Mapping[str, DriverMeasure] = {}
    faults: Sequence[str] = ()
    knobs: Sequence[str] = ()
    edits = False

    def seconds(self, given: Any) -> float:
        """Return nothing: the phases say."""
        return 0.0

    def lasting(self, driving: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Change nothing: the phases change."""
        return {}

    def observe(self, bench: DriverContext, arm: ExperimentArm, given: Any) -> NoReturn:
        """Refuse: the runner does it."""
        raise NotImplementedError
