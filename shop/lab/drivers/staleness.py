"""Driver: an administrator edits a price repeatedly; readers measure how long each cache layer shows an old price.

Each edit sets a price that the product never had, so the price alone identifies the edit that a response shows. A read
is stale if an edit was acknowledged before the read began and the response does not show that edit. Its staleness is
the time since the price it shows was replaced. The outermost layer answers all requests, so the driver switches the
outer layers off one after the other. A shopper buys meanwhile and must pay a price that was valid during the purchase.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.drivers.price_watch import LAYERS, PriceEditor, PriceHistory, PricePurchase, PriceRead, PriceWatch
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import TTL_SCALE

FLIP_S = 0.6
"""About how long it takes to switch the outer layers off."""


class StalenessParams(StrictModel):
    """Parameters of the driver."""

    seconds: float = Field(default=5.0, gt=0)
    """Seconds for each layer."""
    layers: tuple[Literal["edge", "local", "shared"], ...] = Field(default=("edge", "local", "shared"), min_length=1)
    """The layers that are measured as the outermost one, outermost first."""
    edit_every_s: float = Field(default=1.0, gt=0)
    readers: int = Field(default=6, ge=1, le=32)
    read_every_s: float = Field(default=0.02, gt=0)


class StalenessDriver:
    """Measures the staleness of one layer after the other."""

    params_model = StalenessParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = (TTL_SCALE,)
    edits_price = True
    measures: Mapping[str, DriverMeasure] = {
        **{f"{layer}_stale_p50_s": DriverMeasure(f"Seconds stale, median, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_p99_s": DriverMeasure(f"Seconds stale, 99th percentile, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_max_s": DriverMeasure(f"Seconds stale, maximum, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_reads": DriverMeasure(f"Stale reads, {layer}", "%") for layer in LAYERS},
        "stale_reads": DriverMeasure("Stale reads", "%"),
        "stale_max_s": DriverMeasure("Seconds stale, maximum", "s"),
        "orders": DriverMeasure("Orders placed meanwhile"),
        "wrong_price_orders": DriverMeasure("Orders at a wrong price"),
    }

    def expected_seconds(self, params: StalenessParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return len(params.layers) * (params.seconds + FLIP_S)

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length for each layer."""
        return {"seconds": seconds / len(StalenessParams.model_validate(driver_params).layers)}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: StalenessParams) -> DriverResult:
        """Measure with all layers on, then with the outermost layer off, then with the next layer off too."""
        editor = PriceEditor(context.store)
        switches = context.store.switches()
        reads: dict[str, list[PriceRead]] = {}
        parts: list[LoadSamples] = []
        purchases: list[PricePurchase] = []
        for layer in params.layers:
            outer = [f"cache.{outer}" for outer in LAYERS[: LAYERS.index(layer)]]
            if f"cache.{layer}" not in switches or arm.switches.get(f"cache.{layer}") == "off":
                continue
            context.flip(f"{arm.title}: {layer}", arm, {name: "off" for name in outer if name in switches})
            watch = PriceWatch(context.store, editor, params.readers, params.read_every_s, params.edit_every_s)
            watch.run(params.seconds, context.wait)
            reads[layer] = watch.reads
            parts.append(watch.samples(params.seconds))
            purchases += watch.purchases
        measures = compute_measures(reads, editor.history, purchases)
        return DriverResult(merge_samples(parts), {**dict.fromkeys(self.measures), **measures})


def compute_measures(
    reads: Mapping[str, Sequence[PriceRead]], history: PriceHistory, purchases: Sequence[PricePurchase]
) -> dict[str, float | None]:
    """Return the measures.

    Args:
        reads: for each layer, the reads while it was the outermost.
        history: the prices of the product.
        purchases: the orders placed meanwhile.
    """
    measures: dict[str, float | None] = {}
    for layer, of_layer in reads.items():
        stale_s = [history.staleness_s(read) for read in of_layer if read.answered_by == layer]
        if stale_s:
            measures[f"{layer}_stale_p50_s"] = percentile(stale_s, 50)
            measures[f"{layer}_stale_p99_s"] = percentile(stale_s, 99)
            measures[f"{layer}_stale_max_s"] = max(stale_s)
            measures[f"{layer}_stale_reads"] = sum(seconds > 0 for seconds in stale_s) / len(stale_s)
    every = [history.staleness_s(read) for of_layer in reads.values() for read in of_layer]
    return {
        **measures,
        "stale_reads": sum(seconds > 0 for seconds in every) / len(every) if every else None,
        "stale_max_s": max(every, default=None),
        "orders": float(len(purchases)),
        "wrong_price_orders": float(sum(not history.was_valid_during(purchase) for purchase in purchases)),
    }
