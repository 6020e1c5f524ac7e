"""HTTP sessions of the visitors: they send each request once and count each request.

After a dropped connection, Locust's own client repeats a GET, HEAD, PUT or DELETE as often as its pool has connections,
plus two. It reports one failure or one success for all attempts. It reports nothing for a request that still runs when
its visitor is stopped. Both make a store look better than it is, and orders can exist that no request reports.
"""

import time
from typing import Any

import gevent
import gevent.socket
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL
from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

from shop.lab.source_addresses import new_source_address

TIMEOUT_S = 20.0
"""Longer than the edge's timeout of 15 s, so that the store answers with an error first."""
STOP_TIMEOUT_S = 2 * TIMEOUT_S + 5.0
"""Time for running requests at the end of a run: long enough for one to connect and to fail."""


class SingleAttemptPool(HTTPClientPool):
    """A pool of connections that sends each request once, from an address of its own.

    The store limits the writes of a client, and knows a guest by her address only.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._address: str | None = None

    def get_client(self, url: str | URL) -> HTTPClient:
        """Return the client of a host and port, which repeats no request."""
        client = super().get_client(url)
        pool = client._connection_pool
        pool.size = -1  # the library uses the size only for its number of attempts, size + 2
        self._address = self._address or new_source_address(str(url))
        pool._create_tcp_socket = self._bind_socket  # type: ignore[method-assign]  # the pool has no option for it
        return client

    def _bind_socket(self, family: int, socktype: int, protocol: int) -> gevent.socket.socket:
        created = gevent.socket.socket(family, socktype, protocol)
        if self._address is not None and family == gevent.socket.AF_INET:
            created.bind((self._address, 0))
        return created


class CountingSession(FastHttpSession):
    """A session that reports a request as failed if its visitor is stopped before the answer."""

    def request(
        self, method: str, url: str, name: str | None = None, *arguments: Any, **options: Any
    ) -> ResponseContextManager:
        """Send one request and report its outcome.

        Args:
            method: the HTTP method.
            url: a path below the host.
            name: the name in the statistics; by default the path.
            arguments: as in :meth:`FastHttpSession.request`.
            options: as in :meth:`FastHttpSession.request`.
        """
        began, started_at = time.perf_counter(), time.time()
        try:
            return super().request(method, url, name, *arguments, **options)
        except gevent.GreenletExit:
            self.request_event.fire(
                request_type=method,
                name=name or url,
                response_time=(time.perf_counter() - began) * 1000,
                response_length=0,
                context={},
                response=None,
                exception=TimeoutError("no answer before the end of the run; the store may have handled the request"),
                start_time=started_at,
                url=f"{self.base_url}{url}",
            )
            raise
