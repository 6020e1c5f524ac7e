"""Puts what a script has printed into a page of the documentation, so that no figure there is typed by hand."""

import re
from pathlib import Path

END = "<!-- end -->"


def replace_block(page: Path, name: str, text: str) -> None:
    """Replace a block of a page: what stands between ``<!-- printed: NAME -->`` and ``<!-- end -->``.

    Args:
        page: a file in Markdown.
        name: of the block.
        text: Markdown, without a newline at its end.

    Raises:
        ValueError: the page does not have exactly one such block.
    """
    begin = f"<!-- printed: {name} -->"
    block = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(END)}", re.DOTALL)
    changed, count = block.subn(lambda match: f"{begin}\n{text}\n{END}", page.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{page} has {count} blocks {begin}, and not one.")
    page.write_text(changed, encoding="utf-8")


def fenced(text: str) -> str:
    """Return text as a fenced block of Markdown."""
    return f"```text\n{text}\n```"
