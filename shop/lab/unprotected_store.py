"""What the lab and the exercises measure: the store without its protection against overload.

Problem: on a busy machine the load of a measurement is more than the store can serve in time. The store would refuse
some of it. An arm would look quick because it refuses many, although the subject is another pattern.
Method: during a measurement nobody is refused, the queue is patient and every client may use every thread, unless the
experiment or the exercise itself sets these switches.
"""

from collections.abc import Mapping
from types import MappingProxyType

UNPROTECTED: Mapping[str, str] = MappingProxyType(
    {"overload.shedding": "off", "overload.queue": "fifo", "overload.lanes": "shared"}
)


def switches_of_measurement(own: Mapping[str, str], compared: str = "") -> dict[str, str]:
    """Return the values of the switches during a measurement.

    Args:
        own: those that the arm of an experiment or the exercise sets.
        compared: the switch whose values a check compares; empty if it compares none.
    """
    return {name: value for name, value in {**UNPROTECTED, **own}.items() if name != compared}
