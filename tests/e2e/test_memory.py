import pytest

pytestmark = pytest.mark.xdist_group("e2e")
LIMIT_MB = 700


def test_all_processes_together_stay_within_their_memory(store):
    resident = {one["name"]: one["rss_mb"] for one in store.first_status["processes"]}
    for one in store.first_status["processes"]:
        if one["name"] == "postgres" and one["pss_mb"] is not None:
            # Each connection is a process that counts the memory all of them share; how many are open is chance.
            resident["postgres"] = one["pss_mb"]
    assert sum(resident.values()) < LIMIT_MB
