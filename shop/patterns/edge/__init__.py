"""Purging the edge by event: which addresses were made from what, and deleting exactly those."""

from shop.patterns.edge.access_log import EdgeLogReader
from shop.patterns.edge.proxy_cache_files import ProxyCacheFiles
from shop.patterns.edge.purger import AnswersPurged, EdgeFlushed, Event, PurgeFailed, TagPurger
from shop.patterns.edge.surrogate_keys import SurrogateKeyIndex

__all__ = [
    "AnswersPurged",
    "EdgeFlushed",
    "EdgeLogReader",
    "Event",
    "ProxyCacheFiles",
    "PurgeFailed",
    "SurrogateKeyIndex",
    "TagPurger",
]
