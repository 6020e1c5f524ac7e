"""The composition root of the lab console. Only web processes of the lab profile use it."""

import math
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from shop.errors import ServiceUnavailable
from shop.faults import FaultChannel
from shop.lab_console.experiments_pages import ExperimentsOverview, ExperimentsPageServices
from shop.lab_console.live_snapshot import LiveSnapshot
from shop.lab_console.live_state import describe_state
from shop.lab_console.services import LabConsoleServices
from shop.lab_orders import LabOrderChannel
from shop.mail.mailer import latest_mails, mails_with_ids
from shop.mail.models import Mail
from shop.patterns.caching.inspection import MaxMemory
from shop.patterns.edge.hit_counter import DURATION_BOUNDS_MS, EdgeTotals
from shop.patterns.observability import metrics_summary
from shop.patterns.observability.live_figures import EdgeReading, SumsReading
from shop.patterns.observability.live_sums import WebSumsReader
from shop.patterns.queue.queue_report import QueueReport
from shop.settings import Settings
from shop.switches.attempt_slots import AttemptSlots
from shop.wiring import ProcessRuntime


def build_lab_console(runtime: ProcessRuntime) -> LabConsoleServices:
    """Build the services of the lab console on a process's runtime; nothing is connected yet."""
    settings = runtime.settings
    channel, orders = FaultChannel(settings.run_dir), LabOrderChannel(settings.run_dir)
    web_sums = WebSumsReader(runtime.metrics.registry)

    def summarise() -> metrics_summary.MetricsSummary:
        edge = EdgeTotals.load(settings.edge_answers_file)
        return metrics_summary.collect(
            runtime.metrics.registry,
            metrics_summary.EdgeSums(edge.requests, edge.failed, edge.lookups) if edge else None,
        )

    def read_sums() -> SumsReading:
        return SumsReading(time.time(), web_sums.read(), _edge_reading(EdgeTotals.load(settings.edge_answers_file)))

    def live_state(reading: SumsReading) -> Mapping[str, Any]:
        faults, order = {}, ""
        with suppress(ServiceUnavailable):  # the stack is another user's: its reports cannot be read
            faults, report = channel.report().active, orders.report()
            order = report.command if report.state == "running" else ""
        queue = QueueReport.load(settings.queue_report_file)
        return describe_state(reading, queue, faults, runtime.switch_poller.current().digest, order)

    def newest_mails(count: int) -> list[Mail]:
        with runtime.database.reading() as session:
            return latest_mails(session, count)

    def find_mails(message_ids: Collection[str]) -> list[Mail]:
        with runtime.database.reading() as session:
            return mails_with_ids(session, message_ids)

    def load_exercises() -> object:
        from shop.exercises.exercise_map import load_map  # only a reader of that page needs the exercises

        return load_map(settings.var_dir)

    return LabConsoleServices(
        settings=settings,
        switch_store=runtime.switch_store,
        slots=AttemptSlots(settings.var_dir),
        poller=runtime.switch_poller,
        fault_channel=channel,
        orders=orders,
        max_memory=MaxMemory(settings.cache_url) if settings.cache_url else None,
        summarise=summarise,
        live=LiveSnapshot(settings.live_figures_file, read_sums, live_state),
        latest_mails=newest_mails,
        mails_with_ids=find_mails,
        load_exercises=load_exercises,
    )


def build_experiments_page(settings: Settings) -> ExperimentsPageServices:
    """Build the services of the page of the experiments; the lab's code is imported when the page is requested."""
    folder = settings.var_dir / "lab"

    def load_overview() -> ExperimentsOverview:
        from shop.lab.run_overview import load_overview

        return load_overview(folder)

    def load_run(name: str) -> object:
        from shop.lab.run_overview import load_run

        return load_run(folder, name)

    def load_comparison(first: str, second: str) -> object:
        from shop.lab.run_overview import load_comparison

        return load_comparison(folder, first, second)

    def render_run(name: str) -> str:
        from shop.lab.run_overview import render_run

        return render_run(folder, name)

    orders = LabOrderChannel(settings.run_dir)
    return ExperimentsPageServices(orders, load_overview, load_run, load_comparison, render_run)


def _edge_reading(totals: EdgeTotals | None) -> EdgeReading | None:
    """Return the edge's totals as the live figures read them; ``None`` without an edge."""
    if totals is None:
        return None
    counts = metrics_summary.count_lookups(totals.lookups)
    bounds_s = (*(bound / 1000 for bound in DURATION_BOUNDS_MS), math.inf)
    return EdgeReading(
        at=totals.saved_at,
        requests=totals.requests,
        failed=totals.failed,
        hits=counts.hits,
        not_modified=totals.not_modified,
        lookups=counts.lookups,
        durations=dict(zip(bounds_s, totals.durations, strict=True)),
    )
