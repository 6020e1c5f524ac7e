"""Every build exercise is proven: wrong answers fail with their own message, right ones pass, whatever the seed."""

from importlib import import_module

import pytest

from shop.exercises.attempt_runner import build_interface, check_attempt, check_plan
from shop.exercises.behaviour import import_attempt, run_checks
from shop.exercises.hints import HintList
from shop.exercises.source_check import check_source
from shop.exercises.verdict import AttemptFailed
from tests.exercises.answers import BUILD, model_answer, right_answers, wrong_answers

WRONG = [answer for exercise in BUILD for answer in wrong_answers(exercise)]
RIGHT = [(exercise, name, text) for exercise in BUILD for name, text in right_answers(exercise).items()]
SEEDS = range(1, 11)
of_every_build = pytest.mark.parametrize("exercise", BUILD, ids=lambda one: one.name)


def judge(exercise, path, seed):
    """Check an answer in this process; return the names of the checks."""
    check_source(path, build_interface(exercise.build))
    plan = check_plan(exercise, path, seed)
    return list(run_checks(plan, import_attempt(plan), lambda check, call: None))


def store_default(exercise):
    """Return the store's own function."""
    module, _, name = exercise.build.store.partition(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("answer", WRONG, ids=lambda one: f"{one.exercise.label}-{one.name}")
def test_wrong_answer_fails_with_its_own_message(answer):
    for seed in SEEDS:
        with pytest.raises(AttemptFailed) as failed:
            judge(answer.exercise, answer.path, seed)
        report = failed.value.report
        assert (report.check, answer.came in report.came) == (answer.check, True), f"seed {seed}: {report}"
        assert all((report.did, report.expected, report.look))


@of_every_build
def test_wrong_answers_have_different_messages(exercise):
    answers = wrong_answers(exercise)
    assert len({(answer.check, answer.came) for answer in answers}) == len(answers) >= 4


@pytest.mark.parametrize(("exercise", "name", "text"), RIGHT, ids=[f"{one.label}-{name}" for one, name, _ in RIGHT])
def test_right_answer_passes_every_check(exercise, name, text, tmp_path):
    path = tmp_path / "attempt.py"
    path.write_text(text)
    for seed in SEEDS[:1] if name.startswith("slow-") else SEEDS:
        assert judge(exercise, path, seed) == [rule.name for rule in exercise.checks], f"seed {seed}"


@of_every_build
def test_right_answers_have_another_form_and_a_slow_one(exercise):
    names = right_answers(exercise)
    assert any(name.startswith("also-right-") for name in names)
    assert any(name.startswith("slow-") for name in names)


@of_every_build
def test_store_passes_the_checks_of_the_exercise(exercise):
    plan, default = check_plan(exercise, exercise.folder, seed=1), store_default(exercise)
    passed = run_checks(plan, default, lambda check, call: None)
    assert list(passed) == [rule.name for rule in exercise.checks]


@of_every_build
def test_each_check_has_a_first_hint_of_its_own(exercise):
    hints = HintList(exercise)
    assert len({hints.hint(1, rule.name) for rule in exercise.checks}) == len(exercise.checks)


@of_every_build
def test_command_judges_untouched_and_model_answer(exercise, tmp_path):
    path = tmp_path / "attempt.py"
    untouched = wrong_answers(exercise)[0]
    path.write_text(untouched.path.read_text())
    verdict = check_attempt(exercise, path, seed=1)
    assert verdict.verdict == "not yet"
    assert verdict.failure.check == untouched.check
    path.write_text(model_answer(exercise))
    verdict = check_attempt(exercise, path, seed=1)
    assert verdict.verdict == "passed", verdict
    assert verdict.passed == ("syntax", "interface", *(rule.name for rule in exercise.checks))
