"""How the visitors send requests: each once, and each counted.

Locust's own client repeats a GET, HEAD, PUT or DELETE whose connection was dropped, as often as its pool has places and
twice more, and reports one failure or one success. A request under way when its visitor is ended is reported as
neither. Both make a store look better than it is, or orders appear from nowhere.
"""

import time
from typing import Any

import gevent
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL
from locust.contrib.fasthttp import FastHttpSession

TIMEOUT_S = 20.0
"""Longer than the slowest answer the edge waits for, 15 s: the store gives up first, and says so."""
STOP_TIMEOUT_S = 2 * TIMEOUT_S + 5.0
"""At the end of a run, seconds that requests under way are given: as long as one may take to connect and to fail."""


class SingleAttemptPool(HTTPClientPool):
    """Connections over which each request is sent once."""

    def get_client(self, url: str | URL) -> HTTPClient:
        """Return the client of a host and port, which repeats nothing."""
        client = super().get_client(url)
        client._connection_pool.size = -1  # read for nothing but the number of attempts, size + 2
        return client


class CountingSession(FastHttpSession):
    """Reports a request whose visitor is ended before the answer as failed."""

    def request(self, method: str, url: str, name: str | None = None, **options: Any) -> Any:
        """Send one request and report how it went.

        Args:
            method: of HTTP.
            url: a path below the host.
            name: under which it is counted; the path by default.
            options: as :meth:`FastHttpSession.request` takes them.
        """
        begin, moment = time.perf_counter(), time.time()
        try:
            return super().request(method, url, name=name, **options)
        except gevent.GreenletExit:
            self.request_event.fire(
                request_type=method,
                name=name or url,
                response_time=(time.perf_counter() - begin) * 1000,
                response_length=0,
                context={},
                response=None,
                exception=TimeoutError("no answer when the run ended; the store may have done what it asked"),
                start_time=moment,
                url=f"{self.base_url}{url}",
            )
            raise
