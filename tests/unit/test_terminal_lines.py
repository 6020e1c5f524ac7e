"""The terminal of the stack shows no false alarm of PostgreSQL; its log has every line."""

import pytest

from shop.stack.postgres import LOG_ONLY


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ('FATAL:  could not create lock file "postmaster.pid": No space left on device', True),
        ("PANIC:  could not write to file", True),
        ("WARNING:  terminating connection because of crash of another server process", True),
        ("LOG:  database system is ready to accept connections", False),
        ("FATAL:  the database system is starting up", False),
        ("ERROR:  could not serialize access due to concurrent update", False),
        ("STATEMENT:  UPDATE products SET reserved = reserved + 1", False),
        ("\tWHERE id = 7", False),
    ],
)
def test_terminal_shows_only_lines_that_need_a_person(line, is_shown):
    assert (not any(text in line for text in LOG_ONLY)) is is_shown
