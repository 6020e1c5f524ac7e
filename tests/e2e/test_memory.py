import pytest

from tests.e2e.conftest import memory_limit_mb

pytestmark = pytest.mark.xdist_group("e2e")


def test_all_processes_together_stay_within_their_memory(store):
    assert store.first_status["rss_mb"] < memory_limit_mb(store.first_status)
