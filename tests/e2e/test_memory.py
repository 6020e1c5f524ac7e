import pytest

from tests.e2e.conftest import MEMORY_LIMIT_MB

pytestmark = pytest.mark.xdist_group("e2e")


def test_all_processes_together_stay_within_their_memory(store):
    assert store.first_status["rss_mb"] < MEMORY_LIMIT_MB
