"""The log lines of one request from every process: ``bin/shop logs --request ID`` and ``/lab/requests/ID`` show them.

Problem: one click is handled by several processes, some of them seconds later; each writes its own log.
Method: every line carries the id of its request (:mod:`shop.patterns.observability.correlation`); the lines with one id
are collected from all files and sorted by time.
"""

import json
import os
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from shop.patterns.observability.json_lines import rotated_path
from shop.patterns.observability.logs import timestamp


def find_request_lines(directory: Path, request_id: str) -> list[dict[str, Any]]:
    """Return every log line of a request, oldest first, each with the name of its process.

    Args:
        directory: the folder of the logs.
        request_id: of the request.
    """
    found, searched = [], request_id.encode()
    with ExitStack() as stack:
        for process, file in _open_logs(directory, stack):
            for line in file:
                if searched not in line:  # most lines belong to other requests: do not parse them
                    continue
                try:
                    fields = json.loads(line)
                except ValueError:
                    continue  # a line that is just being written
                if isinstance(fields, dict) and fields.get("request_id") == request_id:
                    if isinstance(fields.get("ts"), (int, float)):  # the edge writes seconds since 1970
                        fields["ts"] = timestamp(datetime.fromtimestamp(fields["ts"], UTC))
                    found.append({**fields, "process": process})
    return sorted(found, key=lambda fields: str(fields.get("ts", "")))


def _open_logs(directory: Path, stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """Open every process's log and its rotated one. A log that is rotated between the two steps is found once."""
    found: dict[int, tuple[str, BinaryIO]] = {}
    for process in sorted({path.stem.removesuffix(".1") for path in directory.glob("*.jsonl")}):
        current = directory / f"{process}.jsonl"
        for path in (current, rotated_path(current)):  # in this order, a log that is rotated meanwhile is not missed
            with suppress(FileNotFoundError):
                file = stack.enter_context(path.open("rb"))
                found.setdefault(os.fstat(file.fileno()).st_ino, (process, file))
    return list(found.values())
