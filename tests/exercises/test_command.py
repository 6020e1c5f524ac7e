"""``bin/shop exercise``, as a reader types it. The store does not run here."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.cli.exercise import reset_question
from shop.cli.exercise_output import name_targets
from shop.exercises.definition import EXERCISES, WHY, load_definition, load_definitions
from shop.exercises.exercise_list import find_exercise
from shop.exercises.grader_version import grader_version
from shop.exercises.progress import ProgressFile
from shop.lab.lab_lock import claim_lab
from shop.stack.program import free_port
from tests.exercises.answers import model_answer
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

JITTER = load_definition(EXERCISES / "04-ttl-jitter")


@pytest.fixture
def attempt(tmp_path):
    """The path of the reader's file."""
    return tmp_path / "exercises" / JITTER.name / "attempt.py"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a function that runs a command of the reader, and returns its exit code and output."""
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SHOP_EXERCISES_DIR", str(tmp_path / "exercises"))

    def run(*words, answer=None):
        done = CliRunner().invoke(main, ["exercise", *words], input=answer)
        assert not isinstance(done.exception, Exception), done.exception
        return done.exit_code, done.output

    return run


def listed(shop, slug):
    """Return what the list says of one exercise."""
    return next(one for one in json.loads(shop("list", "--json")[1]) if one["slug"] == slug)


def test_build_exercise_from_start_to_solution(shop, attempt):
    assert shop("start", "4")[0] == 0
    assert attempt.read_text() == JITTER.page("attempt.py")
    code, said = shop("check", "4")
    assert (code, said.splitlines()[0]) == (1, "not yet: 04 Lifetimes with jitter")
    assert "expected  9 seconds." in said
    code, said = shop("solution", "4")
    assert code == 1
    assert "--give-up" in said
    attempt.write_text(model_answer(JITTER))
    code, said = shop("check", "4")
    assert (code, said.splitlines()[0]) == (3, "could not judge: 04 Lifetimes with jitter")
    assert "lifetime-function, bounds, own-draws\n" in said
    assert "its live stage could not be judged. No store" in said
    assert listed(shop, "ttl-jitter")["passed_at"] is None
    code, said = shop("solution", "4", "--give-up")
    assert code == 0
    assert "limit_lifetime" in said


def test_second_check_names_the_running_one_at_once(shop, tmp_path):
    shop("start", "4")
    with claim_lab(tmp_path / "var" / "lab"):
        code, said = shop("check", "4")
    assert (code, f"running (pid {os.getpid()}, " in said) == (2, True), said
    assert shop("check", "4")[0] == 1


def test_failure_is_printed_as_the_page_shows_it(shop):
    shop("start", "4")
    printed = shop("check", "4")[1]
    assert printed in JITTER.page("README.md")


def test_start_never_overwrites_and_reset_asks(shop, attempt):
    shop("start", "4")
    attempt.write_text("mine = 1\n")
    code, said = shop("start", "4")
    assert (code, attempt.read_text()) == (0, "mine = 1\n")
    assert "unchanged" in said
    code, said = shop("reset", "4")
    assert (code, attempt.read_text()) == (2, "mine = 1\n"), "there is no terminal to ask in"
    assert "--yes" in said
    code, _ = shop("reset", "4", "--yes")
    assert (code, attempt.read_text()) == (0, JITTER.page("attempt.py"))
    assert listed(shop, "ttl-jitter")["state"] == "open"


def test_reset_names_each_file_that_it_overwrites(shop, tmp_path):
    audit = load_definition(EXERCISES / "09-audit")
    shop("start", "9")
    folder = tmp_path / "exercises" / audit.name
    question = reset_question(audit, folder / "audit.md")
    assert question == f"Overwrite {folder}/audit.md and {folder}/patient/, and delete your progress in exercise 09?"
    assert reset_question(audit, tmp_path / "audit.md") == "Delete your progress in exercise 09?"


def test_link_of_a_page_names_its_target(shop):
    text = "[its\ntable](../../a.md#b), [shop/x.py](../../../shop/x.py), [x.py](../../../shop/x.py), [RFC](https://a.org/b)"
    code = "\n```python\ncall[0](x)\n```\n"
    assert name_targets(text + code, JITTER.folder) == (
        f"its\ntable (docs/a.md#b), shop/x.py, shop/x.py, RFC (https://a.org/b){code}"
    )
    said = shop("solution", "4", "--give-up")[1]
    assert "Stampede protection (docs/patterns/stampede.md)" in " ".join(said.split())


def test_first_hint_depends_on_the_failure(shop, attempt):
    shop("start", "4")
    general = shop("hint", "4")[1]
    assert "Hint 1 of 3" in general
    shop("reset", "4", "--yes")
    shop("check", "4")
    after_failure = shop("hint", "4")[1]
    assert "between -1 and 1" in after_failure
    assert "Hint 2 of 3" in shop("hint", "4")[1]
    assert "This is the last hint. bin/shop exercise solution 4 --give-up" in shop("hint", "4")[1]
    assert "Hint 3 of 3" in shop("hint", "4")[1]


def test_check_that_fails_later_has_its_first_hint_too(shop, attempt):
    shop("start", "4")
    untouched = attempt.read_text()
    attempt.write_text("x = 1\n")
    assert shop("check", "4")[0] == 1  # at a check without a hint of its own
    for level in (1, 2, 3):
        assert f"Hint {level} of 3\n" in shop("hint", "4")[1]
    attempt.write_text(untouched)
    shop("check", "4")
    assert "between -1 and 1" in shop("hint", "4")[1]
    assert "Hint 3 of 3" in shop("hint", "4")[1]


def test_giving_up_shows_the_solution_and_is_no_pass(shop):
    assert shop("solution", "4", "--give-up")[0] == 0
    assert shop("solution", "4")[0] == 0
    progress = listed(shop, "ttl-jitter")
    assert (progress["gave_up"], progress["passed_at"]) == (True, None)


@pytest.mark.parametrize("number", ["4", "22", "9"])
def test_verdict_names_the_file_as_the_page_does(shop, tmp_path, monkeypatch, number):
    monkeypatch.setattr("shop.cli.exercise_output.PROJECT_ROOT", tmp_path)
    shop("start", number)
    file = next(path for path in (tmp_path / "exercises").glob("*/*") if path.is_file())
    file.write_text("def broken(:\n")
    said = shop("check", number)[1]
    assert f" exercises/{file.parent.name}/{file.name}" in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize("number", ["15", "24", "37"])
def test_solution_keeps_each_line_of_its_code(shop, number):
    said = [line.rstrip() for line in shop("solution", number, "--give-up")[1].splitlines()]
    code = "\n".join(re.findall(r"```\w+\n(.*?)```", find_exercise(load_definitions(), number).page(WHY), re.DOTALL))
    assert [line for line in code.splitlines() if line not in said] == []


def test_check_prints_one_json_document(shop):
    shop("start", "4")
    code, said = shop("check", "4", "--json")
    verdict = json.loads(said)
    assert (code, verdict["exercise"], verdict["verdict"]) == (1, "04-ttl-jitter", "not yet")
    assert set(verdict["failure"]) == {"check", "did", "expected", "came", "look"}


def test_check_shows_what_the_attempt_printed(shop, attempt):
    shop("start", "4")
    attempt.write_text(f"print('here I am')\n{attempt.read_text()}")
    said = shop("check", "4")[1]
    assert "Your code printed:\nhere I am" in said


def test_map_marks_states_and_advises(shop):
    assert "Next: bin/shop exercise start 1" in shop("map")[1]
    shop("start", "4")
    said = shop("map")[1]
    assert "◐ 04 Lifetimes with jitter, begun" in said
    assert "○ 01 Predict a hit rate, open" in said
    assert "Next: bin/shop exercise start 4" in said


def test_interrupted_check_is_no_verdict(shop, attempt, tmp_path):
    shop("start", "4")
    begun = tmp_path / "begun"
    attempt.write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(3600)\ndef jittered(draw): pass\n")
    command = [sys.executable, "-m", "shop.cli", "exercise", "check", "4"]
    check = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ended_on_failure(check.kill):
        until(begun.exists, 60)
    check.send_signal(signal.SIGINT)
    said, errors = check.communicate(timeout=60)
    assert (check.returncode, said, errors) == (128 + signal.SIGINT, "", "shop: interrupted.\n")
    assert listed(shop, "ttl-jitter")["checks"] == 0


def test_changed_check_is_named_and_the_attempt_kept(shop, attempt, tmp_path):
    shop("start", "4")
    shop("check", "4")
    assert "has changed" not in shop("list")[1] + shop("map")[1]
    file = ProgressFile(tmp_path / "var")
    file.save("ttl-jitter", file.of("ttl-jitter").with_changes(grader="of an earlier release"))
    for command in ("list", "map"):
        assert shop(command)[1].count("its check has changed: bin/shop exercise check 4") == 1
    assert attempt.read_text() == JITTER.page("attempt.py")
    shop("check", "4")
    assert "has changed" not in shop("list")[1]


def test_grader_version_follows_checks_and_code():
    easier = JITTER.with_changes(checks=JITTER.checks[:1])
    other_code = JITTER.with_changes(build=JITTER.build.with_changes(grader="attempt_calls"))
    assert len({grader_version(one) for one in (JITTER, easier, other_code)}) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "99"), "There is no exercise '99'"),
        (("check", "4"), "bin/shop exercise start 4"),
        (("check", "1"), "bin/shop exercise predict 1 VALUE"),
        (("predict", "4", "10"), "asks for no prediction"),
        (("predict", "1", "many"), "'many' is not a number"),
        (("predict", "1", "101"), "out of range"),
        (("predict", "1", "nan"), "out of range"),
        (("predict", "1", "-5"), "-5 is out of range"),
        (("check",), "Missing argument"),
        (("new", "Hot_Keys"), "use lower-case words with hyphens"),
        (("new", "ttl-jitter"), "04-ttl-jitter exists already"),
        (("check", "1", "--watch"), "has no file that is saved"),
        (("check", "4", "--watch", "--json"), "choose one"),
    ],
)
def test_wrong_usage_ends_with_2(shop, words, message):
    code, said = shop(*words)
    assert code == 2
    assert message in said


@pytest.mark.parametrize("stopped", ["no stack", "no store at the address"])
def test_stopped_store_could_not_be_judged(shop, stopped):
    shop("predict", "1", "50%")
    address = () if stopped == "no stack" else ("--url", f"http://127.0.0.1:{free_port()}")
    code, said = shop("check", "1", *address)
    assert code == 3
    assert said.startswith("could not judge: 01 Predict a hit rate")
    assert "bin/shop up" in said
    assert listed(shop, "hit-rate")["checks"] == 0
