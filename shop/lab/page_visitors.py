"""Many clients that each visit one page again and again, each from an address of its own.

A visit is due at a fixed time, whether or not other clients have been answered. All clients run in one event loop: a
client with a library of its own would cost more than the page it visits.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"
OK = b"200"


@dataclass(frozen=True, slots=True)
class PageVisit:
    """One visit.

    Args:
        due_s: when it was due, in seconds after the begin.
        ms: milliseconds until its response, or until it failed.
        succeeded: whether the page came in time.
    """

    due_s: float
    ms: float
    succeeded: bool


class PageVisitor:
    """A client that keeps its connection, and opens it again after a failure.

    Args:
        base_url: the store's address.
        path: of the page.
        address: the client's own.
        patience_s: seconds until it gives up a visit.
        tls: for a store that speaks TLS.
    """

    def __init__(
        self, base_url: str, path: str, address: str, patience_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(base_url)
        self._tls = tls if parts.scheme == "https" else None
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._address = address
        self._patience_s = patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def visit(self, due_s: float) -> PageVisit:
        """Visit the page now."""
        began = time.perf_counter()
        try:
            succeeded = await asyncio.wait_for(self._exchange(), self._patience_s)
        except (OSError, EOFError, ValueError, LookupError):  # a time-out is an OSError
            self.close()
            succeeded = False
        return PageVisit(due_s, (time.perf_counter() - began) * 1000, succeeded)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self) -> bool:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, local_addr=(self._address, 0)
            )
        reader, writer = self._streams
        writer.write(self._request)
        head = await reader.readuntil(HEAD_END)
        fields = dict(line.lower().split(b": ", 1) for line in head[: -len(HEAD_END)].split(b"\r\n")[1:])
        await reader.readexactly(int(fields[b"content-length"]))
        if fields.get(b"connection") == b"close":
            self.close()
        return head.split(b" ", 2)[1] == OK


async def visit_in_turn(visitors: Sequence[PageVisitor], every_s: float, seconds: float) -> list[list[PageVisit]]:
    """Let each client visit its page at regular times, all clients spread evenly; return the visits of each.

    Args:
        visitors: the clients.
        every_s: seconds between two visits of a client.
        seconds: no visit is due later.
    """
    began = time.perf_counter()

    async def visit_when_due(number: int, visitor: PageVisitor) -> list[PageVisit]:
        visits: list[PageVisit] = []
        due_s = every_s * number / len(visitors)
        while due_s < seconds:
            await asyncio.sleep(max(0.0, began + due_s - time.perf_counter()))
            visits.append(await visitor.visit(due_s))
            due_s += every_s
        return visits

    return await asyncio.gather(*(visit_when_due(number, one) for number, one in enumerate(visitors)))
