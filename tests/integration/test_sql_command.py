"""``bin/shop sql`` on a database of the user's own: it reads, whatever the address says."""

import os
import subprocess
import sys

import pytest

ASKED = "SHOW work_mem; SHOW transaction_read_only"
OPTIONS = {
    "in the address": ("?options=-c%20work_mem%3D9MB", {}),
    "beside it": ("", {"PGOPTIONS": "-c work_mem=9MB"}),
}


@pytest.mark.parametrize("where", OPTIONS)
def test_psql_keeps_the_user_s_options_and_changes_nothing(settings, where):
    ending, beside = OPTIONS[where]
    words = [sys.executable, "-m", "shop.cli", "sql", "-XAtc", ASKED, "-c", "CREATE TABLE ours ()"]
    environment = {**os.environ, **beside, "DATABASE_URL": f"{settings.database_url}{ending}"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["9MB", "on"], done.stderr
    assert (done.returncode, "read-only transaction" in done.stderr) == (1, True)
