"""Every arm is offered the same visits at the same rate, then as many as it takes."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from shop.lab.arms import ExperimentArm, StrictModel
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure


class LoadOnlyParams(StrictModel):
    """Nothing: its lengths are the phases'."""


class LoadOnlyDriver:
    """Stands for the runner itself, which measures these arms."""

    params_model = LoadOnlyParams
    measures: Mapping[str, DriverMeasure] = {}
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False

    def expected_seconds(self, params: Any) -> float:
        """Return nothing: the phases say."""
        return 0.0

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Change nothing: the phases change."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: Any) -> NoReturn:
        """Refuse: the runner does it."""
        raise NotImplementedError
