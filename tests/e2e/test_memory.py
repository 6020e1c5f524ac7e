import pytest

pytestmark = pytest.mark.xdist_group("e2e")
LIMIT_MB = 700


def test_all_processes_together_stay_within_their_memory(store):
    assert store.first_status["rss_mb"] < LIMIT_MB
