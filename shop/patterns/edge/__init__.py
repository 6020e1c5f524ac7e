"""Purging the edge by event: which addresses were made from what, and deleting exactly those."""

from shop.patterns.edge.access_log import AccessLog
from shop.patterns.edge.purger import Event, Flushed, Purged, PurgeFailed, Purger
from shop.patterns.edge.registry import Registry
from shop.patterns.edge.store import Store

__all__ = ["AccessLog", "Event", "Flushed", "PurgeFailed", "Purged", "Purger", "Registry", "Store"]
