"""The command blocks of the documents, run as a reader types them: the blocks of a page in order, in one shell.

The quick blocks of all pages share the stack of the group ``live-answers``, which has two web processes as a reader's
store has. The long ones have a stack of their own, because some of them stop it or erase data. Each page is followed
by the values that the store had before.
"""

from contextlib import closing

import pytest

from shop.lab.store_client import StoreClient
from shop.settings import PROJECT_ROOT
from tests.exercises.live_stack import start_stack
from tests.support import command_blocks
from tests.support.page_runner import missing_lines, run_blocks

LONG_TIMEOUT_S = 600


def of_pages(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A store that blocks may stop, and whose data they may erase."""
    stack = start_stack(tmp_path_factory.mktemp("command-blocks"))
    yield stack
    stack.shop("down")


def run_and_restore(blocks, stack, home, **options):
    """Run blocks on a stack; afterwards its switches and faults are as before."""
    with closing(StoreClient(f"http://127.0.0.1:{stack.port}")) as client:
        client.wait_applied()
        before = client.switches()
        try:
            return run_blocks(blocks, stack, home, **options)
        finally:
            if any("bin/shop fault set" in block.commands for block in blocks):
                stack.shop("fault", "clear")  # it works while the store does not answer
            client.wait_ready()
            for name, value in before.items():
                if client.switches().get(name) not in (value, None):
                    client.set_switch(name, value)
            client.wait_applied()


def assert_as_shown(blocks, run):
    assert run.failed == [], run.errors
    assert len(run.printed) == len(blocks), run.errors
    for block, printed in zip(blocks, run.printed, strict=True):
        assert missing_lines(block.printed, printed) == [], f"{block.place} printed: {printed}"


@pytest.mark.slow
@pytest.mark.long  # each command has tests of its own; these find a page that shows another output
@pytest.mark.xdist_group("live-answers")
@of_pages(command_blocks.quick_pages())
def test_quick_blocks_of_a_page_do_as_it_says(page, live_stack, tmp_path):
    blocks = [block for block in command_blocks.blocks_of(page) if block.is_run and not block.is_long]
    assert_as_shown(blocks, run_and_restore(blocks, live_stack, tmp_path / "checkout"))


@pytest.mark.long  # the quick blocks above, and the tests of the exercises' commands, fail for most of the same faults
@pytest.mark.xdist_group("long-blocks")
@of_pages(command_blocks.long_pages())
def test_all_blocks_of_a_page_do_as_it_says(page, own_stack, tmp_path):
    blocks = [block for block in command_blocks.blocks_of(page) if block.is_run]
    assert_as_shown(blocks, run_and_restore(blocks, own_stack, tmp_path / "checkout", timeout_s=LONG_TIMEOUT_S))
