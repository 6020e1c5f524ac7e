"""Documents and messages write each command in one form, ``bin/shop``, which works as typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.cli import COMMANDS, TYPED_AS
from shop.settings import PROJECT_ROOT

PLACES = ("docs", "shop", "loadtests", "deploy", "migrations")
KINDS = {".css", ".html", ".js", ".md", ".mmd", ".py", ".sh", ".svg", ".template", ".toml", ".txt", ".yml"}
NAMES = "|".join(COMMANDS)
# "from shop import x" is Python, and a name of an application or of a heading is not typed.
OTHER_FORM = re.compile(
    rf"""(?<![\w/.$:-])(?<!from\ )(?<!"application_name":\ ")shop\s+(?:(?:{NAMES})\b(?!\w|\.py)|--help|--version)
    |\.venv/bin/shop\b""",
    re.VERBOSE,
)
HEADING = re.compile(r"^##+ shop [a-z]+$", re.MULTILINE)


def pages() -> Iterator[Path]:
    yield from PROJECT_ROOT.glob("*.md")
    yield PROJECT_ROOT / "docker-compose.yml"
    for place in PLACES:
        for path in (PROJECT_ROOT / place).rglob("*"):
            if path.suffix in KINDS:
                yield path


def other_forms(text: str) -> list[str]:
    return [found.group() for found in OTHER_FORM.finditer(HEADING.sub("", text))]


def test_every_document_and_message_writes_commands_one_way():
    found = {str(path.relative_to(PROJECT_ROOT)): forms for path in pages() if (forms := other_forms(path.read_text()))}
    assert found == {}, f"write {TYPED_AS}: it works as typed after `make run`"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("start it with `shop up`", 1),
        ("run .venv/bin/shop seed", 1),
        ("git ignores both, and `shop\nreset` keeps them", 1),
        ("see `shop --help`", 1),
        ("start it with `bin/shop up`, or ../shop/bin/shop up", 0),
        ("from shop import queue_wiring", 0),
        ("## shop up\n\nStarts the store.", 0),
        ("the worker of the shop", 0),
    ],
)
def test_another_form_is_found(text, number):
    assert len(other_forms(text)) == number
