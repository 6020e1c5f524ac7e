"""``bin/shop`` runs the commands of its checkout, from any directory, and says what to do if it cannot."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from shop.cli import TYPED_AS_VARIABLE, as_called, main
from shop.settings import PROJECT_ROOT

SCRIPT = PROJECT_ROOT / "bin" / "shop"


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose installed command prints its arguments and how it was called."""
    home = tmp_path.resolve() / "my store"
    program = home / ".venv" / "bin" / "shop"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\n# {home}/.venv/bin/python\necho "$# $1 $2 ${TYPED_AS_VARIABLE}"\n')
    program.chmod(0o755)
    (home / "bin").mkdir()
    shutil.copy(SCRIPT, home / "bin" / "shop")
    return home


def run(command: str | Path, *arguments: str, cwd: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "CDPATH": "/"}
    done = subprocess.run([command, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr


def test_command_runs_from_its_checkout_from_elsewhere_and_by_link(checkout, tmp_path):
    assert run("bin/shop", "switch", "a b", cwd=checkout) == (0, "2 switch a b bin/shop", "")
    by_path = "../my store/bin/shop"
    (tmp_path / "elsewhere").mkdir()
    assert run(by_path, "status", cwd=tmp_path / "elsewhere") == (0, f"1 status  {by_path}", "")
    (tmp_path / "first").symlink_to("my store/bin/shop")
    (tmp_path / "second").symlink_to(tmp_path / "first")
    assert run("./second", "status", cwd=tmp_path) == (0, "1 status  ./second", "")


def test_command_says_what_to_do_if_nothing_is_installed(checkout):
    shutil.rmtree(checkout / ".venv")
    code, _, said = run("bin/shop", "status", cwd=checkout)
    assert (code, f"nothing is installed in {checkout} yet: run `make run`" in said) == (2, True), said


def test_copied_checkout_does_not_run_the_code_of_the_original(checkout, tmp_path):
    copy = shutil.copytree(checkout, tmp_path.resolve() / "copy")
    code, printed, said = run("bin/shop", "status", cwd=copy)
    assert (code, printed, "`make clean`" in said) == (2, "", True), said


def test_messages_write_commands_as_this_one_was_called(monkeypatch):
    assert as_called("run `bin/shop up`") == "run `bin/shop up`"
    monkeypatch.setenv(TYPED_AS_VARIABLE, "../shop/bin/shop")
    assert as_called("`bin/shop up`") == "`../shop/bin/shop up`"
    refused = CliRunner().invoke(main, ["exercise", "list", "--nonsense"])
    assert (refused.exit_code, "exercise list --help" in refused.output) == (2, True)
