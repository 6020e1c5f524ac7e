"""Every way a use case can say no, as a type.

Nothing here knows HTTP: ``shop.web.problems`` gives each class its status, in one place.
"""

from collections.abc import Mapping


class ShopError(Exception):
    """A refusal the caller can act on.

    Args:
        detail: one sentence for the person who reads it; it names no internals.
        errors: field name to what is wrong with it, where fields are at fault.
        retry_after: seconds after which trying again makes sense, where it does.
    """

    def __init__(
        self, detail: str = "", *, errors: Mapping[str, str] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})
        self.retry_after = retry_after


class NotFound(ShopError):
    """There is no such thing, or it is not yours to know about."""


class ProductWithdrawn(ShopError):
    """It was sold here and no longer is."""


class ProductRenamed(ShopError):
    """It has another name in addresses by now, for good; `Location` is where to ask.

    Args:
        slug: the name it has now.
    """

    def __init__(self, slug: str) -> None:
        super().__init__(f"This has another name by now: {slug}.")
        self.slug = slug
        self.args = (slug,)  # what it can be made of again, by a cache that remembers it


class Malformed(ShopError):
    """The request cannot be read at all."""


class UnsupportedMediaType(ShopError):
    """The body is not in a format this call takes."""


class Invalid(ShopError):
    """The request was read and its fields are wrong."""


class NotSignedIn(ShopError):
    """This needs an account."""


class BadCredentials(ShopError):
    """The log-in does not match; it never says which half was wrong."""


class Unverified(ShopError):
    """A message that does not come from whom it claims to come from, or not now."""


class Forbidden(ShopError):
    """The account may not do this."""


class CrossOrigin(Forbidden):
    """A write that another site's page started."""


class Conflict(ShopError):
    """The state of things does not allow it now."""


class PreconditionFailed(ShopError):
    """`If-Match` names a state that is no longer the stored one; nothing was changed. Read again, then decide."""


class OutOfStock(Conflict):
    """Fewer pieces are left than were asked for; ``errors`` maps slugs to what is left."""


class CartChanged(Conflict):
    """The cart is not the one that was agreed to; the answer of the API carries the cart as it is now."""


class AlreadyPaid(Conflict):
    """What this would buy was paid for before the sign-in; its confirmation went to the e-mail given then."""


class PaymentDeclined(ShopError):
    """The provider answered, and the answer is no. Nothing was charged."""


class MisdirectedRequest(ShopError):
    """The request is for a host that is not this store."""


class TooManyRequests(ShopError):
    """More of this is asked for at once, or in a while, than is done; come back after ``retry_after``."""


class Unavailable(ShopError):
    """A dependency this cannot be done without is away; try again later."""


class DeadlinePassed(Unavailable):
    """The request's deadline had passed before anything was done."""


class DatabaseReadOnly(Unavailable):
    """The database takes no changes now; reading goes on."""


class ProviderUnavailable(Unavailable):
    """The payments provider is away or did not answer in time."""


class ConfigurationError(Exception):
    """The machine or the settings are not fit to run; the message says what to do (exit code 2)."""
