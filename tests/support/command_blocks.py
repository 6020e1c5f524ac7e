"""Reads the command blocks of the documents: their commands, the output below them, and the mark above them.

A block is run by a test. Otherwise an HTML comment in the line above it says so, in one of these forms:

- ``<!-- run by make test-long -->``: a test of ``make test-long`` runs it, because it takes many seconds.
- ``<!-- run by: tests/integration/test_x.py::test_y -->``: that test does what the block does.
- ``<!-- not run: needs Docker -->``: no test runs it, for one of the reasons in ``REASONS``.

The blocks of a page run in order, in one shell, on a running store. Pages in ``LONG_FOLDERS`` are many: all their
blocks belong to ``make test-long``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shop.settings import PROJECT_ROOT

FOLDERS = ("docs", "findings", "deploy", "loadtests", "tests")
TUTORIAL = PROJECT_ROOT / "docs" / "tutorial" / "first-hour.md"
"""Its own test, ``test_tutorial_commands_print_its_output``, compares each line of the output."""
LONG_FOLDERS = ("docs/exercises", "docs/patterns")
LONG = "run by make test-long"
TEST = re.compile(r"run by: (tests/[\w/]+\.py)(?:::(\w+))?")
REASON = re.compile(r"not run: (.+)")
REASONS = {
    "takes minutes": r"bin/shop lab (run|load)|loadtests/|make (figures|test)",
    "runs until it is stopped": r"make run|locust",
    "needs the internet": r"sh findings/",
    "needs a second machine": r"scp|ssh|--master",
    "needs Docker": r"docker",
    "needs root": r"sysctl",
    "changes this checkout": r"bin/shop reference|make lock",
}
"""Each reason, and what a command is like that it may excuse."""
BLOCK = re.compile(r"^(?:<!-- ([^\n]*?) -->\n)?```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEXT_FENCE = re.compile(r"(.*?)^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
UNTOUCHED = re.compile(r"untouched [^#]*like this:\s*\Z")
"""The page of an exercise says so between the first check and its output."""


@dataclass(frozen=True)
class CommandBlock:
    """One block.

    Args:
        page: its page.
        line: the number of its first line.
        commands: its text.
        printed: the output that the page shows right below it; empty if it shows none.
        mark: the comment above it; empty if there is none.
    """

    page: Path
    line: int
    commands: str
    printed: str
    mark: str

    @property
    def place(self) -> str:
        """Return page and line."""
        return f"{self.page.relative_to(PROJECT_ROOT).as_posix()}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Tell whether the commands themselves run in a test of whole pages."""
        return not self.mark or self.mark == LONG

    @property
    def is_long(self) -> bool:
        """Tell whether that test belongs to ``make test-long``."""
        in_folder = any(self.page.is_relative_to(PROJECT_ROOT / folder) for folder in LONG_FOLDERS)
        return self.is_run and (in_folder or self.mark == LONG)


def documents() -> Sequence[Path]:
    """Return every page, in order."""
    found = [path for folder in FOLDERS for path in (PROJECT_ROOT / folder).rglob("*.md")]
    return sorted([*PROJECT_ROOT.glob("*.md"), *found])


@cache
def blocks_of(page: Path) -> Sequence[CommandBlock]:
    """Return the command blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        CommandBlock(
            page, text.count("\n", 0, found.start(2)) + 1, found[2], _output(text, found.end()), _mark(found[1] or "")
        )
        for found in BLOCK.finditer(text)
    ]


def quick_pages() -> Sequence[Path]:
    """Return the pages with a block that ``make test`` runs, without the tutorial."""
    return [page for page in _pages() if any(block.is_run and not block.is_long for block in blocks_of(page))]


def long_pages() -> Sequence[Path]:
    """Return the pages with a block that only ``make test-long`` runs, without the tutorial."""
    return [page for page in _pages() if any(block.is_long for block in blocks_of(page))]


def _mark(comment: str) -> str:
    return comment if comment.startswith(("run by", "not run")) else ""


def _output(text: str, position: int) -> str:
    below = NEXT_FENCE.match(text, position)
    if below is None or below[2] != "text" or (below[1].strip() and not UNTOUCHED.search(below[1])):
        return ""
    return below[3]


def _pages() -> Sequence[Path]:
    return [page for page in documents() if page != TUTORIAL]
