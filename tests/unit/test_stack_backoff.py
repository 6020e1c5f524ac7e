from hypothesis import given
from hypothesis import strategies as st

from shop.stack.backoff import BASE_S, CAP_S, STABLE_S, RestartBackoff


def test_each_death_in_a_row_doubles_the_capped_wait():
    backoff = RestartBackoff()
    assert [backoff.delay_after(0.1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_long_run_resets_the_backoff():
    backoff = RestartBackoff()
    for _ in range(5):
        backoff.delay_after(0.1)
    assert backoff.delay_after(STABLE_S) == BASE_S


def test_a_server_that_dies_for_days_is_still_started_again():
    assert RestartBackoff(deaths=100_000).delay_after(0.1) == CAP_S


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_wait_never_leaves_its_bounds(runs):
    backoff = RestartBackoff()
    assert all(BASE_S <= backoff.delay_after(ran) <= CAP_S for ran in runs)
