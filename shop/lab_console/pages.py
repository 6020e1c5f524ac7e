"""The pages below ``/lab``: switches, faults, live figures, mail and exercises. Registered in the lab profile only."""

import json

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop.errors import ConfigurationError
from shop.lab_console import docs_pages, faults_api, page_state, switch_guide, switches_api
from shop.lab_console.request_pages import add_request_pages, without_own_requests
from shop.lab_console.services import LabConsoleServices
from shop.lab_orders import LabOrder, load_order
from shop.patterns.observability import recent_requests
from shop.switches.parameters import parse_number
from shop.web.private_response import NO_STORE_HEADERS

SHOWN_REQUESTS = 6
SHOWN_MAILS = 20
SHOWN_NOTES = 3
RECENT_REQUESTS = 200
"""Rates and shares are computed from so many requests: a few seconds under load, more than one person's clicks."""


def create_pages(services: LabConsoleServices) -> Blueprint:
    """Build the routes."""
    logs, site = services.settings.log_dir, docs_pages.site_folder(services.settings.var_dir)
    pages = Blueprint("lab", __name__, url_prefix="/lab", template_folder="templates")
    add_request_pages(pages, services)

    def back() -> ResponseReturnValue:
        """Return to the page, in the same size of type."""
        return redirect(url_for("lab.index", wall=request.args.get("wall")), 303)

    @pages.get("")
    def index() -> ResponseReturnValue:
        last = recent_requests.last_requests(logs / "web.jsonl", logs / "edge.jsonl", RECENT_REQUESTS)
        recent = recent_requests.summarise(last)
        chapters = switch_guide.group_switches(switches_api.describe_all(services))
        faults = faults_api.describe_all(services.fault_channel)
        live = json.loads(services.live.newest())
        page = render_template(
            "lab/index.html",
            wall=request.args.get("wall"),
            chapters=chapters,
            changed=page_state.changed_settings(chapters.values(), services.changed_parameters(), faults),
            attempts=services.attempt_reports(),
            shown_notes=SHOWN_NOTES,
            faults=faults,
            figures=services.summarise(),
            state=live["state"],
            order=services.orders.report(),
            has_docs=docs_pages.is_built(site),
            stamp=page_state.stamp(live["state"]),
            recent=recent,
            layers=page_state.share_layers(dict(recent.answered_by)),
            requests=without_own_requests(last)[:SHOWN_REQUESTS],
        )
        return page, NO_STORE_HEADERS

    @pages.get("/mail")
    def mail() -> ResponseReturnValue:
        return render_template("lab/mail.html", mails=services.latest_mails(SHOWN_MAILS)), NO_STORE_HEADERS

    @pages.get("/exercises")
    def exercises() -> ResponseReturnValue:
        exercise_map, fault = None, ""
        try:
            exercise_map = services.load_exercises()
        except ConfigurationError as error:  # a damaged file of progress must not hide the reason
            fault = str(error)
        in_force = [report for report in services.attempt_reports() if report.since]
        page = render_template(
            "lab/exercises.html",
            map=exercise_map,
            fault=fault,
            in_force=in_force,
            has_docs=docs_pages.is_built(site),
        )
        return page, NO_STORE_HEADERS

    @pages.post("/switches/<name>")
    def set_switch(name: str) -> ResponseReturnValue:
        services.set_switch(name, request.form.get("value", ""))
        return back()

    @pages.post("/parameters/<name>")
    def set_parameter(name: str) -> ResponseReturnValue:
        services.set_parameter(name, parse_number(name, request.form.get("value", "")))
        return back()

    @pages.post("/faults/<name>")
    def set_fault(name: str) -> ResponseReturnValue:
        services.fault_channel.request(name, request.form.get("value", ""))
        return back()

    @pages.post("/load")
    def offer_load() -> ResponseReturnValue:
        services.orders.send(load_order(request.form.get("rate", ""), request.form.get("seconds", "")))
        return back()

    @pages.post("/stop")
    def stop_load() -> ResponseReturnValue:
        services.orders.send(LabOrder("abort"))
        return back()

    @pages.post("/mend")
    def clear_faults() -> ResponseReturnValue:
        services.fault_channel.clear()
        return back()

    @pages.post("/restore")
    def put_all_back() -> ResponseReturnValue:
        services.put_all_back()
        return back()

    @pages.post("/reset")
    def reset() -> ResponseReturnValue:
        services.reset_switches()
        return back()

    return pages
