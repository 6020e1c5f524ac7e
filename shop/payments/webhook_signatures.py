"""Webhook signatures and their verification: any host can send a request, so the store must verify the sender.

Provider and store share a secret. The provider signs the message's id, the time of sending and the exact bytes of the
body. An attacker cannot change a captured message, and the store refuses a message older than the tolerance. Within the
tolerance a message may arrive twice, so its handler must be idempotent.
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
"""Prefix of a secret whose rest is base64."""
TOLERANCE_S = 300
"""The largest difference between a message's time and the store's clock: clocks differ, and a delivery takes time."""
MAX_DIGITS = 12
"""The most digits of a time in seconds."""


class WebhookVerificationError(Exception):
    """The signature is wrong, or the message is too old. Only the log gets the reason."""


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> dict[str, str]:
    """Return the signature headers of a message.

    Args:
        secret: shared with the receiver; the first of several that blanks separate signs.
        message_id: the message's id, the same for each attempt.
        sent_at: the time of this attempt, in seconds since 1970.
        body: the exact bytes of the request.
    """
    return {
        ID_HEADER: message_id,
        TIME_HEADER: str(sent_at),
        SIGNATURE_HEADER: _signature(secret.split()[0], message_id, str(sent_at), body),
    }


def verify(secrets: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Verify that a recent message is signed with one of the secrets.

    Args:
        secrets: one, or several that blanks separate during a change of secrets.
        headers: the request's headers, names in lower case.
        body: the exact bytes of the request, not yet parsed.
        now: seconds since 1970.

    Raises:
        WebhookVerificationError: the verification failed.
    """
    sent_at = headers.get(TIME_HEADER, "")
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= MAX_DIGITS):
        raise WebhookVerificationError("no valid time")
    if abs(now - int(sent_at)) > TOLERANCE_S:
        raise WebhookVerificationError("too old, or from the future")
    signatures = headers.get(SIGNATURE_HEADER, "").split()
    expected = [_signature(secret, headers.get(ID_HEADER, ""), sent_at, body) for secret in secrets.split()]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in signatures):
        raise WebhookVerificationError("not signed with our secret")


def _signature(secret: str, message_id: str, sent_at: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(ENCODED)) if secret.startswith(ENCODED) else secret.encode()
    mac = hmac.new(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256)
    return VERSION + base64.b64encode(mac.digest()).decode()
