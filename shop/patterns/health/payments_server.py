"""Whether a payments provider is one the store can use: it is asked for a charge, with the store's key."""

from shop.patterns.health.server_faults import CheckFailed

NO_CHARGE = "shop-probe"
"""The key of a charge there is none of: what is asked for it changes nothing."""


def try_payments(url: str, api_key: str, timeout_s: float) -> None:
    """Ask for a charge there is none of, as the store does before it charges again.

    Args:
        url: below which the provider's calls lie.
        api_key: what the store is known by there; empty where none is needed.
        timeout_s: what one connect, one write or one read may take, in seconds.

    Raises:
        CheckFailed: it does not answer, refuses the key, or has no charges below that address.
    """
    import httpcore  # here: the supervisor asks once, and carries no HTTP client for it

    headers = [("Authorization", f"Bearer {api_key}")] if api_key else []
    times = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
    asked = f"{url.rstrip('/')}/charges?key={NO_CHARGE}"
    try:
        status = httpcore.request("GET", asked, headers=headers, extensions={"timeout": times}).status
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise CheckFailed(f"no answer ({type(error).__name__})") from error
    if status in (401, 403):
        raise CheckFailed(f"refuses the store's key ({status})", "correct SHOP_PAYMENTS_API_KEY")
    if status != 200:
        raise CheckFailed(
            f"answers {status} to GET /charges",
            "name the address below which the provider's calls lie, or wait until it is well",
        )
