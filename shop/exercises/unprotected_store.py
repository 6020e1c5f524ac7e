"""What a check measures of the store, without its protection against overload.

Problem: on a busy machine the load of a check is more than the store can serve in time. The store would refuse some of
it, and the check would count the refusals or could not judge, although its subject is another pattern.
Method: during a check nobody is refused and the queue is patient, unless the exercise itself sets these switches.
"""

from collections.abc import Mapping
from types import MappingProxyType

UNPROTECTED: Mapping[str, str] = MappingProxyType({"overload.shedding": "off", "overload.queue": "fifo"})


def switches_of_check(own: Mapping[str, str], compared: str = "") -> dict[str, str]:
    """Return the values of the switches during a check.

    Args:
        own: those that the exercise sets.
        compared: the switch whose values the check compares; empty if it compares none.
    """
    return {name: value for name, value in {**UNPROTECTED, **own}.items() if name != compared}
