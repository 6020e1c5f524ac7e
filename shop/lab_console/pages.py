"""``/lab``: flip the patterns' switches and watch what the store does. Hung in the lab profile only."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop.faults import FaultChannel
from shop.lab_console import faults_api
from shop.lab_console.switches_api import describe_all
from shop.patterns.observability import recent_requests
from shop.patterns.observability.metrics_summary import MetricsSummary
from shop.switches.registry import SwitchPoller
from shop.switches.store import SwitchStore

SHOWN_REQUESTS = 20
SHOWN_MAILS = 20
RECENT_REQUESTS = 200
"""What rates and shares are reckoned from: a few seconds under load, and not one person's last click."""


class ShownMail(Protocol):
    """What the mailbox page shows of a mail."""

    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime


Mails = Callable[[int], Sequence[ShownMail]]


def create_pages(
    store: SwitchStore,
    board: SwitchPoller,
    desk: FaultChannel,
    count: Callable[[], MetricsSummary],
    logs: Path,
    mails: Mails,
) -> Blueprint:
    """Build the routes.

    Args:
        store: where flips are kept for every process.
        board: this process's view of them.
        desk: where faults are ordered.
        count: returns what the server has done since it was started.
        logs: the directory where the web processes and the edge write a line a request.
        mails: returns so many mails of the mailbox, the newest first.
    """
    pages = Blueprint("lab", __name__, url_prefix="/lab")

    @pages.get("")
    def index() -> ResponseReturnValue:
        last = recent_requests.last_requests(logs / "web.jsonl", logs / "edge.jsonl", RECENT_REQUESTS)
        answer = make_response(
            render_template(
                "lab.html",
                switches=describe_all(board),
                faults=faults_api.describe_all(desk),
                figures=count(),
                recent=recent_requests.summarise(last),
                requests=last[:SHOWN_REQUESTS],
            )
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @pages.get("/mail")
    def mail() -> ResponseReturnValue:
        answer = make_response(render_template("lab_mail.html", mails=mails(SHOWN_MAILS)))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @pages.post("/switches/<name>")
    def flip(name: str) -> ResponseReturnValue:
        store.set(name, request.form.get("value", ""))
        board.refresh()
        return redirect(url_for("lab.index"), 303)

    @pages.post("/faults/<name>")
    def put_fault(name: str) -> ResponseReturnValue:
        desk.request(name, request.form.get("value", ""))
        return redirect(url_for("lab.index"), 303)

    @pages.post("/mend")
    def mend() -> ResponseReturnValue:
        desk.clear()
        return redirect(url_for("lab.index"), 303)

    @pages.post("/reset")
    def reset() -> ResponseReturnValue:
        store.reset()
        board.refresh()
        return redirect(url_for("lab.index"), 303)

    return pages
