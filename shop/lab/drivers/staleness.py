"""An admin edits a price again and again; readers watch how long the old one is still shown, layer by layer.

Each edit gives the product a price it never had, so a reader knows from the price alone which edit it saw. A read is
stale when an edit had been acknowledged before the read began and is not in the answer; it is stale by the time since
the price it shows stopped being the right one. The layers further out are switched off one after the other, since the
outermost answers for all. A shopper meanwhile buys: what she pays must be a price that was right while she did.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.drivers.price_watch import LAYERS, PriceEditor, PriceHistory, PricePurchase, PriceRead, PriceWatch
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import TTL_SCALE


class StalenessParams(StrictModel):
    """What is told of edits and readers."""

    seconds: float = Field(default=5.0, gt=0)
    """For each layer."""
    edit_every_s: float = Field(default=1.0, gt=0)
    readers: int = Field(default=6, ge=1, le=32)
    read_every_s: float = Field(default=0.02, gt=0)


class StalenessDriver:
    """Watches one layer after the other answer."""

    params_model = StalenessParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = (TTL_SCALE,)
    edits_price = True
    measures: Mapping[str, DriverMeasure] = {
        **{f"{layer}_stale_p50_s": DriverMeasure(f"Seconds stale, median, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_p99_s": DriverMeasure(f"Seconds stale, 99th percentile, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_max_s": DriverMeasure(f"Seconds stale, most, {layer}", "s") for layer in LAYERS},
        **{f"{layer}_stale_reads": DriverMeasure(f"Stale reads, {layer}", "%") for layer in LAYERS},
        "stale_reads": DriverMeasure("Stale reads", "%"),
        "stale_max_s": DriverMeasure("Seconds stale, most", "s"),
        "orders": DriverMeasure("Orders placed meanwhile"),
        "wrong_price_orders": DriverMeasure("Of them at a wrong price"),
    }

    def expected_seconds(self, params: StalenessParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes."""
        return len(LAYERS) * (params.seconds + 1.5)

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length for each layer."""
        return {"seconds": seconds / len(LAYERS)}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: StalenessParams) -> DriverResult:
        """Watch with all layers on, then with the outermost off, then with the next one off too."""
        editor = PriceEditor(context.store)
        known = context.store.switches()
        reads: dict[str, list[PriceRead]] = {}
        parts: list[LoadSamples] = []
        bought: list[PricePurchase] = []
        for number, layer in enumerate(LAYERS):
            off = [f"cache.{outer}" for outer in LAYERS[:number]]
            if f"cache.{layer}" not in known or arm.switches.get(f"cache.{layer}") == "off":
                continue
            context.flip(f"{arm.title}: {layer}", arm, {name: "off" for name in off if name in known})
            watch = PriceWatch(context.store, editor, params.readers, params.read_every_s, params.edit_every_s)
            watch.run(params.seconds, context.wait)
            reads[layer] = watch.reads
            parts.append(watch.samples(params.seconds))
            bought += watch.purchases
        return DriverResult(
            merge_samples(parts), {**dict.fromkeys(self.measures), **compute_measures(reads, editor.edits, bought)}
        )


def compute_measures(
    reads: Mapping[str, Sequence[PriceRead]], edits: PriceHistory, bought: Sequence[PricePurchase]
) -> dict[str, float | None]:
    """Return the measures.

    Args:
        reads: layer to what was read while it was the outermost.
        edits: what was edited when.
        bought: the orders placed meanwhile.
    """
    found: dict[str, float | None] = {}
    for layer, seen in reads.items():
        late = [edits.staleness_s(read) for read in seen if read.answered_by == layer]
        if late:
            found[f"{layer}_stale_p50_s"] = percentile(late, 50)
            found[f"{layer}_stale_p99_s"] = percentile(late, 99)
            found[f"{layer}_stale_max_s"] = max(late)
            found[f"{layer}_stale_reads"] = sum(seconds > 0 for seconds in late) / len(late)
    every = [edits.staleness_s(read) for seen in reads.values() for read in seen]
    return {
        **found,
        "stale_reads": sum(seconds > 0 for seconds in every) / len(every) if every else None,
        "stale_max_s": max(every, default=None),
        "orders": float(len(bought)),
        "wrong_price_orders": float(sum(not edits.was_valid_during(order) for order in bought)),
    }
