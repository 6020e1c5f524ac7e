"""Event sourcing: what happened is kept, and what is follows from it.

Problem: a row says how things stand and forgets how they came to stand so. An UPDATE that should not have happened
leaves no trace, and a second view of the same data can only be kept by hand.
Method: an append-only stream of numbered events for each thing. State is a pure fold over its stream; a decision is a
pure function of that state and a command; what was decided is appended behind the version it was decided on, so of two
writers who saw the same state one is told that the stream has moved. Old events are never rewritten: they are
lifted to today's shape when they are read (:class:`Upcasters`).
Switch: ``orders.projection``, for the rows that follow the streams. Experiment: ``read-model-lag``.
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
