"""Runs the tutorial's commands in one shell, and removes the parts of their output that differ between runs."""

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
NOT_TYPED = ("make run", "bin/shop lab run")
"""The fixture starts the store, and the experiment takes minutes."""
WAITED_MS = 90
TIMEOUT_S = 120
# A failed command does not end the shell. A pause is longer than in the tutorial, for a busy machine.
TERMINAL = """
sleep() { command sleep "$1"; command sleep 1.5; }
"""
NEXT = "---- the next step ----"
VARIABLE_PARTS = [
    (r"^\d{4}-\d\d-\d\dT\S+Z", "AT"),
    (r"\b(ord|evt)_\w+", r"\1_"),
    (r"\b(db|render|total);dur=[\d.]+", r"\1"),
    (r'\breq;desc="[^"]+"', "req"),
    (r"\b(duration_ms|duration_s|app_s|age_s|bytes|queries|ttl)=[\d.]+", r"\1"),
    (r"\bmessage_id=[0-9a-f-]{36}", "message_id"),
    (r"(http://127\.0\.0\.1):\d+", r"\1"),
    (r"^(total|\w+ +(?:well|ill))[ \d.]+$", r"\1"),  # a row of `bin/shop status`
    (r"[\d.,]+ MB", "MB"),
    (r" +", " "),
]


@dataclass(frozen=True)
class Step:
    """The commands of one step, and their output on the page."""

    commands: str
    printed: str


def steps() -> Sequence[Step]:
    """Return the steps of the tutorial, in order."""
    found = [Step(*step) for step in STEP.findall(PAGE.read_text())]
    return [step for step in found if not any(command in step.commands for command in NOT_TYPED)]


def type_steps(todo: Sequence[Step], address: str, environment: Mapping[str, str], home: Path) -> list[str]:
    """Run all steps in one shell, and return the output of each.

    Args:
        todo: the steps, in order.
        address: the actual address of the store.
        environment: of the shell.
        home: its working directory; `bin/shop` is made there.
    """
    command = home / "bin" / "shop"
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


def stable_lines(printed: str) -> list[str]:
    """Return the lines without their variable parts; log lines sorted, because two may have the same time."""
    lines = [_lasting(line) for line in printed.splitlines()]
    return sorted(lines, key=lambda line: line if line.startswith("AT ") else "")


def _lasting(line: str) -> str:
    line = re.sub(r"cache;dur=([\d.]+)", lambda took: "cache waited" if float(took[1]) > WAITED_MS else "cache", line)
    for pattern, instead in VARIABLE_PARTS:
        line = re.sub(pattern, instead, line)
    return line.strip()
