"""The identity of a request: its key, and the fingerprint of its content. Pure."""

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
    """The identity of one request.

    Args:
        owner: the user or guest; equal keys of two owners are different keys.
        route: method and template of the route; equal keys of two routes are different keys.
        key: the value of ``Idempotency-Key``.
        fingerprint: hash of path, query and body.
        older_fingerprints: the same hash under earlier secrets; a stored request with one of them is the same request.
    """

    owner: str
    route: str
    key: str
    fingerprint: str
    older_fingerprints: tuple[str, ...] = ()

    @property
    def lock(self) -> int:
        """Return the number of the key's advisory lock: 64 bits, signed."""
        identity = "\0".join((self.owner, self.route, self.key)).encode()
        return int.from_bytes(hashlib.sha256(identity).digest()[:8], signed=True)


def validate_key(key: str | None) -> str:
    """Return the key of a request, if it is valid.

    Raises:
        BadRequest: the key is missing, longer than 255 characters, or contains a NUL character.
    """
    if not key:
        raise BadRequest(f"Send an {HEADER}: a value of your own, new for each request.")
    if len(key) > MAX_LENGTH:
        raise BadRequest(f"The {HEADER} is longer than {MAX_LENGTH} characters.")
    if "\0" in key:  # only a form field can contain one: HTTP servers reject it in a header
        raise BadRequest(f"The {HEADER} contains a NUL character.")
    return key


def canonical_json(body: Any) -> bytes:
    """Return a JSON body in canonical form: sorted names, no spaces, one kind of escape."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def canonical_form(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a form in canonical form: sorted names; the values of one name keep their order."""
    return canonical_json(sorted(([name, value] for name, value in fields), key=lambda field: field[0]))


def fingerprint(secret: str, target: str, body: bytes) -> str:
    """Return the fingerprint of a request.

    It is a keyed hash: a body may contain a password, and with a plain hash a stolen table could be searched for it.

    Args:
        secret: the store's secret.
        target: path and query of the request; the route's template does not name the product.
        body: in canonical form.
    """
    return hmac.new(secret.encode(), target.encode() + b"\0" + body, hashlib.sha256).hexdigest()
