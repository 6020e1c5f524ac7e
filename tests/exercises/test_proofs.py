"""Every build exercise is proven: wrong answers fail with their own message, right ones pass, whatever the seed."""

import pytest

from shop.exercises.attempt_runner import build_interface, check_attempt
from shop.exercises.hints import HintList
from shop.exercises.memcached_client import find_memcached
from tests.exercises.answers import BUILD, model_answer, right_answers, wrong_answers

WRONG = [answer for exercise in BUILD for answer in wrong_answers(exercise)]
RIGHT = [(exercise, name, text) for exercise in BUILD for name, text in right_answers(exercise).items()]
SEEDS = range(1, 11)
FEW = 3
"""So many of the seeds are in ``make test``."""
ONE_SEED = ("slow-", "store")
"""Answers that are repeated nowhere: a slow one would wait ten times."""
with_every_seed = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(SEEDS[:FEW], id="few-seeds"),
        pytest.param(SEEDS[FEW:], id="other-seeds", marks=pytest.mark.long),  # the few seeds fail for the same fault
    ],
)
of_every_build = pytest.mark.parametrize("exercise", BUILD, ids=lambda one: one.name)


def require_servers(exercise):
    """Skip an exercise whose optional server is not installed here."""
    if "memcached" in exercise.build.servers and find_memcached() is None:
        pytest.skip("memcached is not installed")


def every_check(exercise):
    """Return the checks that a passed answer names."""
    return ("syntax", "interface", "import", *(rule.name for rule in exercise.checks))


@with_every_seed
@pytest.mark.parametrize("answer", WRONG, ids=lambda one: f"{one.exercise.label}-{one.name}")
def test_wrong_answer_fails_with_its_own_message(answer, seeds, proofs):
    require_servers(answer.exercise)
    for seed, verdict in zip(seeds, proofs.judge(answer.exercise, answer.path, seeds), strict=True):
        assert verdict.verdict == "not yet", f"seed {seed}: {verdict}"
        report = verdict.failure
        assert (report.check, answer.came in report.came) == (answer.check, True), f"seed {seed}: {report}"
        assert all((report.did, report.expected, report.look))
        assert answer.look in report.look, f"seed {seed}: {report}"


@with_every_seed
@pytest.mark.parametrize(("exercise", "name", "text"), RIGHT, ids=[f"{one.label}-{name}" for one, name, _ in RIGHT])
def test_right_answer_passes_every_check(exercise, name, text, seeds, proofs, tmp_path):
    require_servers(exercise)
    path = tmp_path / "attempt.py"
    path.write_text(text)
    seeds = seeds[:1] if name.startswith(ONE_SEED) else seeds
    for seed, verdict in zip(seeds, proofs.judge(exercise, path, seeds), strict=True):
        assert (verdict.verdict, verdict.passed) == ("passed", every_check(exercise)), f"seed {seed}: {verdict}"


@of_every_build
def test_answers_are_many_and_differ(exercise):
    answers, names = wrong_answers(exercise), right_answers(exercise)
    assert len({(answer.check, answer.came) for answer in answers}) == len(answers) >= 4
    assert any(name.startswith("also-right-") for name in names)
    assert any(name.startswith("slow-") for name in names)


@of_every_build
def test_interface_exists(exercise):
    assert build_interface(exercise.build).defines == exercise.build.defines


@of_every_build
def test_each_check_has_a_first_hint_of_its_own(exercise):
    hints = HintList(exercise)
    assert len({hints.hint(1, rule.name) for rule in exercise.checks}) == len(exercise.checks)


def test_process_of_its_own_judges_as_the_proofs_do(tmp_path):
    exercise = next(one for one in BUILD if not one.build.servers)
    path = tmp_path / "attempt.py"
    untouched = wrong_answers(exercise)[0]
    path.write_text(untouched.path.read_text())
    verdict = check_attempt(exercise, path, seed=1)
    assert (verdict.verdict, verdict.failure.check) == ("not yet", untouched.check)
    path.write_text(model_answer(exercise))
    verdict = check_attempt(exercise, path, seed=1)
    assert (verdict.verdict, verdict.passed) == ("passed", every_check(exercise)), verdict
