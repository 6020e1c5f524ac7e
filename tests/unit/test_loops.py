"""The runner of background loops, on a fake clock."""

import threading

from shop.patterns.background_loop import BACKOFF_CAP_S, STUCK_AFTER_S, UNHEALTHY_AFTER, BackgroundLoop, LoopRunner


def runner(run_once, every_s=1.0, monotonic=lambda: 0.0, idle_s=0.0):
    return LoopRunner(BackgroundLoop("looked-at", run_once, every_s, idle_s), threading.Event(), monotonic)


def broken():
    raise RuntimeError("not today")


def test_a_successful_round_is_followed_by_the_usual_pause():
    assert runner(lambda: None).run_once() == 1.0


def test_idle_runner_backs_off_and_resets_on_work():
    work = []
    idle = runner(lambda: work.pop() if work else 0, idle_s=5.0)
    pauses = [idle.run_once() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert 1.0 < pauses[0] < 1.5
    assert pauses[-1] == 5.0
    work.append(3)
    assert idle.run_once() == 1.0


def test_failing_runner_backs_off_with_jitter_up_to_a_bound():
    failing = runner(broken)
    pauses = [failing.run_once() for _ in range(50)]
    assert min(pauses) >= 1.0
    assert max(pauses) <= BACKOFF_CAP_S
    assert len(set(pauses)) > 1
    assert max(pauses[10:]) > max(pauses[:1])


def test_repeated_failures_are_a_fault_until_a_successful_round():
    outcomes = [broken] * UNHEALTHY_AFTER + [lambda: None]
    watched = runner(lambda: outcomes.pop(0)())
    for _ in range(UNHEALTHY_AFTER - 1):
        watched.run_once()
    assert watched.fault == ""
    watched.run_once()
    assert watched.fault == f"{UNHEALTHY_AFTER} rounds in a row failed: RuntimeError: not today"
    watched.run_once()
    assert watched.fault == ""


def test_a_stuck_round_is_a_fault():
    clock, seen = [0.0], []

    def endless():
        clock[0] += STUCK_AFTER_S + 1
        seen.append(watched.fault)

    watched = runner(endless, monotonic=lambda: clock[0])
    watched.run_once()
    assert "more than 120 s" in seen[0]
    assert watched.fault == ""


def test_a_loop_continues_after_errors_until_stopped():
    stopped, rounds = threading.Event(), []

    def once():
        rounds.append(len(rounds))
        if len(rounds) == 2:
            stopped.set()
        raise RuntimeError

    LoopRunner(BackgroundLoop("looked-at", once, 0.001), stopped).run()
    assert rounds == [0, 1]
