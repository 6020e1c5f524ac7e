"""The report of ``bin/shop status``: it asks every process of the stack now, and does not rely on what was started."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from urllib.parse import urlsplit

import psutil

from shop.faults import NONE, FaultChannel
from shop.settings import Settings
from shop.stack import edge, endpoints, external_servers, http_servers, postgres, valkey, var_usage
from shop.stack.faults import SERVERS
from shop.stack.ports import LOOPBACK
from shop.stack.state import ProcessRecord, StackState, StateFile
from shop.stack.var_usage import VarUsage

PROBES: Mapping[str, Callable[..., bool]] = {
    "postgres": postgres.is_ready,
    "payments": http_servers.is_ready,
    "web": http_servers.is_ready,
    "worker": http_servers.is_ready,
    "edge": edge.responds,
}
PASSWORD_URLS: Mapping[str, str] = {"cache": "cache_url", "broker": "broker_url"}
"""Servers whose probe needs a password, and the address that contains it."""
PUBLIC = ("edge", "web")
"""The first of these that runs listens on the host of the settings; the other one listens behind it."""
HEALTHY, UNHEALTHY = "well", "ill"
MB = 1_000_000


@dataclass(frozen=True)
class ProcessReport:
    """One server, with all its processes."""

    name: str
    health: str
    """``well`` (healthy), ``ill`` (unhealthy: it runs and does not answer) or ``dead``."""
    pid: int | None = None
    port: int | None = None
    processes: int = 0
    restarts: int = 0
    rss_mb: float = 0.0
    """Resident memory. A page that processes share counts in each of them."""
    pss_mb: float | None = None
    """Proportional memory. A page that processes share counts once in all. Linux only."""
    fault: str | None = None
    """The injected fault."""
    reason: str | None = None
    """Why an external server is unhealthy, and the remedy."""

    def to_row(self) -> str:
        """Return the row of the table that ``bin/shop status`` prints."""
        return (
            f"{self.name:<10} {self.health:<8} {self.pid or '':>7} {self.port or '':>6} {self.restarts:>8}"
            f" {_mb(self.rss_mb):>7} {_mb(self.pss_mb):>7}"
            + (f"  fault: {self.fault}, on purpose" if self.fault else "")
        )


@dataclass(frozen=True)
class StackReport:
    """A whole stack."""

    phase: str
    url: str
    metrics_url: str
    processes: tuple[ProcessReport, ...]
    var: VarUsage | None = None

    @property
    def is_healthy(self) -> bool:
        """Return whether the stack is ready and every server in it answers."""
        return self.phase == "ready" and all(process.health == HEALTHY for process in self.processes)

    def to_dict(self) -> dict[str, object]:
        """Return the document of ``bin/shop status --json``."""
        shares = [process.pss_mb for process in self.processes if process.pss_mb is not None]
        return {
            "phase": self.phase,
            "well": self.is_healthy,
            "url": self.url,
            "metrics_url": self.metrics_url,
            "processes": [asdict(process) for process in self.processes],
            "rss_mb": round(sum(process.rss_mb for process in self.processes), 1),
            "pss_mb": round(sum(shares), 1) if shares else None,
            "var": var_usage.to_dict(self.var),
        }


def collect_report(settings: Settings) -> StackReport:
    """Ask every process of this directory's stack for its health and its memory."""
    state = StateFile(settings.run_dir).load()
    usage = var_usage.measure(settings)
    if not state.is_running:
        return StackReport("stopped", "", "", (), usage)
    supervisor = state.supervisor.process() if state.supervisor else None
    if supervisor is None:
        reports, faults = [ProcessReport("shop", "dead")], {}
    else:
        rss, pss = _process_memory(supervisor)
        reports = [ProcessReport("shop", HEALTHY, supervisor.pid, processes=1, rss_mb=rss, pss_mb=pss)]
        active = FaultChannel(settings.run_dir).report().active
        faults = {SERVERS[name]: value for name, value in active.items() if value != NONE and name in SERVERS}
    for name, record in state.processes.items():
        reports.append(_report_server(name, record, _probe(name, state, settings), faults.get(name)))
    for name in state.external:
        reason = external_servers.failure_reason(settings.model_copy(update={name: state.urls.get(name)}), name)
        health = UNHEALTHY if reason else HEALTHY
        reports.append(ProcessReport(endpoints.SERVERS[name], health, reason=reason or None))
    metrics = f"http://127.0.0.1:{state.ports['metrics']}/metrics" if "metrics" in state.ports else ""
    phase = state.phase if supervisor is not None else "unsupervised"
    return StackReport(phase, state.web_url, metrics, tuple(reports), usage)


def format_report(report: StackReport) -> str:
    """Return a report as text for a person."""
    usage = report.var.lines() if report.var else []
    if report.phase == "stopped":
        return "\n".join(["Nothing runs. Start it with `bin/shop up`.", *usage])
    rows = [f"{'':<10} {'health':<8} {'pid':>7} {'port':>6} {'restarts':>8} {'RSS MB':>7} {'PSS MB':>7}"]
    rows += [process.to_row() for process in report.processes]
    reasons = [process.reason for process in report.processes if process.reason]
    totals = report.to_dict()
    rows.append(f"{'total':<10} {'':<32} {_mb(totals['rss_mb']):>7} {_mb(totals['pss_mb']):>7}")
    rows.append(f"{report.phase}: {report.url}, figures at {report.metrics_url}")
    if report.phase == "unsupervised":
        rows.append(
            "The supervisor was killed: nothing is restarted. `bin/shop down` stops the remaining servers,"
            " `bin/shop up` starts the stack again."
        )
    return "\n".join(rows + reasons + usage)


def _probe(name: str, state: StackState, settings: Settings) -> Callable[[int], bool]:
    """Return the probe of one server: a function that takes its port and returns whether it answers."""
    if name in PASSWORD_URLS:
        password = urlsplit(state.urls.get(PASSWORD_URLS[name], "")).password or ""
        return partial(valkey.accepts_writes, password=password)
    host = http_servers.client_host(settings.host)
    is_public = name == next((public for public in PUBLIC if public in state.processes), "")
    return partial(PROBES[name], host=host) if is_public and host != LOOPBACK else PROBES[name]


def _report_server(name: str, record: ProcessRecord, probe: Callable[[int], bool], fault: str | None) -> ProcessReport:
    leader = record.identity.process()
    if leader is None:
        return ProcessReport(name, "dead", port=record.port, restarts=record.restarts, fault=fault)
    health = HEALTHY if probe(record.port) else UNHEALTHY
    try:
        processes = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        processes = [leader]
    memory = [_process_memory(process) for process in processes]
    rss, shares = round(sum(rss for rss, _ in memory), 1), [pss for _, pss in memory if pss is not None]
    pss = round(sum(shares), 1) if shares else None
    return ProcessReport(name, health, record.pid, record.port, len(processes), record.restarts, rss, pss, fault)


def _process_memory(process: psutil.Process) -> tuple[float, float | None]:
    try:
        rss = process.memory_info().rss / MB
    except psutil.Error:
        return 0.0, None  # it ended during the report
    try:
        return round(rss, 1), round(process.memory_full_info().pss / MB, 1)
    except (psutil.Error, AttributeError):
        return round(rss, 1), None


def _mb(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) and value else ""
