"""A small run of ``loadtests/chaos.py``, as a user starts it: kills of every kind, in a store of its own."""

import json
import subprocess
import sys

import pytest

from loadtests.chaos_run.killer import KINDS
from shop.settings import PROJECT_ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,  # test_recovery.py kills each server at each point; test_chaos_verdict.py judges
    pytest.mark.xdist_group("whole-stack"),  # one process, one stack
]
TIMEOUT_S = 120
SHORT_TIMEOUTS = (
    "SHOP_REQUEST_TIMEOUT_MS=3000",
    "SHOP_PAYMENTS_TIMEOUT_MS=2000",
    "SHOP_DB_STATEMENT_TIMEOUT_MS=1000",
    "SHOP_DB_LOCK_TIMEOUT_MS=500",
)
"""With these, the claims of dead processes end after 4 s, and not after 13."""


def test_kills_leave_no_double_lost_oversold_or_stuck_order():
    command = [sys.executable, PROJECT_ROOT / "loadtests" / "chaos.py", "--json", "--checkouts", "80", "--clients", "8"]
    command += ["--minutes", "0.5", "--kills", "5", "--kill-every", "0.3", "0.5", "--rest", "3", "--settle", "20"]
    command += ["--gone", "0.4", "--webhook-loss", "0.6"]  # these leave unfinished checkouts for the completer
    command += [word for setting in SHORT_TIMEOUTS for word in ("--set", setting)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.stdout, run.stderr
    report = json.loads(run.stdout)
    assert (report["named"], report["books"]) == ([], [])
    assert set(report["kills"]) == set(KINDS)
    assert report["ends"]["ordered"] > 30
    assert (run.returncode, sum(report["faults"].values())) == (0, 0)
