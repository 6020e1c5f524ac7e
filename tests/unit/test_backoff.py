import pytest

from shop.backoff import ExponentialBackoff

BACKOFF = ExponentialBackoff(base_s=0.5, cap_s=30.0)


def test_bound_doubles_with_each_failure_up_to_the_cap():
    assert [BACKOFF.bound_s(failures) for failures in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_any_number_of_failures_has_a_bound():
    assert BACKOFF.bound_s(100_000) == 30.0


def test_full_jitter_draws_from_the_entire_interval():
    waits = [BACKOFF.full_jitter_s(6) for _ in range(200)]
    assert 0 <= min(waits) < 4
    assert 12 < max(waits) <= 16


@pytest.mark.parametrize(("chance", "wait_s"), [(0.0, 8), (0.5, 12), (1.0, 16)])
def test_equal_jitter_keeps_half_of_the_bound(chance, wait_s):
    assert BACKOFF.equal_jitter_s(6, chance) == wait_s
