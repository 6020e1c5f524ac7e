"""Runs the command blocks of a page in one shell, and compares what they print with what the page shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shop.settings import PROJECT_ROOT
from tests.support.command_blocks import CommandBlock
from tests.support.stack_instance import StackInstance

ADDRESS = "http://127.0.0.1:8080"
WAITED_MS = 90
TIMEOUT_S = 300
LINKED = ("docs", "findings", "loadtests", "tests", "shop", "pyproject.toml")
"""Parts of the checkout that a reader's commands name. No block that a test runs changes them."""
ANSWER = b"y\n"
"""To each question of a command."""
ANSWERS = 20
TERMINAL = """
set -E -o pipefail
trap 'echo "$?: $BASH_COMMAND" >> "$FAILED"' ERR
"""
"""A failed command is noted and does not end the shell."""
SLOW_TERMINAL = """
sleep() { command sleep "$1"; command sleep 1.5; }
"""
"""A pause is longer than on the page, for a busy machine."""
NEXT = "---- the next step ----"
MAY_FAIL = (
    r"1: bin/shop exercise check\b",  # the answers of the pages are wrong on purpose
    r"1: bin/shop lab (run|report)\b",  # on a busy machine, the figures may prove nothing
    r"1: bin/shop books\b",  # an earlier block, or a test on the same store, has left a mismatch
    r"1: \.venv/bin/(locust|python loadtests/)",  # on a busy machine, a request may fail
    r"1: grep -c\b",  # nothing was counted
    r"141: ",  # of a pipeline: a reader such as head has read enough
)
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
CONTINUED = re.compile(r"\n {12}(?=\S)")
"""Between the lines of one long entry of a check, on a page of 120 columns."""
LEFT_OUT = "…"
"""On a page: any text."""


@dataclass(frozen=True)
class PageRun:
    """What the blocks of a page came to.

    Args:
        printed: the output of each block.
        errors: the standard error of all of them.
        failed: exit code and text of each command that failed, and may not.
    """

    printed: Sequence[str]
    errors: str
    failed: Sequence[str]


def run_blocks(
    blocks: Sequence[CommandBlock],
    stack: StackInstance,
    home: Path,
    *,
    slowly: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> PageRun:
    """Run blocks in one shell, as in the directory of a checkout.

    Args:
        blocks: of one page, in order.
        stack: the running store.
        home: a folder that is made for it; the store's account can read it.
        slowly: wait longer where a page waits.
        timeout_s: for all of them.
    """
    _lay_out(home, stack.var)
    steps = (block.commands.replace(ADDRESS, f"http://127.0.0.1:{stack.port}") for block in blocks)
    script = TERMINAL + SLOW_TERMINAL * slowly + f"echo '{NEXT}'\n".join(steps)
    failed = home / "failed"
    (home / "script").write_text(script)
    with _keyboard() as keyboard:
        done = subprocess.run(
            ["bash", str(home / "script")],
            stdin=keyboard,
            cwd=home,
            env={
                **os.environ,
                **stack.environment,
                "SHOP_EXERCISES_DIR": str(home / "exercises"),
                "FAILED": str(failed),
            },
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    lines = failed.read_text().splitlines() if failed.exists() else []
    printed = done.stdout.replace(f"{home}/", "")  # a command names files of the checkout without its directory
    return PageRun(
        printed.split(f"{NEXT}\n"), done.stderr, [line for line in lines if not re.match("|".join(MAY_FAIL), line)]
    )


@contextmanager
def _keyboard() -> Iterator[int]:
    """Yield the descriptor of a terminal at which each question is answered: commands ask only at a terminal."""
    controller, terminal = os.openpty()
    try:
        os.write(controller, ANSWER * ANSWERS)
        yield terminal
    finally:
        os.close(terminal)
        os.close(controller)


def _lay_out(home: Path, var: Path) -> None:
    """Make a directory like a checkout: `bin/shop`, `.venv`, `var`, and the folders that commands name."""
    command = home / "bin" / "shop"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m shop.cli "$@"\n')
    command.chmod(0o755)
    for name, target in {".venv": Path(sys.prefix), "var": var}.items():
        (home / name).symlink_to(target)
    for name in LINKED:
        (home / name).symlink_to(PROJECT_ROOT / name)


def missing_lines(shown: str, printed: str) -> list[str]:
    """Return the lines of a page that the output does not have in this order; numbers and left-out texts may differ.

    Args:
        shown: on the page; it may leave lines out.
        printed: the output.
    """
    left = iter(_shapes(printed))
    wanted = [line for line in _shapes(shown) if line not in ("", LEFT_OUT)]
    return [line for line in wanted if not any(_fits(line, other) for other in left)]


def _shapes(text: str) -> list[str]:
    return [_shape(line) for line in stable_lines(CONTINUED.sub(" ", text))]


def _shape(line: str) -> str:
    return re.sub(r"─+", "─", re.sub(r"\d[\d.,]*", "0", line)).strip()


def _fits(wanted: str, line: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split(LEFT_OUT)), line) is not None


def stable_lines(printed: str) -> list[str]:
    """Return the lines without their variable parts; log lines sorted, because two may have the same time."""
    lines = [_lasting(line) for line in printed.splitlines()]
    return sorted(lines, key=lambda line: line if line.startswith("AT ") else "")


def _lasting(line: str) -> str:
    line = re.sub(r"cache;dur=([\d.]+)", lambda took: "cache waited" if float(took[1]) > WAITED_MS else "cache", line)
    for pattern, instead in VARIABLE_PARTS:
        line = re.sub(pattern, instead, line)
    return line.strip()
