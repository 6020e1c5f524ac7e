"""A small run of ``loadtests/chaos.py``, as a user starts it: kills of every kind, in a store of its own."""

import json
import subprocess
import sys

import pytest

from loadtests.disorder.killer import KINDS
from shop.settings import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole-stack")]  # one process, one stack
TIMEOUT_S = 120
SOON = ("SHOP_REQUEST_TIMEOUT_MS=3000", "SHOP_PAYMENTS_TIMEOUT_MS=2000", "SHOP_DB_STATEMENT_TIMEOUT_MS=1000")
"""Claims of dead processes run out after 4 s then, and not after 13."""


def test_kills_leave_no_double_lost_oversold_or_stuck_order():
    words = [sys.executable, PROJECT_ROOT / "loadtests" / "chaos.py", "--json", "--checkouts", "80", "--clients", "8"]
    words += ["--minutes", "0.5", "--kills", "5", "--kill-every", "0.3", "0.5", "--rest", "3", "--settle", "20"]
    words += ["--gone", "0.4", "--webhook-loss", "0.6"]  # so that the completer has something to do
    words += [word for setting in SOON for word in ("--set", setting)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert (report["named"], report["books"]) == ([], [])
    assert set(report["kills"]) == set(KINDS)
    assert report["ends"]["ordered"] > 30
    assert (done.returncode, sum(report["faults"].values())) == (0, 0)
