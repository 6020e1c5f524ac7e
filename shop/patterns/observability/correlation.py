"""Correlation ids: all work for one request has the id of the request.

Problem: a failure that a shopper saw must be found in the logs of every process that worked on the request.
Method: use the ``X-Request-ID`` of the request if it is well-formed, otherwise make one. A context variable holds it;
every log line, outgoing call and error body reads it. ``traceparent`` is passed on in the same way.
Source: W3C Trace Context; Newman, "Building Microservices", ch. 10, correlation ids.
"""

import random
import re
from collections.abc import Callable
from contextvars import ContextVar

REQUEST_ID_HEADER = "X-Request-ID"
TRACEPARENT_HEADER = "traceparent"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,128}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

AdoptIds = Callable[[str | None, str | None], None]
"""Sets the ids of a context, by the received request id and ``traceparent``."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def adopt(received_id: str | None, received_traceparent: str | None) -> None:
    """Set the ids of this context: the received ids if they are well-formed, otherwise new ones."""
    request_id.set(received_id if received_id and _WELL_FORMED.fullmatch(received_id) else new_request_id())
    is_well_formed = received_traceparent and _TRACEPARENT.fullmatch(received_traceparent)
    traceparent.set(received_traceparent if received_traceparent and is_well_formed else new_traceparent())


def new_request_id() -> str:
    """Return 128 random bits in hex."""
    return _hex(128)


def new_traceparent() -> str:
    """Return a W3C ``traceparent`` that starts a new trace, which is not sampled."""
    return f"00-{_hex(128)}-{_hex(64)}-00"


def trace_id() -> str:
    """Return the trace's id, the second field of ``traceparent``; empty outside a request."""
    return traceparent.get()[3:35]


def outgoing_headers() -> dict[str, str]:
    """Return the headers of an outgoing call, so that the other server logs the same id."""
    headers = {REQUEST_ID_HEADER: request_id.get(), TRACEPARENT_HEADER: traceparent.get()}
    return {name: value for name, value in headers.items() if value}


def _hex(bits: int) -> str:
    """Return random bits in hex. They are unique, and not secret: ids need not be.

    ``os.urandom`` would release the interpreter's lock three times a request, each time for another thread to take.
    Python seeds this generator again in a forked child.
    """
    return f"{random.getrandbits(bits):0{bits // 4}x}"
