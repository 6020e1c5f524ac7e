"""A test's name states one behaviour in few words, so that a list of failed tests can be read quickly."""

import ast
from collections.abc import Iterator
from pathlib import Path

from shop.settings import PROJECT_ROOT

TESTS = PROJECT_ROOT / "tests"
MOST_WORDS = 10
"""In a name, not counting the word "test"."""
LONG_NAMES_LEFT = 2
"""The number of longer names that remain. Lower it after you shorten some; never raise it."""
ONLY_SHORT_NAMES = (
    *("architecture/*.py", "e2e/*.py", "integration/test_pool*.py", "integration/test_read_*.py"),
    *("integration/test_order_links.py", "integration/test_password_resets.py", "integration/test_customer_rights.py"),
    *(
        "integration/test_stack_*.py",
        "integration/test_faults*.py",
        "integration/test_backup*.py",
        "unit/test_stack_*.py",
    ),
    *("integration/test_stock*.py", "integration/test_unfit_*.py", "integration/test_worker.py"),
)
"""Files without longer names."""


def long_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.name if isinstance(node, ast.FunctionDef) else ""
        if name.startswith("test_") and len(name.removeprefix("test_").split("_")) > MOST_WORDS:
            yield f"{path.name}::{name}"


def test_finished_files_have_no_long_test_name():
    paths = [path for pattern in ONLY_SHORT_NAMES for path in TESTS.glob(pattern)]
    assert len(paths) > len(ONLY_SHORT_NAMES)
    assert [name for path in paths for name in long_names(path)] == []


def test_number_of_long_test_names_does_not_grow():
    assert sum(1 for path in TESTS.rglob("*.py") for _ in long_names(path)) <= LONG_NAMES_LEFT
