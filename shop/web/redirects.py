"""Safe redirects after a form: only to paths of this site."""

from urllib.parse import urlsplit


def safe_redirect_path(path: str | None, default: str) -> str:
    r"""Return ``path`` if it is a path of this site, ``default`` otherwise.

    If another site could choose the target, the log-in form would be an open redirect (CWE-601). Browsers take
    ``//host``, ``/\host`` and URLs with a tab or newline inside as other sites, so those are refused too.
    """
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return default
    if any(ord(character) <= ord(" ") or ord(character) == 0x7F for character in path):
        return default
    try:
        parts = urlsplit(path)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else path
