"""The figures of the how-to about Locust: each is printed by a run of a script."""

import re

import pytest

from loadtests.recording.page_block import fenced, replace_block
from shop.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "how-to" / "load-test-with-locust.md"
BLOCK = re.compile(r"<!-- printed: ([\w-]+) -->\n(.*?)\n<!-- end -->", re.DOTALL)
NAMES = ["closed-loop", "drops", "ends", "flip-and-compare", "origin", "rounding"]


def test_each_figure_of_the_page_is_printed_by_a_script():
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(name for name, _ in BLOCK.findall(page)) == NAMES
    rest = BLOCK.sub("", page)
    assert "```text" not in rest
    assert "Measured on" not in rest


def test_block_of_a_page_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    rest = "\n<!-- end -->\nb\n<!-- printed: two -->\nkept\n<!-- end -->\n"
    page.write_text(f"a\n<!-- printed: one -->\nold{rest}")
    replace_block(page, "one", fenced(r"p50 \1 ms"))
    assert page.read_text() == f"a\n<!-- printed: one -->\n```text\np50 \\1 ms\n```{rest}"
    with pytest.raises(ValueError, match="three"):
        replace_block(page, "three", "new")
