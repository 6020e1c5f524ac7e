"""Runs the commands that the lab's page orders: one at a time, as children of the supervisor."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shop.lab_orders import LabOrder, LabOrderChannel, LabOrderReport
from shop.stack import process_identity
from shop.stack.web_processes import WebProcessCount

LAB = (sys.executable, "-m", "shop.cli", "lab")
STOP_TIMEOUT_S = 30.0
"""Seconds for an aborted command to restore the store: a killed server needs some until it is ready again."""
POLL_S = 0.05
TAIL_BYTES = 4096


class LabCommandRunner:
    """Starts the ordered command, watches it, and reports its state.

    Args:
        channel: carries orders and reports.
        log: receives the output of the command; emptied at its start.
        env: added to the environment of the command.
        processes: changes the number of web processes; ``None`` if it cannot be changed.
        argv: the command before the words of an order.
    """

    def __init__(
        self,
        channel: LabOrderChannel,
        log: Path,
        env: Mapping[str, str],
        processes: WebProcessCount | None = None,
        argv: tuple[str, ...] = LAB,
    ) -> None:
        self._channel, self._log, self._env, self._argv = channel, log, env, argv
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None
        self._report = LabOrderReport()
        channel.close()  # an order ends with its stack
        self._publish()

    def run_once(self) -> list[str]:
        """Report an ended command and handle a new order, if there is one; return lines for the console."""
        if self._processes is not None:
            self._processes.run_once()
        lines = self._report_end()
        order = self._channel.pending_order()
        if order is None or order.request_id == self._report.request_id:
            return lines
        refused = self._handle(order)
        self._publish(refused=refused, request_id=order.request_id)
        return [*lines, *([] if refused else [f"lab: as ordered: {' '.join(order.words) or order.action}"])]

    def end(self, keep_alive: Callable[[], object] = lambda: None) -> None:
        """Abort a running command, wait until it has restored the store, and delete the files.

        Args:
            keep_alive: called while the command ends: it may need the end of a fault.
        """
        if (process := self._process) is not None:
            self._abort()
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while process.poll() is None and time.monotonic() < deadline:
                keep_alive()
                time.sleep(POLL_S)
            process_identity.kill_group(process.pid)
            process.wait()
        self._channel.close()

    def _handle(self, order: LabOrder) -> str:
        """Carry out an order; return why not, if it is refused."""
        if order.action == "abort":
            return self._abort()
        return self._resize(order) if order.action == "processes" else self._start(order)

    def _resize(self, order: LabOrder) -> str:
        if self._processes is None:
            return "The web server is no part of this stack."
        self._processes.wanted = int(order.words[0])
        return ""

    def _start(self, order: LabOrder) -> str:
        """Start a command; return why not, if one runs."""
        if self._process is not None:
            return f"`{self._report.command}` is running (pid {self._process.pid}): wait for its end, or abort it."
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._argv, *order.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **self._env},
                start_new_session=True,
            )
        since = datetime.now(UTC).isoformat(timespec="seconds")
        command = shlex.join(("bin/shop", "lab", *order.words))
        self._report = LabOrderReport("running", command, since, self._process.pid)
        return ""

    def _abort(self) -> str:
        """Interrupt the command, as Ctrl-C does; return why not, if none runs."""
        if self._process is None:
            return "No ordered command is running."
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        return ""

    def _report_end(self) -> list[str]:
        if self._process is None or (exit_code := self._process.poll()) is None:
            return []
        self._process = None
        self._publish(state="ended", exit_code=exit_code, last_line=self._last_line())
        return [f"lab: ended with exit code {exit_code}: {self._report.command}"]

    def _last_line(self) -> str:
        with suppress(OSError), self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
            return lines[-1].removeprefix("shop: ") if lines else ""
        return ""

    def _publish(self, **changes: object) -> None:
        wanted = self._processes.wanted if self._processes else 0
        self._report = replace(self._report, **{"refused": "", "web_processes": wanted, **changes})  # type: ignore[arg-type]  # callers name fields
        self._channel.publish_report(self._report)
