"""Edge cache with purge by event: after a change, exactly the responses made from the changed data are deleted.

The parts, by their layer:

- ``surrogate_keys``: the index in Valkey from a tag to the cache keys that carry it (Fastly: "surrogate keys")
- ``purger``: receives invalidated tags, looks up their keys, deletes their responses, repeats that for late fills
- ``proxy_cache_files``: nginx's cache directory, where a response is a file and its deletion is the purge
- ``access_log`` and ``hit_counter``: nginx's access log, read for metrics, and its rotation
- ``shop/web/edge_headers.py``: the response headers with which the application allows nginx to cache a response
- ``shop/web/static_publishing.py``: the static files, laid out for nginx
- ``shop/edge_purger.py``: the program that joins these, beside nginx or within the worker
- ``shop/patterns/observability/edge_metrics.py``: metrics and log lines
- ``deploy/nginx`` and ``shop/stack/edge.py``: nginx's configuration, and its start on this machine
"""

from shop.patterns.edge.access_log import EdgeLogReader
from shop.patterns.edge.proxy_cache_files import ProxyCacheFiles
from shop.patterns.edge.surrogate_keys import SurrogateKeyIndex
from shop.patterns.edge.tag_purger import AnswersPurged, EdgeFlushed, Event, PurgeFailed, TagPurger

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
