"""The runner of the documents' command blocks sees commands that fail, and output that differs."""

import pytest

from tests.support.command_blocks import CommandBlock
from tests.support.page_runner import missing_lines, run_blocks
from tests.support.stack_instance import StackInstance

LOOK = "Lock the row. See docs/patterns/stock.md."
SHOWN = "PRODUCT=mug-…\ncache.edge = off\n…\nfound 1,234 in 0.5 s\n"


@pytest.fixture
def run(tmp_path):
    """Return a function that runs blocks where no store runs."""
    (tmp_path / "var").mkdir()
    stack = StackInstance(tmp_path / "var")

    def run(*texts):
        blocks = [CommandBlock(tmp_path / "page.md", 1, f"{text}\n", "", "") for text in texts]
        return run_blocks(blocks, stack, tmp_path / "checkout")

    return run


def test_blocks_of_a_page_share_one_shell_and_print_apart(run):
    result = run('NAME=mug\nask() { echo "ask $NAME"; }\nask', "ask; read -r said; echo $said")
    assert (result.printed, result.failed) == (["ask mug\n", "ask mug\ny\n"], [])


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("curl -s http://127.0.0.1:1/", 7),
        ("curl -s http://127.0.0.1:1/ | cat", 7),
        ("ask() { curl -s http://127.0.0.1:1/; }; ask", 7),
        ("no-such-command", 127),
        ("echo nothing | grep something", 1),
        ("bin/shop no-such-command", 2),
    ],
)
def test_failed_command_is_found_and_the_next_one_runs(run, command, code):
    result = run(command, "echo next")
    assert result.failed[0].startswith(f"{code}: "), result
    assert result.printed[1] == "next\n"


@pytest.mark.parametrize("command", ["bin/shop books", "echo nothing | grep -c something", "yes | head -1 >/dev/null"])
def test_failure_that_a_page_may_show_is_left_out(run, command):
    script = "#!/bin/sh\nexit 1\n"
    result = run(f"printf '{script}' > bin/shop; {command}")
    assert result.failed == []


@pytest.mark.parametrize(
    ("printed", "missing"),
    [
        ("PRODUCT=mug-17\ncache.edge = off\nmore\nand more\nfound 9 in 12.75 s\n", []),
        ("PRODUCT=mug-17\ncache.edge = on\nfound 9 in 12.75 s\n", ["cache.edge = off", "found 0 in 0 s"]),
        ("", ["PRODUCT=mug-…", "cache.edge = off", "found 0 in 0 s"]),
    ],
)
def test_output_may_differ_in_numbers_and_left_out_text_only(printed, missing):
    assert missing_lines(SHOWN, printed) == missing


def test_entry_of_two_lines_is_compared_as_one():
    assert (
        missing_lines("  look      Lock the row. See\n            docs/patterns/stock.md.\n", f"  look      {LOOK}\n")
        == []
    )
