"""One id for everything that happens because of one request.

Problem: a failure seen by a shopper must be found in the logs of every process it passed through.
Method: take ``X-Request-ID`` if it is well-formed, make one otherwise; keep it in a context variable that every log
line, outgoing call and error body reads. ``traceparent`` is carried along in the same way.
Source: W3C Trace Context; Newman, "Building Microservices", ch. 10, correlation ids.
"""

import random
import re
from contextvars import ContextVar

REQUEST_ID_HEADER = "X-Request-ID"
TRACEPARENT_HEADER = "traceparent"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,128}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

request_id: ContextVar[str] = ContextVar("request_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def adopt(given_request_id: str | None, given_traceparent: str | None) -> None:
    """Start a request's correlation: keep well-formed ids, make new ones otherwise."""
    request_id.set(
        given_request_id if given_request_id and _WELL_FORMED.fullmatch(given_request_id) else new_request_id()
    )
    traceparent.set(
        given_traceparent if given_traceparent and _TRACEPARENT.fullmatch(given_traceparent) else new_traceparent()
    )


def new_request_id() -> str:
    """Return 128 random bits in hex."""
    return _hex(128)


def new_traceparent() -> str:
    """Return a W3C ``traceparent`` that starts a trace nobody has sampled."""
    return f"00-{_hex(128)}-{_hex(64)}-00"


def trace_id() -> str:
    """Return the trace's id, the second field of ``traceparent``; empty outside a request."""
    return traceparent.get()[3:35]


def outgoing_headers() -> dict[str, str]:
    """Return the headers an outgoing call carries, so the other side can be found by the same id."""
    found = {REQUEST_ID_HEADER: request_id.get(), TRACEPARENT_HEADER: traceparent.get()}
    return {name: value for name, value in found.items() if value}


def _hex(bits: int) -> str:
    """Return random bits in hex: unlike any other's, which ids must be, but not secret, which they need not be.

    Asking the kernel would let go of the interpreter's lock three times a request, each time for another thread to
    take. Python seeds this generator anew in a forked child.
    """
    return f"{random.getrandbits(bits):0{bits // 4}x}"
