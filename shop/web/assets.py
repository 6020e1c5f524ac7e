"""Style sheet, scripts and pictures under an address that browsers may keep for ever.

The address carries a hash over all the files, in its path and not in its query: a script that imports ``./toast.js``
then asks for it under the same hash, so a page that was seen before costs no request for any of them.
"""

from pathlib import Path

from flask import Flask, Response, request, send_from_directory, url_for

from shop.patterns.caching import digest
from shop.web.fingerprint import tree_hash

YEAR_S = 365 * 24 * 3600
"""As good as for ever: the address changes when a file does."""
KEEP = f"public, max-age={YEAR_S}, immutable"
KEEP_A_DAY = "public, max-age=86400"
"""For an address that stays when the file changes."""
ASK_AGAIN = "no-cache"
"""For an address with another release's hash: a page from before a deployment still finds its files."""


def install(app: Flask) -> None:
    """Serve the app's static folder under ``/assets/<hash>/``, and give its templates ``static_url(filename)``."""
    folder = Path(app.static_folder or "")
    current = tree_hash(folder)

    def asset(version: str, filename: str) -> Response:
        response = send_file(folder, filename)
        response.headers["Cache-Control"] = KEEP if version == current else ASK_AGAIN
        return response

    def static_url(filename: str) -> str:
        return url_for("asset", version=current, filename=filename)

    def favicon() -> Response:
        response = send_file(folder, "img/favicon.ico")
        response.headers["Cache-Control"] = KEEP_A_DAY
        return response

    app.add_url_rule("/assets/<version>/<path:filename>", "asset", asset)
    app.add_url_rule("/favicon.ico", "favicon", favicon)  # asked for unseen, by browsers and by previews of links
    app.jinja_env.globals["static_url"] = static_url


def send_file(folder: Path, name: str) -> Response:
    """Answer the request being served with a file, whole, in part, or with 304.

    Its validator is made of its bytes, not of its path and date, which differ from host to host; it is weak, like those
    of all answers that the edge may compress (:mod:`shop.web.http_caching`).

    Args:
        folder: outside it nothing is sent.
        name: the file's path below it, as a client gave it.

    Raises:
        NotFound: there is no such file.
    """
    response = send_from_directory(folder, name, etag=False, conditional=False)
    del response.headers["Last-Modified"]
    response.set_etag(digest((folder / name).read_bytes()), weak=True)
    response.make_conditional(request, accept_ranges=True, complete_length=response.content_length)
    return response
