from datetime import timedelta

from shop.payments import retry_schedule


def test_delays_double_up_to_cap_and_stay_above_half():
    bounds = [retry_schedule.retry_delay(n, 1.0, 60.0).total_seconds() for n in range(1, 9)]
    assert bounds == [2, 4, 8, 16, 32, 60, 60, 60]
    assert retry_schedule.retry_delay(3, 0.0, 60.0) == timedelta(seconds=4)
    assert retry_schedule.retry_delay(10_000, 1.0, 3600.0) == timedelta(hours=1)


def test_a_refusal_is_believed_sooner_than_silence():
    most = retry_schedule.MAX_REFUSALS
    assert not retry_schedule.is_exhausted(most - 1, refusals=most - 1)
    assert retry_schedule.is_exhausted(most, refusals=most)
    assert not retry_schedule.is_exhausted(2 * most, refusals=most - 1)
    assert retry_schedule.is_exhausted(retry_schedule.MAX_ATTEMPTS, refusals=0)


def test_silence_is_borne_for_two_days_at_least():
    pauses = [
        retry_schedule.retry_delay(n, 0.5, retry_schedule.REFUND_CAP_S) for n in range(1, retry_schedule.MAX_ATTEMPTS)
    ]
    assert timedelta(days=2) < sum(pauses, timedelta()) < timedelta(days=4)
