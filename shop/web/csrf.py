"""CSRF protection: writes that another site's page started are refused.

Problem: a browser sends our cookie with a form that another site wrote (cross-site request forgery).
Method: every current browser sends ``Sec-Fetch-Site``, which no page can forge; older browsers send ``Origin``. Only
``same-origin`` and ``none`` (the address bar) may write. A client that sends neither header is no browser, so it does
not send a cookie by accident. A call with a bearer token proves itself by a header that another site's page cannot add.
Pages contain no CSRF token, so public pages stay the same for every client.
Source: W3C Fetch Metadata; OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet", Fetch Metadata headers.
"""

from flask import request

from shop.errors import CrossOrigin


def check() -> None:
    """Refuse the write being served if another site's page started it.

    Raises:
        CrossOrigin: another site's page started it.
    """
    headers = request.headers
    if headers.get("Authorization", "").lower().startswith("bearer "):
        return
    if not is_same_origin(headers.get("Sec-Fetch-Site"), headers.get("Origin"), request.host):
        raise CrossOrigin("This request came from another site's page.")


def is_same_origin(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Return whether a write comes from this site, or from a client that is no browser.

    Args:
        fetch_site: ``Sec-Fetch-Site``, if sent.
        origin: ``Origin``, if sent.
        host: host and port of the request.
    """
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    if origin is not None:
        return origin.partition("://")[2] == host  # "null" has no host, so it is refused
    return True
