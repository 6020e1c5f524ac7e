import pytest

from tests.e2e.conftest import PROPORTIONAL_LIMIT_MB, memory_limit_mb

pytestmark = pytest.mark.xdist_group("e2e")


def test_all_processes_together_stay_within_their_memory(store):
    assert store.first_status["rss_mb"] < memory_limit_mb(store.first_status)
    proportional = store.first_status["pss_mb"]  # only Linux tells it
    assert proportional is None or proportional < PROPORTIONAL_LIMIT_MB
