import threading

from shop.patterns.background_loop import BACKOFF_CAP_S, STUCK_AFTER_S, UNHEALTHY_AFTER, BackgroundLoop, LoopRunner


def runner(run_once, every_s=1.0, monotonic=lambda: 0.0, idle_s=0.0):
    return LoopRunner(BackgroundLoop("looked-at", run_once, every_s, idle_s), threading.Event(), monotonic)


def broken():
    raise RuntimeError("not today")


def test_a_round_that_went_well_is_followed_by_the_usual_pause():
    assert runner(lambda: None).run_once() == 1.0


def test_while_there_is_nothing_to_do_the_pause_grows_up_to_a_bound_and_the_first_find_ends_that():
    finds = []
    idle = runner(lambda: finds.pop() if finds else 0, idle_s=5.0)
    pauses = [idle.run_once() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert 1.0 < pauses[0] < 1.5  # one round without a find says little
    assert pauses[-1] == 5.0
    finds.append(3)
    assert idle.run_once() == 1.0


def test_after_failures_the_pause_grows_with_jitter_up_to_a_bound():
    failing = runner(broken)
    pauses = [failing.run_once() for _ in range(50)]
    assert min(pauses) >= 1.0
    assert max(pauses) <= BACKOFF_CAP_S
    assert len(set(pauses)) > 1
    assert max(pauses[10:]) > max(pauses[:1])


def test_some_failures_in_a_row_are_told_and_one_good_round_ends_them():
    outcomes = [broken] * UNHEALTHY_AFTER + [lambda: None]
    watched = runner(lambda: outcomes.pop(0)())
    for _ in range(UNHEALTHY_AFTER - 1):
        watched.run_once()
    assert watched.fault == ""
    watched.run_once()
    assert watched.fault == f"{UNHEALTHY_AFTER} rounds in a row failed: RuntimeError: not today"
    watched.run_once()
    assert watched.fault == ""


def test_a_round_that_does_not_end_is_told():
    clock, seen = [0.0], []

    def endless():
        clock[0] += STUCK_AFTER_S + 1
        seen.append(watched.fault)

    watched = runner(endless, monotonic=lambda: clock[0])
    watched.run_once()
    assert "more than 120 s" in seen[0]
    assert watched.fault == ""


def test_a_loop_goes_on_after_an_error_and_ends_when_asked():
    stopped, rounds = threading.Event(), []

    def once():
        rounds.append(len(rounds))
        if len(rounds) == 2:
            stopped.set()
        raise RuntimeError

    LoopRunner(BackgroundLoop("looked-at", once, 0.001), stopped).run()
    assert rounds == [0, 1]
