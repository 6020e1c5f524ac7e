"""The pages below ``/lab/requests``: the last requests, and the way of one through all processes."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop.lab_console.request_timeline import build_timeline
from shop.lab_console.services import LabConsoleServices
from shop.patterns.observability import recent_requests
from shop.patterns.observability.request_lines import find_request_lines
from shop.web.private_response import NO_STORE_HEADERS

SHOWN_REQUESTS, SEARCHED_REQUESTS = 100, 1_000
OWN_PATHS = ("/lab", "/api/v1/lab", "/docs")
"""They are left out of the lists, so that watching and reading do not fill them."""
NOT_FOUND = 404


def add_request_pages(pages: Blueprint, services: LabConsoleServices) -> None:
    """Add the routes to the lab's blueprint."""
    logs = services.settings.log_dir

    @pages.get("/requests")
    def requests() -> ResponseReturnValue:
        if sought := request.args.get("id", "").strip():
            return redirect(url_for("lab.request_timeline", request_id=sought), 303)
        lines = recent_requests.last_requests(logs / "web.jsonl", logs / "edge.jsonl", SEARCHED_REQUESTS)
        shown = without_own_requests(lines)[:SHOWN_REQUESTS]
        return render_template("lab/requests.html", requests=shown), NO_STORE_HEADERS

    @pages.get("/requests/<request_id>")
    def request_timeline(request_id: str) -> ResponseReturnValue:
        timeline = build_timeline(find_request_lines(logs, request_id))
        page = render_template(
            "lab/request.html",
            request_id=request_id,
            timeline=timeline,
            mails=services.mails_with_ids(timeline.mails) if timeline.mails else (),
        )
        return page, 200 if timeline.steps else NOT_FOUND, NO_STORE_HEADERS


def without_own_requests(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the lines of the log that are not those of the lab's own pages and of the documentation."""
    return [line for line in lines if not str(line["path"]).startswith(OWN_PATHS)]
