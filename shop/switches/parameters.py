"""What an experiment may turn besides switches: a few numbers that make an effect fit into minutes.

Problem: a time-to-live of five minutes cannot be watched expiring in an experiment of two, and what a cache of 64 MB
evicts is not seen with a shop that fits into it.
Method: a knob scales or bounds something real, for all processes at once; it is shown where switches are and put back
like one. It exists in the lab profile only. Values are kept where the switches' are and read with them, so they are in
force within a second; the cache's memory is not kept but asked of the cache itself, which is the one that knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shop.errors import InvalidFields
from shop.switches.registry import did_you_mean

TTL_SCALE = "lab.ttl_scale"
CACHE_MEMORY = "lab.cache_memory_mb"


@dataclass(frozen=True, slots=True)
class LabParameter:
    """One number.

    Args:
        name: dotted, and never a switch's.
        default: how it stands until somebody turns it.
        low: the least it can stand at.
        high: the most.
        does: one line on what it changes.
    """

    name: str
    default: float
    low: float
    high: float
    description: str


LAB_PARAMETERS: Mapping[str, LabParameter] = MappingProxyType(
    {
        knob.name: knob
        for knob in (
            LabParameter(
                TTL_SCALE,
                1.0,
                0.001,
                1.0,
                "Times-to-live of all classes are multiplied by it: at 0.01, five minutes are three seconds.",
            ),
            LabParameter(CACHE_MEMORY, 64.0, 1.0, 4096.0, "What the stack's own cache holds before it evicts, in MB."),
        )
    }
)


def validate(name: str, value: float) -> None:
    """Refuse what cannot be.

    Raises:
        InvalidFields: no such knob, or a value outside its bounds.
    """
    if name not in LAB_PARAMETERS:
        raise InvalidFields(
            f"There is no knob {name!r}.{did_you_mean(name, LAB_PARAMETERS)}", errors={"name": "unknown knob"}
        )
    knob = LAB_PARAMETERS[name]
    if not knob.low <= value <= knob.high:
        raise InvalidFields(
            f"{name} is from {knob.low:g} to {knob.high:g}; not {value:g}.", errors={"value": "out of bounds"}
        )


def current_value(stored: Mapping[str, str], name: str) -> float:
    """Return how a knob stands, from what is stored; its default where nothing is, or nothing that fits."""
    try:
        value = float(stored.get(name, ""))
        validate(name, value)
    except (ValueError, InvalidFields):
        return LAB_PARAMETERS[name].default
    return value
