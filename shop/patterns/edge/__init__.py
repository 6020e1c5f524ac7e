"""Purging the edge by event: which addresses were made from what, and deleting exactly those."""

from shop.patterns.edge.access_log import AccessLog
from shop.patterns.edge.purger import Event, Flushed, Purged, Purger
from shop.patterns.edge.registry import Registry
from shop.patterns.edge.store import Store

__all__ = ["AccessLog", "Event", "Flushed", "Purged", "Purger", "Registry", "Store"]
