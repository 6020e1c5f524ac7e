"""Static files (style sheet, scripts, pictures) under a URL that browsers may cache for ever.

The URL contains a hash over all files. The hash is in the path and not in the query, so a script that imports
``./toast.js`` requests it under the same hash. A page that the browser has seen costs no request for any of these
files.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from flask import Flask, Response, request, send_from_directory

from shop.patterns.caching import digest
from shop.web.folder_hash import asset_path, tree_hash
from shop.web.http_caching import REVALIDATE

YEAR_S = 365 * 24 * 3600
"""As good as for ever: if a file changes, its URL changes too."""
IMMUTABLE = f"public, max-age={YEAR_S}, immutable"
CONTENT_TYPES: Mapping[str, str] = MappingProxyType({".speculationrules": "application/speculationrules+json"})
"""Of the suffixes that Python's table lacks; nginx has a table of its own."""
ONE_DAY = "public, max-age=86400"
"""For a URL that does not change with the file."""


def install(app: Flask) -> None:
    """Serve the app's static folder under ``/assets/<hash>/``, and give its templates ``static_url(filename)``."""
    folder = Path(app.static_folder or "")
    current_version = tree_hash(folder)

    def asset(version: str, filename: str) -> Response:
        response = send_file(folder, filename)
        # The hash of another release: a page from before a deployment still finds its files.
        response.headers["Cache-Control"] = IMMUTABLE if version == current_version else REVALIDATE
        return response

    def static_url(filename: str) -> str:
        return asset_path(current_version, filename)

    def favicon() -> Response:
        response = send_file(folder, "img/favicon.ico")
        response.headers["Cache-Control"] = ONE_DAY
        return response

    app.add_url_rule("/assets/<version>/<path:filename>", "asset", asset)
    app.add_url_rule("/favicon.ico", "favicon", favicon)  # browsers and link previews request it without a link
    app.jinja_env.globals["static_url"] = static_url


def send_file(folder: Path, name: str) -> Response:
    """Return a response with a file: whole, in part, or 304.

    The validator is made from the bytes, because path and date differ from host to host. It is weak, like that of every
    response that the edge may compress (:mod:`shop.web.http_caching`).

    Args:
        folder: files outside it are never sent.
        name: the file's path below the folder, from the client.

    Raises:
        NotFound: there is no such file.
    """
    content_type = CONTENT_TYPES.get(Path(name).suffix)
    response = send_from_directory(folder, name, etag=False, conditional=False, mimetype=content_type)
    del response.headers["Last-Modified"]
    response.set_etag(digest((folder / name).read_bytes()), weak=True)
    response.make_conditional(request, accept_ranges=True, complete_length=response.content_length)
    return response
