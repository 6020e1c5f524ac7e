"""The page ``/lab/experiments``: runs experiments over the supervisor, shows progress, history and results.

Registered in the lab profile only. Without JavaScript, the page reloads itself while a command runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop.errors import BadRequest, ConfigurationError, StateConflict
from shop.lab_orders import LabOrder, LabOrderChannel, load_order, run_order
from shop.web.private_response import NO_STORE_HEADERS

RELOAD_S = 2
"""Seconds between two loads of the page while a command runs."""


class LabUser(Protocol):
    """The process that holds the lab."""

    def describe(self) -> str:
        """Return who it is."""


class ExperimentsOverview(Protocol):
    """The content of the page; see :mod:`shop.lab.run_overview`."""

    @property
    def holder(self) -> LabUser | None:
        """Return the process that holds the lab."""


@dataclass(frozen=True)
class ExperimentsPageServices:
    """The services of the page.

    Args:
        orders: asks the supervisor to run a command.
        load_overview: reads experiments, progress and history.
        load_run: reads one run; raises ``NotFound``.
        load_comparison: reads two runs side by side; raises ``NotFound``.
        render_run: draws the report of one run, as one HTML file; raises ``NotFound``.
    """

    orders: LabOrderChannel
    load_overview: Callable[[], ExperimentsOverview]
    load_run: Callable[[str], object]
    load_comparison: Callable[[str, str], object]
    render_run: Callable[[str], str]


def create_pages(services: ExperimentsPageServices) -> Blueprint:
    """Build the routes."""
    pages = Blueprint("experiments", __name__, url_prefix="/lab/experiments", template_folder="templates")

    def send(order: LabOrder) -> ResponseReturnValue:
        if order.action != "abort" and (holder := services.load_overview().holder):
            raise StateConflict(f"The lab is in use ({holder.describe()}): wait for its end, or abort it.")
        services.orders.send(order)
        return redirect(url_for("experiments.index"), 303)

    @pages.get("")
    def index() -> ResponseReturnValue:
        overview, fault = None, ""
        try:
            overview = services.load_overview()
        except ConfigurationError as error:  # a mistake in an experiment's file must not hide the reason
            fault = str(error)
        order = services.orders.report()
        reload_s = RELOAD_S if order.state == "running" or (overview and overview.holder) else None
        page = render_template("lab/experiments.html", lab=overview, order=order, fault=fault, reload_s=reload_s)
        return page, NO_STORE_HEADERS

    @pages.post("/run")
    def run() -> ResponseReturnValue:
        return send(run_order(request.form.get("experiment", ""), quick=request.form.get("form") != "full"))

    @pages.post("/load")
    def load() -> ResponseReturnValue:
        return send(load_order(request.form.get("rate", ""), request.form.get("seconds", "")))

    @pages.post("/abort")
    def abort() -> ResponseReturnValue:
        return send(LabOrder("abort"))

    @pages.get("/runs/<name>")
    def show_run(name: str) -> ResponseReturnValue:
        return render_template("lab/run.html", run=services.load_run(name)), NO_STORE_HEADERS

    @pages.get("/compare")
    def compare() -> ResponseReturnValue:
        first, second = (request.args.get(name, "") for name in ("first", "second"))
        if not first or not second:
            raise BadRequest("Choose two runs in the history of the experiments.")
        return render_template("lab/compare.html", compared=services.load_comparison(first, second)), NO_STORE_HEADERS

    @pages.get("/runs/<name>/report.html")
    def download(name: str) -> ResponseReturnValue:
        report = services.render_run(name)
        # An attachment: the report has its style inside, which the policy of the store's pages forbids.
        headers = {**NO_STORE_HEADERS, "Content-Disposition": f"attachment; filename={name}.html"}
        return Response(report, mimetype="text/html", headers=headers)

    return pages
