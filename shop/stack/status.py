"""What runs, asked now: not what was started once."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from urllib.parse import urlsplit

import psutil

from shop.faults import NONE, FaultChannel
from shop.settings import Settings
from shop.stack import edge, external_servers, http_servers, postgres, valkey, var_usage
from shop.stack.faults import SERVERS
from shop.stack.ports import LOOPBACK
from shop.stack.process_identity import ProcessIdentity
from shop.stack.state import ProcessRecord, StackState, StateFile
from shop.stack.var_usage import VarUsage

PROBES: Mapping[str, Callable[..., bool]] = {
    "postgres": postgres.answers,
    "payments": http_servers.answers,
    "web": http_servers.answers,
    "worker": http_servers.answers,
    "edge": edge.responds,
}
BY_PASSWORD: Mapping[str, str] = {"cache": "cache_url", "broker": "broker_url"}
"""Servers that answer those who know the password in this address."""
PUBLIC = ("edge", "web")
"""The first of these that runs listens where the settings say, the other behind it."""
SERVES = {"database_url": "postgres", "cache_url": "cache", "broker_url": "broker", "payments_url": "payments"}
MB = 1_000_000


@dataclass(frozen=True)
class ProcessReport:
    """One server, with every process it consists of."""

    name: str
    health: str
    """``well``, ``ill`` (runs and does not answer), ``dead`` or ``starting``."""
    pid: int | None = None
    port: int | None = None
    processes: int = 0
    restarts: int = 0
    rss_mb: float = 0.0
    """Resident memory; pages shared between processes count in each of them."""
    pss_mb: float | None = None
    """Proportional memory: a shared page counts once in all. Linux only."""
    fault: str | None = None
    """What is being done to it on purpose."""
    reason: str | None = None
    """Why a server that is not ours is ill, and what to do."""


@dataclass(frozen=True)
class StackReport:
    """A whole stack."""

    phase: str
    url: str
    metrics_url: str
    processes: tuple[ProcessReport, ...]
    var: VarUsage | None = None

    @property
    def well(self) -> bool:
        """Tell whether it is up and everything in it answers."""
        return self.phase == "ready" and all(found.health == "well" for found in self.processes)

    def to_dict(self) -> dict[str, object]:
        """Return the document of ``shop status --json``."""
        return {
            "phase": self.phase,
            "well": self.well,
            "url": self.url,
            "metrics_url": self.metrics_url,
            "processes": [asdict(found) for found in self.processes],
            "rss_mb": round(sum(found.rss_mb for found in self.processes), 1),
            "pss_mb": _total_pss(self.processes),
            "var": var_usage.to_dict(self.var),
        }


def look(settings: Settings) -> StackReport:
    """Ask every process of this directory's stack how it is."""
    state = StateFile(settings.run_dir).load()
    usage = var_usage.measure(settings)
    if not state.runs:
        return StackReport("stopped", "", "", (), usage)
    supervised = state.supervisor is not None and state.supervisor.alive
    found = [_supervisor(state.supervisor, alive=supervised)]
    faults = FaultChannel(settings.run_dir).report().active if supervised else {}
    broken = {SERVERS[name]: value for name, value in faults.items() if value != NONE and name in SERVERS}
    found += [
        replace(_process(name, record, _probe(name, state, settings)), fault=broken.get(name))
        for name, record in state.processes.items()
    ]
    found += [_theirs(name, state, settings) for name in state.outside]
    metrics = f"http://127.0.0.1:{state.ports['metrics']}/metrics" if "metrics" in state.ports else ""
    return StackReport(state.phase if supervised else "unsupervised", state.web_url, metrics, tuple(found), usage)


def table(report: StackReport) -> str:
    """Write a report for people."""
    kept = report.var.lines() if report.var else []
    if report.phase == "stopped":
        return "\n".join(["Nothing runs. Start it with `shop up`.", *kept])
    rows = [f"{'':<10} {'health':<8} {'pid':>7} {'port':>6} {'restarts':>8} {'RSS MB':>7} {'PSS MB':>7}"]
    rows += [_row(found) for found in report.processes]
    reasons = [found.reason for found in report.processes if found.reason]
    whole = report.to_dict()
    rows.append(f"{'total':<10} {'':<32} {_mb(whole['rss_mb']):>7} {_mb(whole['pss_mb']):>7}")
    rows.append(f"{report.phase}: {report.url}, figures at {report.metrics_url}")
    if report.phase == "unsupervised":
        rows.append(
            "The supervisor was killed: nothing is restarted. `shop down` stops what is left, `shop up` starts afresh."
        )
    return "\n".join(rows + reasons + kept)


def _probe(name: str, state: StackState, settings: Settings) -> Callable[[int], bool]:
    """Return what asks one server, by its port, whether it answers."""
    if name in BY_PASSWORD:
        password = urlsplit(state.urls.get(BY_PASSWORD[name], "")).password or ""
        return partial(valkey.takes_writes, password=password)
    host = http_servers.reachable(settings.host)
    is_public = name == next((public for public in PUBLIC if public in state.processes), "")
    return partial(PROBES[name], host=host) if is_public and host != LOOPBACK else PROBES[name]


def _process(name: str, record: ProcessRecord, answers: Callable[[int], bool]) -> ProcessReport:
    process = record.identity.process()
    if process is None:
        return ProcessReport(name, "dead", port=record.port, restarts=record.restarts)
    health = "well" if answers(record.port) else "ill"
    count, rss, pss = _memory(process)
    return ProcessReport(name, health, record.pid, record.port, count, record.restarts, rss, pss)


def _supervisor(identity: ProcessIdentity | None, *, alive: bool) -> ProcessReport:
    process = identity.process() if identity and alive else None
    if process is None:
        return ProcessReport("shop", "dead")
    rss, pss = _one(process)
    return ProcessReport("shop", "well", process.pid, processes=1, rss_mb=rss, pss_mb=pss)


def _theirs(name: str, state: StackState, settings: Settings) -> ProcessReport:
    there = settings.model_copy(update={name: state.urls.get(name)})
    reason = external_servers.fault(there, name)
    return ProcessReport(SERVES[name], "ill" if reason else "well", reason=reason or None)


def _memory(leader: psutil.Process) -> tuple[int, float, float | None]:
    try:
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        family = [leader]
    found = [_one(member) for member in family]
    shares = [pss for _, pss in found if pss is not None]
    return len(family), round(sum(rss for rss, _ in found), 1), round(sum(shares), 1) if shares else None


def _one(process: psutil.Process) -> tuple[float, float | None]:
    try:
        rss = process.memory_info().rss / MB
    except psutil.Error:
        return 0.0, None  # it ended while we looked
    try:
        return round(rss, 1), round(process.memory_full_info().pss / MB, 1)
    except (psutil.Error, AttributeError):
        return round(rss, 1), None


def _total_pss(found: tuple[ProcessReport, ...]) -> float | None:
    shares = [one.pss_mb for one in found if one.pss_mb is not None]
    return round(sum(shares), 1) if shares else None


def _row(found: ProcessReport) -> str:
    return (
        f"{found.name:<10} {found.health:<8} {found.pid or '':>7} {found.port or '':>6} {found.restarts:>8}"
        f" {_mb(found.rss_mb):>7} {_mb(found.pss_mb):>7}"
        + (f"  fault: {found.fault}, on purpose" if found.fault else "")
    )


def _mb(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) and value else ""
