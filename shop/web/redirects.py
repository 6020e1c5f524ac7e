"""Where a form may send the browser next."""

from urllib.parse import urlsplit


def safe_redirect_path(wanted: str | None, default: str) -> str:
    r"""Return ``wanted`` if it is a path of this site, ``default`` otherwise.

    An address that another site could choose turns a log-in form into an open redirect (CWE-601). Browsers read
    ``//host``, ``/\host`` and addresses with a tab or newline inside as other sites, so those are refused too.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted:
        return default
    if any(ord(character) <= ord(" ") or ord(character) == 0x7F for character in wanted):
        return default
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else wanted
