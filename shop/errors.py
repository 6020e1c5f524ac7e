"""The errors of the use cases, one type for each kind.

This module does not depend on HTTP: ``shop.web.problems`` maps each type to its status.
"""

from collections.abc import Mapping
from typing import ClassVar


class ShopError(Exception):
    """An error that the client can act on. ``problem`` is the last part of its problem document's ``type`` (RFC 9457).

    Args:
        detail: one sentence for a person; it names no internals.
        errors: messages by field name, if fields are invalid.
        retry_after: seconds after which the client may try again, if that makes sense.
    """

    problem: ClassVar[str] = "internal-server-error"

    def __init__(
        self, detail: str = "", *, errors: Mapping[str, str] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})
        self.retry_after = retry_after


class NotFound(ShopError):
    """It does not exist, or this client may not see it."""

    problem = "not-found"


class ProductWithdrawn(ShopError):
    """The product was sold here and is no longer sold."""

    problem = "product-withdrawn"


class ProductRenamed(ShopError):
    """The product has a new slug; `Location` has its new address.

    Args:
        slug: the new slug.
    """

    problem = "product-renamed"

    def __init__(self, slug: str) -> None:
        super().__init__(f"This has a new address: {slug}.")
        self.slug = slug
        self.args = (slug,)  # a cache stores the arguments and builds the error from them again


class BadRequest(ShopError):
    """The request cannot be read."""

    problem = "malformed"


class UnsupportedMediaType(ShopError):
    """The body's format is not one that this call accepts."""

    problem = "unsupported-media-type"


class InvalidFields(ShopError):
    """The request was read, but its fields are invalid."""

    problem = "invalid"


class AuthenticationRequired(ShopError):
    """This needs an account."""

    problem = "not-signed-in"


class BadCredentials(ShopError):
    """The email address or the password is wrong; the error never says which."""

    problem = "bad-credentials"


class InvalidSignature(ShopError):
    """The signature of a message is invalid or expired."""

    problem = "unverified"


class ForbiddenAction(ShopError):
    """The account may not do this."""

    problem = "forbidden"


class CrossOrigin(ForbiddenAction):
    """Another site's page started this write."""

    problem = "cross-origin"


class StateConflict(ShopError):
    """The current state does not allow it."""

    problem = "conflict"


class PreconditionFailed(ShopError):
    """`If-Match` does not name the current state; nothing was changed. Read the resource again."""

    problem = "precondition-failed"


class OutOfStock(StateConflict):
    """Fewer pieces are left than requested; ``errors`` has the number left, by slug."""

    problem = "out-of-stock"


class CartChanged(StateConflict):
    """The cart has changed since the shopper agreed to it; the API's response contains the current cart."""

    problem = "cart-changed"


class AlreadyPaid(StateConflict):
    """The order was paid before the sign-in; its confirmation was sent to the email address given then."""

    problem = "already-paid"


class CardDeclined(ShopError):
    """The payments provider declined the card. Nothing was charged."""

    problem = "payment-declined"


class MisdirectedRequest(ShopError):
    """The request is for a host that is not this store."""

    problem = "misdirected-request"


class TooManyRequests(ShopError):
    """More requests than the store accepts, at once or within a period; try again after ``retry_after``."""

    problem = "too-many-requests"


class ServiceUnavailable(ShopError):
    """A server that this request needs does not answer; try again later."""

    problem = "unavailable"


class DeadlinePassed(ServiceUnavailable):
    """The request's deadline passed before anything was done."""

    problem = "deadline-passed"


class DatabaseReadOnly(ServiceUnavailable):
    """The database accepts no changes now; reads still work."""

    problem = "database-read-only"


class ProviderUnavailable(ServiceUnavailable):
    """The payments provider did not answer, or not in time."""

    problem = "provider-unavailable"


class ConfigurationError(Exception):
    """The machine or the settings do not allow the store to run; the message says what to do (exit code 2)."""
