"""Each command block of the documents is run by a test, or the comment above it says why not."""

import re

import pytest

from shop.settings import PROJECT_ROOT
from tests.support import command_blocks
from tests.support.command_blocks import REASON, REASONS, TEST, blocks_of, documents

ALL = [block for page in documents() for block in blocks_of(page)]
MARKED = [block for block in ALL if not block.is_run]
FENCED = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^(\$ |bin/shop |make \w+$|curl |\.venv/bin/)", re.MULTILINE)
MARK = re.compile(r"^<!-- (?:not run|run by)\b[^\n]*\n(?!```sh\n)", re.MULTILINE)
SHELLS = ("bash", "console", "shell", "zsh")
TESTS = ("tests/integration/test_command_blocks.py", "tests/integration/test_stack_up.py")
"""The tests that run whole pages."""


def fault(block):
    """Return what is wrong with the mark of a block that no test of whole pages runs; empty if nothing is."""
    if test := TEST.fullmatch(block.mark):
        path = PROJECT_ROOT / test[1]
        exists = path.exists() and (not test[2] or f"def {test[2]}(" in path.read_text())
        return "" if exists else f"{block.mark}: there is no such test"
    reason = REASON.fullmatch(block.mark)
    if reason is None or reason[1] not in REASONS:
        return f"{block.mark!r} is none of: {', '.join(REASONS)}"
    return "" if re.search(REASONS[reason[1]], block.commands) else f"{reason[1]}: no command of it does"


def test_each_block_is_run_or_says_why_not():
    assert {block.place: words for block in MARKED if (words := fault(block))} == {}
    pages = {*command_blocks.quick_pages(), *command_blocks.long_pages(), command_blocks.TUTORIAL}
    assert [block.place for block in ALL if block.is_run and block.page not in pages] == []
    assert all("command_blocks" in (PROJECT_ROOT / path).read_text() for path in TESTS)


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_commands_are_in_blocks_that_the_tests_find(page):
    text = page.read_text()
    fenced = [(language, body) for _, language, body in FENCED.findall(text)]
    assert [body for language, body in fenced if language in SHELLS] == [], "write ```sh"
    assert [body for language, body in fenced if not language and COMMAND.search(body)] == [], "write ```sh"
    assert len(blocks_of(page)) == sum(language == "sh" for language, _ in fenced)
    assert MARK.findall(text) == [], "the mark of a block is in the line directly above it"
