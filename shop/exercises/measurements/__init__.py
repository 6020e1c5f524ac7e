"""The measurements of predict exercises: a module an exercise.

Each works on products of its own, which are sold during the check only, and returns one number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from shop.exercises.definition import PredictTask
from shop.lab.store_client import StoreClient


@dataclass(frozen=True)
class StoreMeasurement:
    """How one number is measured.

    Args:
        measure: measures it once; called with the store and the seed of the requests. Raises ``CannotJudge`` if the
            store did not do what is measured.
        switches: the values of the switches at its beginning. The measurement may set each of them again.
        own_products: slugs of the products that it uses.
        did: what is done, as a sentence for the reader.
        look: where to look if the prediction was wrong.
        parameters: the values of the lab's parameters during the measurement.
        faults: the faults that the measurement sets.
        seconds: about how long all repetitions take, on a quiet machine.
    """

    measure: Callable[[StoreClient, int], float]
    switches: Mapping[str, str]
    own_products: tuple[str, ...]
    did: str
    look: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    seconds: int = 5


def load_measurement(task: PredictTask) -> StoreMeasurement:
    """Return the measurement of an exercise.

    Args:
        task: names it.
    """
    measurement: StoreMeasurement = import_module(f"{__name__}.{task.measurement}").MEASUREMENT
    return measurement
