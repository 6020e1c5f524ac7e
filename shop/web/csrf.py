"""Writes that another site's page started are refused.

Problem: a browser sends our cookie along with a form that another site wrote (cross-site request forgery).
Method: every current browser says where a request comes from in ``Sec-Fetch-Site``, which no page can forge; older
ones say it in ``Origin``. Only ``same-origin`` and ``none`` (the address bar) may write. A client that sends neither is
no browser and carries nobody's cookie by accident. A call with a bearer token carries its proof in a header that no
other site's page can add. No token in the page: public pages stay the same for everybody.
Source: W3C Fetch Metadata; OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet", Fetch Metadata headers.
"""

from flask import request

from shop.errors import CrossOrigin


def check() -> None:
    """Refuse the write being served if another site's page started it.

    Raises:
        CrossOrigin: it is.
    """
    headers = request.headers
    if headers.get("Authorization", "").lower().startswith("bearer "):
        return
    if not allowed(headers.get("Sec-Fetch-Site"), headers.get("Origin"), request.host):
        raise CrossOrigin("This request came from another site's page.")


def allowed(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Decide from what the browser says.

    Args:
        fetch_site: ``Sec-Fetch-Site``, if sent.
        origin: ``Origin``, if sent.
        host: the host, with its port, that the request was made to.
    """
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    if origin is not None:
        return origin.partition("://")[2] == host  # "null" has no host, and so is refused
    return True
