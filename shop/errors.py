"""Every way a use case can say no, as a type.

Nothing here knows HTTP: ``shop.web.problems`` gives each class its status, in one place.
"""

from collections.abc import Mapping
from typing import ClassVar


class ShopError(Exception):
    """A refusal the caller can act on. ``problem`` is the last part of the ``type`` of its problem document (RFC 9457).

    Args:
        detail: one sentence for the person who reads it; it names no internals.
        errors: field name to what is wrong with it, where fields are at fault.
        retry_after: seconds after which trying again makes sense, where it does.
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
    """There is no such thing, or it is not yours to know about."""

    problem = "not-found"


class ProductWithdrawn(ShopError):
    """It was sold here and no longer is."""

    problem = "product-withdrawn"


class ProductRenamed(ShopError):
    """It has another name in addresses by now, for good; `Location` is where to ask.

    Args:
        slug: the name it has now.
    """

    problem = "product-renamed"

    def __init__(self, slug: str) -> None:
        super().__init__(f"This has another name by now: {slug}.")
        self.slug = slug
        self.args = (slug,)  # what it can be made of again, by a cache that remembers it


class BadRequest(ShopError):
    """The request cannot be read at all."""

    problem = "malformed"


class UnsupportedMediaType(ShopError):
    """The body is not in a format this call takes."""

    problem = "unsupported-media-type"


class InvalidFields(ShopError):
    """The request was read and its fields are wrong."""

    problem = "invalid"


class AuthenticationRequired(ShopError):
    """This needs an account."""

    problem = "not-signed-in"


class BadCredentials(ShopError):
    """The log-in does not match; it never says which half was wrong."""

    problem = "bad-credentials"


class InvalidSignature(ShopError):
    """A message that does not come from whom it claims to come from, or not now."""

    problem = "unverified"


class ForbiddenAction(ShopError):
    """The account may not do this."""

    problem = "forbidden"


class CrossOrigin(ForbiddenAction):
    """A write that another site's page started."""

    problem = "cross-origin"


class StateConflict(ShopError):
    """The state of things does not allow it now."""

    problem = "conflict"


class PreconditionFailed(ShopError):
    """`If-Match` names a state that is no longer the stored one; nothing was changed. Read again, then decide."""

    problem = "precondition-failed"


class OutOfStock(StateConflict):
    """Fewer pieces are left than were asked for; ``errors`` maps slugs to what is left."""

    problem = "out-of-stock"


class CartChanged(StateConflict):
    """The cart is not the one that was agreed to; the answer of the API carries the cart as it is now."""

    problem = "cart-changed"


class AlreadyPaid(StateConflict):
    """What this would buy was paid for before the sign-in; its confirmation went to the e-mail given then."""

    problem = "already-paid"


class CardDeclined(ShopError):
    """The provider answered, and the answer is no. Nothing was charged."""

    problem = "payment-declined"


class MisdirectedRequest(ShopError):
    """The request is for a host that is not this store."""

    problem = "misdirected-request"


class TooManyRequests(ShopError):
    """More of this is asked for at once, or in a while, than is done; come back after ``retry_after``."""

    problem = "too-many-requests"


class ServiceUnavailable(ShopError):
    """A dependency this cannot be done without is away; try again later."""

    problem = "unavailable"


class DeadlinePassed(ServiceUnavailable):
    """The request's deadline had passed before anything was done."""

    problem = "deadline-passed"


class DatabaseReadOnly(ServiceUnavailable):
    """The database takes no changes now; reading goes on."""

    problem = "database-read-only"


class ProviderUnavailable(ServiceUnavailable):
    """The payments provider is away or did not answer in time."""

    problem = "provider-unavailable"


class ConfigurationError(Exception):
    """The machine or the settings are not fit to run; the message says what to do (exit code 2)."""
