"""A question before a command that cannot be undone."""

import click
import pytest
from click.testing import CliRunner

from shop.cli.output import require_consent


@pytest.fixture
def ask():
    command = click.Command("erase", callback=lambda: (require_consent("Erase it?"), click.echo("erased")))
    return lambda answer: CliRunner().invoke(command, input=answer)


def test_yes_goes_on(ask):
    result = ask("y\n")
    assert result.exit_code == 0
    assert result.stdout == "erased\n"


def test_no_ends_the_command_with_its_reason(ask):
    result = ask("n\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("Nothing was changed.\n")
    assert result.stdout == ""
