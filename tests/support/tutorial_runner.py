"""The tutorial, typed: its commands in one terminal, and what of their output is the same on every machine."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shop.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "tutorial" / "first-hour.md"
ADDRESS = "http://127.0.0.1:8080"
STEP = re.compile(r"```sh\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)
NOT_TYPED = ("make run", "shop lab run")
"""The start is the fixture's business, and the experiment takes minutes."""
WAITED_MS = 90
TIMEOUT_S = 120
# As a reader types, who goes on after what fails; a busy machine is given more time than a reader has to wait.
TERMINAL = """
sleep() { command sleep "$1"; command sleep 1.5; }
"""
NEXT = "---- the next step ----"
OF_ONE_RUN = [
    (r"^\d{4}-\d\d-\d\dT\S+Z", "AT"),
    (r"\b(ord|evt)_\w+", r"\1_"),
    (r"\b(db|render|total);dur=[\d.]+", r"\1"),
    (r"\b(duration_ms|duration_s|app_s|age_s|bytes|queries|ttl)=[\d.]+", r"\1"),
    (r"\bmessage_id=[0-9a-f-]{36}", "message_id"),
    (r"(http://127\.0\.0\.1):\d+", r"\1"),
    (r"^(total|\w+ +(?:well|ill))[ \d.]+$", r"\1"),  # a row of `shop status`
    (r"[\d.,]+ MB", "MB"),
    (r" +", " "),
]


@dataclass(frozen=True)
class Step:
    """What is typed, and what the page says is printed then."""

    commands: str
    printed: str


def steps() -> Sequence[Step]:
    """Return what the tutorial has its reader type, in order."""
    found = [Step(*step) for step in STEP.findall(PAGE.read_text())]
    return [step for step in found if not any(command in step.commands for command in NOT_TYPED)]


def typed(todo: Sequence[Step], address: str, environment: Mapping[str, str], home: Path) -> list[str]:
    """Type all steps in one terminal, and return what each printed.

    Args:
        todo: the steps, in order.
        address: where the store really is.
        environment: the terminal's.
        home: the directory it is in; `.venv/bin/shop` is made there.
    """
    command = home / ".venv" / "bin" / "shop"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m shop.cli "$@"\n')
    command.chmod(0o755)
    script = TERMINAL + f"echo '{NEXT}'\n".join(step.commands.replace(ADDRESS, address) for step in todo)
    done = subprocess.run(
        ["sh"],
        input=script,
        cwd=home,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert not done.stderr, done.stderr
    return done.stdout.split(f"{NEXT}\n")


def lasting(printed: str) -> list[str]:
    """Return what was printed without what differs from run to run; lines of logs sorted, as two may share a time."""
    lines = [_lasting(line) for line in printed.splitlines()]
    return sorted(lines, key=lambda line: line if line.startswith("AT ") else "")


def _lasting(line: str) -> str:
    line = re.sub(r"cache;dur=([\d.]+)", lambda took: "cache waited" if float(took[1]) > WAITED_MS else "cache", line)
    for pattern, instead in OF_ONE_RUN:
        line = re.sub(pattern, instead, line)
    return line.strip()
