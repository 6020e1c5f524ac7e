"""Signatures of webhooks: whoever can post to us is not yet the provider.

The message's id, the time it was sent and the very bytes of its body are signed with a secret that only the two sides
know. A captured message cannot be changed, and is refused once it is older than the tolerance; what arrives twice
within it must be harmless, which is the receiver's business.
Source: the Standard Webhooks specification, "Signature scheme"; RFC 2104 (HMAC).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
VERSION = "v1,"
ENCODED = "whsec_"
"""How a secret starts whose rest is base64."""
TOLERANCE_S = 300
"""How far a message's time may be from ours: what two clocks may differ by, and a delivery may take."""
MAX_DIGITS = 12
"""Of a time in seconds."""


class BadSignature(Exception):
    """The message is not the provider's, or not of now; the reason is for our log alone."""


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> dict[str, str]:
    """Return the headers that vouch for a message.

    Args:
        secret: shared with the receiver; of several, separated by blanks, the first is used.
        message_id: the same each time the message is sent.
        sent_at: when it is sent this time, in seconds since 1970.
        body: as it goes over the wire.
    """
    return {
        ID_HEADER: message_id,
        TIME_HEADER: str(sent_at),
        SIGNATURE_HEADER: _signature(secret.split()[0], message_id, str(sent_at), body),
    }


def verify(secrets: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Accept a message from who knows one of the secrets, sent not long ago.

    Args:
        secrets: one, or several separated by blanks while they are being changed.
        headers: the request's.
        body: as it came over the wire; nothing may have parsed it yet.
        now: seconds since 1970.

    Raises:
        BadSignature: it is not to be believed.
    """
    sent_at = headers.get(TIME_HEADER, "")
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= MAX_DIGITS):
        raise BadSignature("no time")
    if abs(now - int(sent_at)) > TOLERANCE_S:
        raise BadSignature("not of now")
    given = headers.get(SIGNATURE_HEADER, "").split()
    wanted = [_signature(secret, headers.get(ID_HEADER, ""), sent_at, body) for secret in secrets.split()]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in wanted for other in given):
        raise BadSignature("not signed with our secret")


def _signature(secret: str, message_id: str, sent_at: str, body: bytes) -> str:
    signed = hmac.new(_key(secret), f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256)
    return VERSION + base64.b64encode(signed.digest()).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(ENCODED)) if secret.startswith(ENCODED) else secret.encode()
