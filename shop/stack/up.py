"""Bringing the stack up: what must hold first, in which order things start, what is said at the end."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.errors import ConfigurationError
from shop.faults import FaultChannel
from shop.settings import Settings
from shop.stack import directories, edge, endpoints, http_servers, ports, postgres, valkey
from shop.stack import external_servers as outside
from shop.stack.console import StackConsole
from shop.stack.database_roles import OWNER, STORE
from shop.stack.down import stop_leftovers
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram
from shop.stack.state import StackState, StateFile
from shop.stack.supervisor import ProcessSupervisor, StartFailed, StopRequested

INNER = {"database_url": "postgres", "cache_url": "cache", "broker_url": "broker", "payments_url": "payments"}
"""Address to the name of the server that stands in when it is not set."""
WEBHOOKS = "/webhooks/payments"
"""Where the store is told what became of a payment."""


@dataclass(frozen=True)
class StackPlan:
    """A stack that can be started: every address decided, nothing running yet."""

    settings: Settings
    servers: tuple[ServerProgram, ...]
    """What schema and data need."""
    beside: tuple[ServerProgram, ...]
    """What only the store needs."""
    front: tuple[ServerProgram, ...]
    """What shoppers meet: the application, and what stands before it."""
    ports: dict[str, int]
    outside: tuple[str, ...]

    @property
    def web_url(self) -> str:
        """Return the address to open in a browser."""
        return _own_address(self.settings)


def run(settings: Settings, prepare: Sequence[str], console: StackConsole) -> None:
    """Start everything, watch it until asked to stop, stop everything.

    Args:
        settings: as the user gave them.
        prepare: the command that brings schema and data up to date; it is given the addresses.
        console: where the servers' lines go.

    Raises:
        ConfigurationError: something must be put right first; nothing was started, or it was stopped again.
        StartFailed: a server did not come up.
    """
    directories.make(settings)
    state = StateFile(settings.run_dir)
    with directories.explained(settings), state.exclusively():
        stop_leftovers(state, console.say)
        ports.require_free(settings.host, settings.port)
        settings.edge_answers_file.unlink(missing_ok=True)  # the edge counts from this start on
        plan = make_plan(settings, state.load())
        supervisor = ProcessSupervisor(state, settings.log_dir, console)
        supervisor.listen()
        state.save(_starting(plan))
        try:
            _start(plan, supervisor, prepare)
            if plan.settings.is_lab:
                supervisor.accept_faults(FaultChannel(settings.run_dir), settings.var_dir)
            _announce(plan, console)
            state.update(phase="ready")
            supervisor.run()
            console.say("stopping")
        except StopRequested:
            console.say("stopping before everything was up")
        except (ConfigurationError, StartFailed):
            console.hush()  # how the servers stop is not what went wrong
            raise
        finally:
            supervisor.stop()
            state.update(phase="stopped", supervisor=None)
            console.say("stopped; the data is kept")


def make_plan(settings: Settings, last: StackState) -> StackPlan:
    """Decide what runs here and where, checking every server that does not.

    Raises:
        ConfigurationError: an outside server is away or unfit, or one of ours cannot run on this machine.
    """
    if settings.tls_cert and not has_edge(settings):
        raise ConfigurationError(
            "SHOP_TLS_CERT is the edge's, and there is none: run with it, or unset the certificate."
        )
    theirs = tuple(name for name in INNER if getattr(settings, name) is not None)
    for name in theirs:
        outside.check(settings, name)
    ours = [name for name in INNER if name not in theirs and (name != "payments_url" or http_servers.has_payments())]
    chosen = ports.choose(tuple(INNER[name] for name in ours), last.ports)
    servers = {name: _server(name, settings, chosen[INNER[name]]) for name in ours if name != "payments_url"}
    found = {name: _url(name, settings, chosen[INNER[name]]) for name in ours}
    chosen["metrics"] = _metrics_port(settings, last)
    made = {"metrics_port": chosen["metrics"], "secret_key": endpoints.secret_key(settings)}
    made["public_address"] = settings.public_address or _own_address(settings)
    chosen |= _front_ports(settings, last.ports, chosen)
    if "payments_url" in ours:
        made |= endpoints.payments_secrets(settings)
        made["payments_webhook_address"] = settings.payments_webhook_address or _webhooks(settings, chosen)
    complete = settings.model_copy(update={**found, **made})
    beside = (http_servers.payments(complete, chosen["payments"]),) if "payments_url" in ours else ()
    front = _front(complete, chosen)
    return StackPlan(complete, tuple(servers.values()), beside, front, {**last.ports, **chosen}, theirs)


def has_edge(settings: Settings) -> bool:
    """Tell whether nginx will stand before the application."""
    return settings.edge and edge.binary() is not None


def _front_ports(settings: Settings, last: Mapping[str, int], chosen: Mapping[str, int]) -> dict[str, int]:
    """Choose the ports of the worker and, behind an edge, of the application.

    Args:
        settings: as the user gave them.
        last: ports used before, to be used again.
        chosen: ports given to others.
    """
    names = ("web", "worker") if has_edge(settings) else ("worker",)
    wanted = {name: last.get(name, 0) for name in names}
    return ports.choose(names, {name: port for name, port in wanted.items() if port not in chosen.values()})


def _front(settings: Settings, chosen: Mapping[str, int]) -> tuple[ServerProgram, ...]:
    """Describe the application and the worker behind it; before it nginx, where the application alone would be.

    Args:
        settings: complete.
        chosen: each server's port.
    """
    executable = edge.binary() if settings.edge else None
    worker = http_servers.worker(settings, chosen["worker"], with_edge=executable is not None)
    if executable is None:
        return (http_servers.web(settings), worker)
    behind = settings.model_copy(
        update={"host": ports.LOOPBACK, "port": chosen["web"], "trusted_proxies": ports.LOOPBACK}
    )
    app = f"{ports.LOOPBACK}:{chosen['web']}"
    return (http_servers.web(behind), worker, edge.nginx(executable, settings, app))


def _start(plan: StackPlan, supervisor: ProcessSupervisor, prepare: Sequence[str]) -> None:
    supervisor.start(plan.servers)
    supervisor.wait()
    supervisor.start(plan.beside)  # takes a second to be there, and nothing needs it before the store
    if "database_url" in plan.outside:
        supervisor.run_step(tuple(prepare), plan.settings.as_environment())
    else:
        port = plan.ports["postgres"]
        owner = postgres.url(plan.settings.var_dir / "pg", port, role=OWNER)
        as_owner = plan.settings.model_copy(update={"database_url": owner})
        supervisor.run_step((*prepare, "--create-on", str(port)), as_owner.as_environment())
    ports.require_free(plan.settings.host, plan.settings.port)  # the first seeding takes long enough to lose it
    supervisor.start(plan.front)
    supervisor.wait()


def _starting(plan: StackPlan) -> StackState:
    found = {name: getattr(plan.settings, name) for name in INNER}
    return StackState(
        phase="starting",
        supervisor=ProcessIdentity.of(os.getpid()),
        web_url=plan.web_url,
        urls={name: url for name, url in found.items() if url},
        outside=plan.outside,
        ports=plan.ports,
    )


def _server(name: str, settings: Settings, port: int) -> ServerProgram:
    home = settings.var_dir
    if name == "database_url":
        postgres.initialise(home / "pg")
        return postgres.program(home / "pg", port)
    if name == "cache_url":
        return valkey.cache(home / "cache", port, settings.cache_memory_mb)
    return valkey.broker(home / "broker", port)


def _url(name: str, settings: Settings, port: int) -> str:
    if name == "database_url":
        return postgres.url(settings.var_dir / "pg", port, role=STORE)
    if name in ("cache_url", "broker_url"):
        return valkey.url(settings.var_dir / INNER[name], port)
    return f"http://127.0.0.1:{port}"


def _own_address(settings: Settings) -> str:
    return f"{settings.scheme}://{http_servers.reachable(settings.host)}:{settings.port}"


def _webhooks(settings: Settings, chosen: Mapping[str, int]) -> str:
    """Return where our own simulator calls the store.

    Where the edge speaks TLS that is the application behind it: the certificate bears the store's public name, which
    may not lead to this machine, and its issuer may be known to the user alone.
    """
    if settings.scheme == "https":
        return f"http://{ports.LOOPBACK}:{chosen['web']}{WEBHOOKS}"
    return f"{_own_address(settings)}{WEBHOOKS}"


def _metrics_port(settings: Settings, last: StackState) -> int:
    """Return where figures are answered: as asked for, else on any free port, so that two stacks never meet there."""
    if "metrics_port" in settings.model_fields_set:
        for host in settings.metrics_hosts:
            ports.require_free(host, settings.metrics_port, "SHOP_METRICS_PORT", "SHOP_METRICS_HOST")
        return settings.metrics_port
    return ports.choose(("metrics",), last.ports)["metrics"]


def _say_of_the_edge(console: StackConsole) -> None:
    executable = edge.binary()
    words = edge.NO_NGINX if executable is None else edge.outdated(executable)
    if words is not None:
        console.say(words)


def _announce(plan: StackPlan, console: StackConsole) -> None:
    console.say(f"the store is open at {plan.web_url}")
    if plan.settings.edge:
        _say_of_the_edge(console)
    if "cache_url" in plan.outside and (unfit := outside.eviction_fault(plan.settings)):
        console.say(unfit)
    if plan.settings.is_lab:
        console.say(f"log in as {SHOPPER.email} or {ADMIN.email}, password {DEMO_PASSWORD}")
    console.say("Ctrl-C stops everything; `shop status` shows what runs")
