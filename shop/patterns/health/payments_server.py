"""Check a payments provider: request a charge with the store's key."""

from shop.patterns.health.server_faults import CheckFailed

NO_CHARGE = "shop-probe"
"""The key of a charge that does not exist: the request changes nothing."""


def try_payments(url: str, api_key: str, timeout_s: float) -> None:
    """Request a charge that does not exist, with the call that the store makes before it charges again.

    Args:
        url: the base URL of the provider's API.
        api_key: the store's key; empty if the provider needs none.
        timeout_s: seconds that one connect, one write or one read may take.

    Raises:
        CheckFailed: the provider does not answer, refuses the key, or has no charges below that URL.
    """
    import httpcore  # here, because the supervisor calls this once and needs no HTTP client otherwise

    headers = [("Authorization", f"Bearer {api_key}")] if api_key else []
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
    target = f"{url.rstrip('/')}/charges?key={NO_CHARGE}"
    try:
        status = httpcore.request("GET", target, headers=headers, extensions={"timeout": timeouts}).status
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise CheckFailed(f"no answer ({type(error).__name__})") from error
    if status in (401, 403):
        raise CheckFailed(f"refuses the store's key ({status})", "correct SHOP_PAYMENTS_API_KEY")
    if status != 200:
        raise CheckFailed(
            f"answers {status} to GET /charges",
            "name the address below which the provider's calls lie, or wait until it recovers",
        )
