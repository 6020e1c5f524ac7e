"""The live stage of every build exercise, with its model answer in the running store.

One stack for all of them, and arms of one second, judged by counts alone: a busy machine may be late, but it counts
right. The long test runs the command as a reader does, with arms of five seconds and the ratio.
"""

import json

import pytest

from shop.exercises.definition import ATTEMPT, load_definitions
from shop.exercises.live import load_comparison
from shop.exercises.live_stage import LivePlan, run_live_stage
from shop.exercises.store_slot import offer_attempt, withdraw_attempt
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient
from shop.switches.attempt_slots import content_version
from tests.exercises.answers import model_answer, wrong_answers
from tests.support.stack_instance import StackInstance

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-answers")]
LIVE = [one for one in load_definitions().values() if one.live is not None]
ARM_S = 1.0
TRIES = 3
REFRESH_S = 0.1
CHECK_TIMEOUT_S = 300
WAITS = {"circuit-breaker", "readiness"}
"""Their arms wait for a server that is stopped and started again: 15 s each, as much as four others. The answers of
their exercises run in the store in ``test_seams.py``, too."""
of_every_live_exercise = pytest.mark.parametrize("exercise", LIVE, ids=lambda one: one.name)
of_every_exercise_once = pytest.mark.parametrize(
    "exercise",
    [pytest.param(one, marks=[pytest.mark.long] if one.slug in WAITS else []) for one in LIVE],
    ids=lambda one: one.name,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = StackInstance(tmp_path_factory.mktemp("live-answers"))
    stack.up("--size", "s", "--workers", "2", SHOP_SWITCH_REFRESH_S=str(REFRESH_S))
    yield stack
    stack.shop("down")


@pytest.fixture
def store(stack):
    store = StoreClient(f"http://127.0.0.1:{stack.port}")
    yield store
    store.close()


def attempts_of(stack):
    """Return the folder of the attempts; another account than that of the test may run the store."""
    return stack.var / "attempts"


def write_attempt(stack, exercise, text):
    path = attempts_of(stack) / exercise.name / ATTEMPT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def judge_live(plan, store, folder):
    """Run the live stage again if the machine did not let it judge."""
    for _ in range(TRIES - 1):
        try:
            return run_live_stage(plan, store, folder, lambda text: None)
        except CannotJudge:
            continue
    return run_live_stage(plan, store, folder, lambda text: None)


@of_every_exercise_once
def test_model_answer_passes_live(exercise, stack, store):
    attempt = write_attempt(stack, exercise, model_answer(exercise))
    before, switch = store.switches(), exercise.build.switch
    offer_attempt(exercise, attempt, stack.var)
    try:
        plan = LivePlan(
            load_comparison(exercise.live),
            switch,
            store.default_of(switch),
            version=content_version(attempt.read_bytes()),
            arm_s=ARM_S,
            by_counts_alone=True,
        )
        result = judge_live(plan, store, stack.var / "lab")
    finally:
        withdraw_attempt(exercise, stack.var)
    assert result.failure is None
    store.wait_applied()
    assert store.switches() == before


@pytest.mark.long
@of_every_live_exercise
def test_full_check_judges_three_answers(exercise, stack):
    comparison = load_comparison(exercise.live)

    def check(text):
        write_attempt(stack, exercise, text)
        done = stack.shop("exercise", "check", exercise.slug, "--json", SHOP_EXERCISES_DIR=str(attempts_of(stack)))
        return done.returncode, json.loads(done.stdout)

    untouched, wrong, *_ = wrong_answers(exercise)
    for answer in (untouched, wrong):
        code, verdict = check(answer.path.read_text())
        assert (code, verdict["failure"]["check"]) == (1, answer.check)
    code, verdict = check(model_answer(exercise))
    assert (code, verdict["verdict"]) == (0, "passed"), verdict
    assert verdict["ratio"] <= comparison.ratio.at_most / 2, "the margin is there twice"
