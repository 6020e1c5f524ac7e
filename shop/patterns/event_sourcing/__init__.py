"""Event sourcing: the events are stored, and the state is computed from them.

Problem: a row contains the present state and not its history. A wrong UPDATE leaves no trace, and a second view of the
same data must be updated by hand.
Method: each aggregate has an append-only stream of numbered events. The state is a pure fold over the stream. A
decision is a pure function of the state and a command; its events are appended after the version that the decision has
read. So of two writers with the same version, one gets a conflict. Stored events never change: they are converted to
the present schema version when they are read (:class:`EventUpcasters`).
An event has two forms here: a :class:`NewEvent` is appended, and becomes a :class:`StoredEvent` with version and time.
Switch: ``orders.projection``, for the rows that are computed from the streams. Experiment: ``read-model-lag``.
Source: Fowler, "Event Sourcing" (2005); Young, "CQRS Documents" (2010); Chassaing, "Functional Event Sourcing Decider"
(2021).
"""

from shop.patterns.event_sourcing.event_store import ConcurrencyConflict, EventStore, NewEvent, StoredEvent
from shop.patterns.event_sourcing.upcasting import Data, EventUpcasters, UnknownEventVersion

__all__ = [
    "ConcurrencyConflict",
    "Data",
    "EventStore",
    "EventUpcasters",
    "NewEvent",
    "StoredEvent",
    "UnknownEventVersion",
]
