import subprocess
import sys
from pathlib import Path

import pytest

from shop.settings import PROJECT_ROOT

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports", "--no-cache"]],
    ids=lambda command: " ".join(command),
)
def test_the_code_keeps_the_house_rule(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.xdist_group("grouped")
def test_what_shares_a_stack_runs_in_one_process(request):
    if request.config.getoption("dist", "no") == "no" and not hasattr(request.config, "workerinput"):
        pytest.skip("one process runs them all")
    assert request.node.nodeid.endswith("@grouped")  # else each process starts a stack of its own, and nothing says so
