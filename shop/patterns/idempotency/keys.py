"""What makes two requests the same one. Pure."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shop.errors import BadRequest

HEADER = "Idempotency-Key"
MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One request by name.

    Args:
        owner: whose it is: two people's keys never meet.
        route: what was asked for, as the route's template, so that keys of different calls never meet either.
        key: the ``Idempotency-Key``.
        fingerprint: hash of everything else that was asked.
        older: the same under secrets that were in use before; a request known by one of them is the same one.
    """

    owner: str
    route: str
    key: str
    fingerprint: str
    older: tuple[str, ...] = ()

    @property
    def lock(self) -> int:
        """Return the number of the advisory lock that stands for it: 64 bits, signed."""
        named = "\0".join((self.owner, self.route, self.key)).encode()
        return int.from_bytes(hashlib.sha256(named).digest()[:8], signed=True)


def check(given: str | None) -> str:
    """Return a key that can be used.

    Raises:
        BadRequest: it is missing, longer than 255 characters, or contains a NUL.
    """
    if not given:
        raise BadRequest(f"Send an {HEADER}: a value of your own, new for each request.")
    if len(given) > MAX_LENGTH:
        raise BadRequest(f"The {HEADER} is longer than {MAX_LENGTH} characters.")
    if "\0" in given:  # only a form can bring one along: no server lets it through in a header
        raise BadRequest(f"The {HEADER} contains a NUL character.")
    return given


def of_json(body: Any) -> bytes:
    """Return a JSON body in its one canonical spelling: order of names, spacing and escapes do not count."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def of_form(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a form in its one canonical spelling: the order of its names does not count, that of its values does."""
    return of_json(sorted(([name, value] for name, value in fields), key=lambda field: field[0]))


def fingerprint(secret: str, address: str, body: bytes) -> str:
    """Return a hash that is the same for the same request.

    It is keyed, since a body may hold a password and a plain hash of one can be guessed from a stolen table.

    Args:
        secret: the store's own.
        address: path and query as they were asked for; the route's template does not say which product was meant.
        body: in its canonical spelling.
    """
    return hmac.new(secret.encode(), address.encode() + b"\0" + body, hashlib.sha256).hexdigest()
