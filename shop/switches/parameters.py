"""The lab's parameters: a few numbers that make an effect visible within minutes.

Problem: an experiment of two minutes cannot wait for a time-to-live of five minutes, and a cache of 64 MB evicts
nothing from a shop that fits into it.
Method: a parameter scales or limits something real, for all processes at once. It exists in the lab profile only. Its
value is stored in the table of the switches and read with them, so a change applies within a second. The memory limit
of the cache is not stored: it is read from the cache itself. Neither is the number of web processes: the supervisor of
the stack changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shop.did_you_mean import did_you_mean
from shop.errors import InvalidFields

TTL_SCALE = "lab.ttl_scale"
CACHE_MEMORY = "lab.cache_memory_mb"
WEB_PROCESSES = "lab.web_processes"


@dataclass(frozen=True, slots=True)
class LabParameter:
    """One number that an experiment can set.

    Args:
        name: dotted; never the name of a switch.
        default: its value until it is set.
        low: its lowest value.
        high: its highest value.
        description: one line: what it changes.
    """

    name: str
    default: float
    low: float
    high: float
    description: str


LAB_PARAMETERS: Mapping[str, LabParameter] = MappingProxyType(
    {
        parameter.name: parameter
        for parameter in (
            LabParameter(
                TTL_SCALE, 1.0, 0.001, 1.0, "Multiplies every time-to-live: at 0.01, five minutes are three seconds."
            ),
            LabParameter(CACHE_MEMORY, 64.0, 1.0, 4096.0, "Memory of the stack's own cache before it evicts, in MB."),
            LabParameter(WEB_PROCESSES, 2.0, 1.0, 16.0, "Web processes of the stack, started or ended at once."),
        )
    }
)


def validate(name: str, value: float) -> None:
    """Refuse an unknown parameter, or a value outside its bounds.

    Raises:
        InvalidFields: no such parameter, or its value is out of bounds.
    """
    if name not in LAB_PARAMETERS:
        raise InvalidFields(
            f"There is no parameter {name!r}.{did_you_mean(name, LAB_PARAMETERS)}", errors={"name": "unknown parameter"}
        )
    parameter = LAB_PARAMETERS[name]
    if not parameter.low <= value <= parameter.high:
        raise InvalidFields(
            f"{name} must be from {parameter.low:g} to {parameter.high:g}; {value:g} is not.",
            errors={"value": "out of bounds"},
        )


def parse_number(name: str, text: str) -> float:
    """Return the number that a person wrote for a parameter.

    Args:
        name: of the parameter.
        text: as written.

    Raises:
        InvalidFields: it is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise InvalidFields(f"{name} is a number; {text!r} is not.", errors={"value": "not a number"}) from None


def parse_values(stored: Mapping[str, str]) -> tuple[float, ...]:
    """Return the value of every parameter, in the order of :data:`LAB_PARAMETERS`.

    A stored value that is missing, malformed or out of bounds counts as the default.
    """
    return tuple(_parse(stored.get(name, ""), parameter) for name, parameter in LAB_PARAMETERS.items())


def _parse(text: str, parameter: LabParameter) -> float:
    try:
        value = float(text)
    except ValueError:
        return parameter.default
    return value if parameter.low <= value <= parameter.high else parameter.default
