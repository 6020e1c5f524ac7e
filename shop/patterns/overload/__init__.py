"""More requests than the store can serve: whom to let in, in which order, and whom to refuse.

A request is classified by its first bytes (``request_priority``). It waits in one bounded queue of its process
(``request_queue``), whose order and patience are a discipline (``queue_discipline``). How many requests run at once is
a limit that adapts to what they take (``concurrency_limit``). A client may be bound to some of the threads
(``lanes``). None of these modules imports the web server.
"""

from shop.patterns.overload.concurrency_limit import AimdLimit, ConcurrencyLimit, FixedLimit, GradientLimit
from shop.patterns.overload.lanes import LANES_OF_A_CLIENT, SHARED, LanePlan, plan_lanes
from shop.patterns.overload.queue_discipline import (
    AdaptiveLifoDiscipline,
    CodelDiscipline,
    FifoDiscipline,
    QueueDiscipline,
)
from shop.patterns.overload.request_priority import RequestPriority, classify
from shop.patterns.overload.request_queue import AdmissionPolicy, RequestQueue, WaitingRequest

__all__ = [
    "LANES_OF_A_CLIENT",
    "SHARED",
    "AdaptiveLifoDiscipline",
    "AdmissionPolicy",
    "AimdLimit",
    "CodelDiscipline",
    "ConcurrencyLimit",
    "FifoDiscipline",
    "FixedLimit",
    "GradientLimit",
    "LanePlan",
    "QueueDiscipline",
    "RequestPriority",
    "RequestQueue",
    "WaitingRequest",
    "classify",
    "plan_lanes",
]
