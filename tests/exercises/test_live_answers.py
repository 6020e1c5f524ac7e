"""The live stage of every build exercise, with its model answer in the running store.

One stack for all of them, and arms of one second, judged by counts alone: a busy machine may be late, but it counts
right. The long test runs the command as a reader does, with arms of five seconds and the ratio.
"""

import json
from contextlib import suppress
from functools import partial
from unittest.mock import Mock

import pytest

from shop.exercises.definition import load_definitions
from shop.exercises.live import load_comparison
from shop.exercises.live_stage import LivePlan, run_live_stage
from shop.exercises.store_slot import offer_attempt, withdraw_attempt
from shop.exercises.verdict import CannotJudge
from shop.switches.attempt_slots import content_version
from tests.exercises.answers import model_answer, wrong_answers
from tests.exercises.live_stack import attempts_of, write_attempt

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-answers")]
LIVE = [one for one in load_definitions().values() if one.live is not None]
ARM_S = 1.0
TRIES = 3
COULD_NOT_JUDGE = 3
"""Exit code of ``bin/shop exercise check``."""
CHECK_TIMEOUT_S = 300
"""Of one full check; its live stage alone may take two minutes."""
QUICK = {"correlation-ids", "conditional-stock"}
"""One for a switch of a request and one for a statement of a checkout. The others take as long again six times over,
some because they wait for a stopped server or for the worker. Their answers run in the store in ``test_seams.py``,
too."""
of_every_live_exercise = pytest.mark.parametrize("exercise", LIVE, ids=lambda one: one.name)
of_every_exercise_once = pytest.mark.parametrize(
    "exercise",
    [pytest.param(one, marks=[] if one.slug in QUICK else [pytest.mark.long]) for one in LIVE],
    ids=lambda one: one.name,
)


def try_again(judge):
    """Return an outcome; a check that the machine did not let judge is repeated.

    Raises:
        CannotJudge: none of the tries could be judged.
    """
    for _ in range(TRIES - 1):
        with suppress(CannotJudge):
            return judge()
    return judge()


def run_check(stack, exercise, text):
    """Check an answer as a reader does; return the exit code and the verdict.

    Raises:
        CannotJudge: as the command says.
    """
    write_attempt(stack, exercise, text)
    folder = str(attempts_of(stack))
    words = ("exercise", "check", exercise.slug, "--json")
    done = stack.shop(*words, timeout_s=CHECK_TIMEOUT_S, SHOP_EXERCISES_DIR=folder)
    verdict = json.loads(done.stdout)
    if done.returncode == COULD_NOT_JUDGE:
        raise CannotJudge(verdict["reason"])
    return done.returncode, verdict


@of_every_exercise_once
def test_model_answer_passes_live(exercise, stack, client):
    attempt = write_attempt(stack, exercise, model_answer(exercise))
    before, switch = client.switches(), exercise.build.switch
    offer_attempt(exercise, attempt, stack.var)
    try:
        plan = LivePlan(
            load_comparison(exercise.live),
            switch,
            client.default_of(switch),
            version=content_version(attempt.read_bytes()),
            arm_s=ARM_S,
            by_counts_alone=True,
        )
        result = try_again(lambda: run_live_stage(plan, client, stack.var / "lab", lambda text: None))
    finally:
        withdraw_attempt(exercise, stack.var)
    assert result.failure is None
    client.wait_applied()
    assert client.switches() == before


@pytest.mark.long
@of_every_live_exercise
def test_full_check_judges_three_answers(exercise, stack, client):
    """A machine that never lets it judge is told as a skipped test: neither passed nor failed."""
    untouched, wrong, *_ = wrong_answers(exercise)
    try:
        for answer in (untouched, wrong):
            code, verdict = try_again(partial(run_check, stack, exercise, answer.path.read_text()))
            assert (code, verdict["failure"]["check"]) == (1, answer.check)
        code, verdict = try_again(partial(run_check, stack, exercise, model_answer(exercise)))
    except CannotJudge as reason:
        pytest.skip(f"could not judge, {TRIES} times: {reason}")
    finally:
        withdraw_attempt(exercise, stack.var)
    assert (code, verdict["verdict"]) == (0, "passed"), verdict
    ratio = load_comparison(exercise.live).ratio
    assert ratio.is_cleared_twice(verdict["ratio"]), f"the ratio {verdict['ratio']} uses most of the margin of {ratio}"


def test_check_is_repeated_until_it_can_be_judged():
    judge = Mock(side_effect=[CannotJudge("busy"), CannotJudge("busy"), "passed"])
    assert try_again(judge) == "passed"


def test_check_that_cannot_be_judged_has_no_outcome():
    judge = Mock(side_effect=CannotJudge("busy"))
    with pytest.raises(CannotJudge, match="busy"):
        try_again(judge)
    assert judge.call_count == TRIES
