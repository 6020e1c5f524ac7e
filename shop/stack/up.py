"""Starts the stack: checks what it needs, starts the servers in order, and prints the address of the store."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.errors import ConfigurationError
from shop.faults import FaultChannel
from shop.lab_orders import LabOrderChannel
from shop.settings import PROJECT_ROOT, Settings
from shop.stack import directories, edge, endpoints, external_servers, http_servers, ports, postgres, valkey
from shop.stack.console import StackConsole
from shop.stack.database_roles import OWNER, STORE
from shop.stack.down import stop_leftovers
from shop.stack.endpoints import SERVERS
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram
from shop.stack.state import StackState, StateFile
from shop.stack.supervisor import ProcessSupervisor, StartFailed, StopRequested

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
WEBHOOK_PATH = "/webhooks/payments"
"""The store's path for the webhooks of the payments provider."""


@dataclass(frozen=True)
class StackPlan:
    """A stack that can be started: all addresses are known, and nothing runs yet."""

    settings: Settings
    data_servers: tuple[ServerProgram, ...]
    """The servers that the step for schema and data needs."""
    simulators: tuple[ServerProgram, ...]
    """The servers that only the store needs."""
    store: tuple[ServerProgram, ...]
    """The application and its worker."""
    edge: tuple[ServerProgram, ...]
    """nginx in front of them, or nothing."""
    ports: dict[str, int]
    external: tuple[str, ...]
    """The addresses that the user set."""

    @property
    def web_url(self) -> str:
        """Return the address to open in a browser."""
        return _store_url(self.settings)


def run_stack(settings: Settings, prepare: Sequence[str], console: StackConsole) -> None:
    """Start the stack, supervise it until a stop is requested, and stop it.

    Args:
        settings: the user's settings.
        prepare: the command that brings schema and data up to date; its environment has the addresses.
        console: shows the lines of the servers.

    Raises:
        ConfigurationError: the user must correct something first; nothing was started, or it was stopped again.
        StartFailed: a server did not start.
    """
    began = time.monotonic()
    directories.prepare_directories(settings)
    state = StateFile(settings.run_dir)
    with directories.explain_permission_errors(settings), state.hold_lock():
        stop_leftovers(state, console.say)
        ports.require_free(settings.host, settings.port)
        for figures in (settings.edge_answers_file, settings.queue_report_file, settings.live_figures_file):
            figures.unlink(missing_ok=True)  # they count from this start on
        plan = make_plan(settings, state.load())
        supervisor = ProcessSupervisor(state, settings.log_dir, console)
        supervisor.handle_stop_signals()
        state.save(_initial_state(plan))
        try:
            _start(plan, supervisor, prepare, console)
            if plan.settings.is_lab:
                supervisor.accept_faults(FaultChannel(settings.run_dir), settings.var_dir)
                supervisor.accept_lab_orders(
                    LabOrderChannel(settings.run_dir),
                    {"SHOP_VAR_DIR": str(settings.var_dir.resolve())},
                    settings.workers,
                )
            _announce(plan, console, time.monotonic() - began)
            state.update(phase="ready")
            supervisor.run()
            console.say("stopping")
        except StopRequested:
            console.say("stopping before the stack was ready")
        except (ConfigurationError, StartFailed):
            console.mute()  # the output of the stop would hide the error
            raise
        finally:
            supervisor.stop()
            state.update(phase="stopped", supervisor=None)
            console.say("stopped; the data is kept")


def make_plan(settings: Settings, last: StackState) -> StackPlan:
    """Decide which servers the stack starts, and on which ports; check the external servers.

    Args:
        settings: the user's settings.
        last: the state of the last run; its ports are used again.

    Raises:
        ConfigurationError: an external server is away or unfit, or a server of the stack cannot run on this machine.
    """
    with_edge = has_edge(settings)
    if settings.tls_cert and not with_edge:
        raise ConfigurationError(
            "SHOP_TLS_CERT is for the edge, and there is none: run with the edge, or unset the certificate."
        )
    external = tuple(name for name in SERVERS if getattr(settings, name) is not None)
    for name in external:
        external_servers.check(settings, name)
    with_simulator = "payments_url" not in external and http_servers.has_payments_simulator()
    own = [name for name in SERVERS if name not in external and (name != "payments_url" or with_simulator)]
    chosen = ports.choose_ports(tuple(SERVERS[name] for name in own), last.ports)
    servers = {name: _own_server(name, settings, chosen[SERVERS[name]]) for name in own}
    chosen["metrics"] = _metrics_port(settings, last)
    front_names = ("web", "worker") if with_edge else ("worker",)
    remembered = {name: port for name, port in last.ports.items() if port not in chosen.values()}
    chosen |= ports.choose_ports(front_names, remembered)
    complete = _complete_settings(settings, {name: url for name, (_, url) in servers.items()}, chosen)
    data_servers = tuple(server for server, _ in servers.values() if server is not None)
    simulators = (http_servers.payments(complete, chosen["payments"]),) if with_simulator else ()
    return StackPlan(complete, data_servers, simulators, *_front(complete, chosen), {**last.ports, **chosen}, external)


def has_edge(settings: Settings) -> bool:
    """Return whether nginx will run in front of the application."""
    return settings.edge and edge.find_binary() is not None


def _own_server(name: str, settings: Settings, port: int) -> tuple[ServerProgram | None, str]:
    """Return a server of the stack and its address; no program for the simulator, which needs complete settings.

    Args:
        name: the settings field of the address.
        settings: the user's settings.
        port: the server's port.
    """
    home = settings.var_dir
    if name == "database_url":
        postgres.initialise(home / "pg")
        return postgres.program(home / "pg", port), postgres.url(home / "pg", port, role=STORE)
    if name == "cache_url":
        return valkey.cache(home / "cache", port, settings.cache_memory_mb), valkey.url(home / "cache", port)
    if name == "broker_url":
        return valkey.broker(home / "broker", port), valkey.url(home / "broker", port)
    return None, f"http://{ports.LOOPBACK}:{port}"


def _complete_settings(settings: Settings, urls: Mapping[str, str], chosen: Mapping[str, int]) -> Settings:
    """Return the settings with all addresses, ports and secrets.

    With TLS at the edge, the simulator calls the application behind it: the certificate bears the store's public name,
    which may not lead to this machine, and its issuer may be known to the user alone.

    Args:
        settings: the user's settings.
        urls: the addresses of the stack's own servers, by settings field.
        chosen: the port of each server.
    """
    store = _store_url(settings)
    known: dict[str, object] = {**urls, "metrics_port": chosen["metrics"], "secret_key": endpoints.secret_key(settings)}
    known["public_address"] = settings.public_address or store
    if "payments_url" in urls:
        webhook_host = f"http://{ports.LOOPBACK}:{chosen['web']}" if settings.scheme == "https" else store
        known |= endpoints.payments_secrets(settings)
        known["payments_webhook_address"] = settings.payments_webhook_address or f"{webhook_host}{WEBHOOK_PATH}"
    return settings.model_copy(update=known)


def _front(
    settings: Settings, chosen: Mapping[str, int]
) -> tuple[tuple[ServerProgram, ...], tuple[ServerProgram, ...]]:
    """Return the application with its worker, and the edge; with an edge, nginx listens on the public port.

    Args:
        settings: complete.
        chosen: the port of each server.
    """
    nginx = edge.find_binary() if settings.edge else None
    worker = http_servers.worker(settings, chosen["worker"], with_edge=nginx is not None)
    if nginx is None:
        return (http_servers.web(settings), worker), ()
    behind = settings.model_copy(
        update={"host": ports.LOOPBACK, "port": chosen["web"], "trusted_proxies": ports.LOOPBACK}
    )
    app = f"{ports.LOOPBACK}:{chosen['web']}"
    return (http_servers.web(behind), worker), (edge.nginx(nginx, settings, app),)


def _start(plan: StackPlan, supervisor: ProcessSupervisor, prepare: Sequence[str], console: StackConsole) -> None:
    _say_starting(plan.data_servers, console)
    supervisor.start(plan.data_servers)
    supervisor.wait_until_ready()
    supervisor.start(plan.simulators)  # the simulator needs a second to start, and only the store needs it
    console.say("preparing schema and data; the first time, this loads the data")
    if "database_url" in plan.external:
        supervisor.run_step(tuple(prepare), plan.settings.as_environment())
    else:
        port = plan.ports["postgres"]
        owner = postgres.url(plan.settings.var_dir / "pg", port, role=OWNER)
        as_owner = plan.settings.model_copy(update={"database_url": owner})
        supervisor.run_step((*prepare, "--create-on", str(port)), as_owner.as_environment())
    # Again: the first seeding takes so long that another process may have taken the port meanwhile.
    ports.require_free(plan.settings.host, plan.settings.port)
    _say_starting((*plan.store, *plan.edge), console)
    supervisor.start(plan.store)
    supervisor.wait_until_ready()
    supervisor.start(plan.edge)  # last: before the store answers, it could only log that it cannot reach it
    supervisor.wait_until_ready()


def _say_starting(programs: Sequence[ServerProgram], console: StackConsole) -> None:
    if programs:
        console.say(f"starting {', '.join(program.name for program in programs)}")


def _initial_state(plan: StackPlan) -> StackState:
    addresses = {name: getattr(plan.settings, name) for name in SERVERS}
    return StackState(
        phase="starting",
        supervisor=ProcessIdentity.of(os.getpid()),
        web_url=plan.web_url,
        urls={name: url for name, url in addresses.items() if url},
        external=plan.external,
        ports=plan.ports,
    )


def _store_url(settings: Settings) -> str:
    return f"{settings.scheme}://{http_servers.client_host(settings.host)}:{settings.port}"


def _metrics_port(settings: Settings, last: StackState) -> int:
    """Return the port of the metrics: the one that is set, else any free one, so that two stacks never use the same."""
    if "metrics_port" in settings.model_fields_set:
        for host in settings.metrics_hosts:
            ports.require_free(host, settings.metrics_port, "SHOP_METRICS_PORT", "SHOP_METRICS_HOST")
        return settings.metrics_port
    return ports.choose_ports(("metrics",), last.ports)["metrics"]


def _announce(plan: StackPlan, console: StackConsole, seconds: float) -> None:
    """Print what the user needs next; the last line is the command for a second terminal."""
    console.say(f"the store is open at {plan.web_url}, after {seconds:.0f} s")
    if plan.settings.edge and (warning := _edge_warning(plan.settings)):
        console.say(warning)
    if "cache_url" in plan.external and (warning := external_servers.eviction_warning(plan.settings)):
        console.say(warning)
    if plan.settings.is_lab:
        console.say(f"log in as {SHOPPER.email} or {ADMIN.email}, password {DEMO_PASSWORD}")
    console.say(f"Ctrl-C stops everything, the data stays; the servers' own lines are in {plan.settings.log_dir}")
    console.say(f"type in a second terminal: {second_terminal_command(plan.settings)}")


def second_terminal_command(settings: Settings) -> str:
    """Return what to type in a second terminal; the pages' ``curl`` commands read another port than the default there.

    Args:
        settings: of the running stack.
    """
    words = [f"cd {shlex.quote(str(PROJECT_ROOT))}"]
    if settings.port != Settings.model_fields["port"].default:
        words.append(f"export SHOP_PORT={settings.port}")
    words.append("bin/shop lab demo" if settings.is_lab else "bin/shop status")
    return " && ".join(words)


def _edge_warning(settings: Settings) -> str | None:
    """Return a warning about nginx; its published flaws concern a store that other machines can reach."""
    nginx = edge.find_binary()
    if nginx is None:
        return edge.NO_NGINX
    is_private = settings.is_lab and settings.host in LOOPBACK_HOSTS
    return None if is_private else edge.version_warning(nginx)
