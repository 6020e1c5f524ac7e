"""A channel to the supervisor of the stack: a request and a report, two small files of the run directory.

Method: a client writes a request. The supervisor reads it several times a second, acts, and writes a report that has
the request's id. Each file has one writer and is replaced whole. The two sides share no server, so a broken server is
never needed.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shop.atomic_files import atomic_write
from shop.errors import ServiceUnavailable

REPLY_TIMEOUT_S = 5.0
"""Seconds. The supervisor reads every 0.2 s, and finds the children of a server before it makes that hang."""
POLL_S = 0.02
REQUEST_ID = "request_id"


class SupervisorChannel:
    """The two files of a channel.

    Args:
        run_dir: of the stack.
        name: of the channel; part of the names of its files.
        not_ours: the message if the run directory is another user's.
    """

    def __init__(self, run_dir: Path, name: str, not_ours: str) -> None:
        self._run_dir, self._not_ours = run_dir, not_ours
        self._request_file, self._report_file = run_dir / f"{name}.request.json", run_dir / f"{name}.report.json"

    def read_request(self) -> dict[str, Any] | None:
        """Return the last request; the supervisor reads it."""
        return self._read(self._request_file)

    def read_report(self) -> dict[str, Any] | None:
        """Return the supervisor's last report.

        Raises:
            ServiceUnavailable: the run directory is another user's.
        """
        return self._read(self._report_file)

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Write a report; only the supervisor does."""
        atomic_write(self._report_file, json.dumps(report))

    def send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write a request, wait for the report on it, and return that; the caller holds the lock.

        Args:
            request: with its id under :data:`REQUEST_ID`.

        Raises:
            ServiceUnavailable: the supervisor did not answer, or the run directory is another user's.
        """
        try:
            atomic_write(self._request_file, json.dumps(request))
        except FileNotFoundError:
            raise ServiceUnavailable("No stack has run here: start it with `bin/shop up`.") from None
        except PermissionError:
            raise ServiceUnavailable(self._not_ours) from None
        deadline = time.monotonic() + REPLY_TIMEOUT_S
        while (report := self.read_report() or {}).get(REQUEST_ID) != request[REQUEST_ID]:
            if time.monotonic() > deadline:
                raise ServiceUnavailable("The stack's supervisor did not answer: does it run? See `bin/shop status`.")
            time.sleep(POLL_S)
        return report

    def delete_files(self) -> None:
        """Delete both files: a stopped stack leaves no request for its next start and no report for a client."""
        self._request_file.unlink(missing_ok=True)
        self._report_file.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one client at a time read the report, write a request and wait for it.

        Raises:
            ServiceUnavailable: the run directory is another user's.
        """
        try:
            # The directory itself is locked: a lock file would belong to the user who made it first, root or not.
            descriptor = os.open(self._run_dir, os.O_RDONLY)
        except FileNotFoundError:
            yield  # no stack has run here
            return
        except PermissionError:
            raise ServiceUnavailable(self._not_ours) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # the kernel releases it when the process dies
            yield
        finally:
            os.close(descriptor)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        except PermissionError:
            raise ServiceUnavailable(self._not_ours) from None
        return fields
