"""The pages below ``/lab``: switches, faults, live figures and mail. Registered in the lab profile only."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop.faults import FaultChannel
from shop.lab_console import faults_api
from shop.lab_console.faults_api import NO_STORE
from shop.lab_console.switches_api import describe_all
from shop.patterns.observability import recent_requests
from shop.patterns.observability.metrics_summary import MetricsSummary
from shop.switches.registry import SwitchPoller
from shop.switches.store import SwitchStore

SHOWN_REQUESTS = 20
SHOWN_MAILS = 20
RECENT_REQUESTS = 200
"""Rates and shares are computed from so many requests: a few seconds under load, more than one person's clicks."""


class ShownMail(Protocol):
    """A mail on the mailbox page."""

    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime


LatestMails = Callable[[int], Sequence[ShownMail]]


def create_pages(
    switch_store: SwitchStore,
    poller: SwitchPoller,
    fault_channel: FaultChannel,
    summarise: Callable[[], MetricsSummary],
    logs: Path,
    latest_mails: LatestMails,
) -> Blueprint:
    """Build the routes.

    Args:
        switch_store: stores switches for every process.
        poller: this process's snapshot of them.
        fault_channel: asks the supervisor for faults, and reads its report.
        summarise: returns the sums of all web processes.
        logs: the directory of the request logs of the web processes and the edge.
        latest_mails: returns so many mails of the mailbox, the newest first.
    """
    pages = Blueprint("lab", __name__, url_prefix="/lab", template_folder="templates")

    @pages.get("")
    def index() -> ResponseReturnValue:
        last = recent_requests.last_requests(logs / "web.jsonl", logs / "edge.jsonl", RECENT_REQUESTS)
        page = render_template(
            "lab/index.html",
            switches=describe_all(poller),
            faults=faults_api.describe_all(fault_channel),
            figures=summarise(),
            recent=recent_requests.summarise(last),
            requests=last[:SHOWN_REQUESTS],
        )
        return page, NO_STORE

    @pages.get("/mail")
    def mail() -> ResponseReturnValue:
        return render_template("lab/mail.html", mails=latest_mails(SHOWN_MAILS)), NO_STORE

    @pages.post("/switches/<name>")
    def set_switch(name: str) -> ResponseReturnValue:
        switch_store.set(name, request.form.get("value", ""))
        poller.refresh()
        return redirect(url_for("lab.index"), 303)

    @pages.post("/faults/<name>")
    def set_fault(name: str) -> ResponseReturnValue:
        fault_channel.request(name, request.form.get("value", ""))
        return redirect(url_for("lab.index"), 303)

    @pages.post("/mend")
    def clear_faults() -> ResponseReturnValue:
        fault_channel.clear()
        return redirect(url_for("lab.index"), 303)

    @pages.post("/reset")
    def reset() -> ResponseReturnValue:
        switch_store.reset()
        poller.refresh()
        return redirect(url_for("lab.index"), 303)

    return pages
