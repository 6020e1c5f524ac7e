"""``bin/shop exercise new`` writes files that are complete, except for what their author must decide."""

import pytest

from shop.errors import ConfigurationError
from shop.exercises import graders, interfaces, store_defaults
from shop.exercises.attempt_runner import build_interface, check_plan
from shop.exercises.behaviour import import_attempt, run_checks
from shop.exercises.definition import load_definition
from shop.exercises.hints import HintList
from shop.exercises.new_exercise import TODO, next_number, write_exercise
from shop.exercises.source_check import check_source
from shop.exercises.verdict import AttemptFailed
from tests.exercises import answers


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A new exercise in a checkout of its own, whose modules can be imported."""
    write_exercise(tmp_path, "hot-keys", 12, "month")
    for package in (graders, interfaces, store_defaults):
        folder = tmp_path / "shop" / "exercises" / package.__name__.rpartition(".")[2]
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr(answers, "HERE", tmp_path / "tests" / "exercises")
    monkeypatch.setattr(answers, "PROJECT_ROOT", tmp_path)
    return load_definition(tmp_path / "docs" / "exercises" / "12-hot-keys")


def test_new_exercise_is_complete_and_its_proofs_hold(written, tmp_path):
    HintList(written)
    path = tmp_path / "attempt.py"
    for name, text in answers.right_answers(written).items():
        path.write_text(text)
        assert list(judge(written, path)) == ["positive", "negative"], name
    wrong = answers.wrong_answers(written)
    assert len(wrong) == 4
    for answer in wrong:
        with pytest.raises(AttemptFailed) as failed:
            list(judge(written, answer.path))
        assert (failed.value.report.check, failed.value.report.came) == (answer.check, answer.came)


def judge(exercise, path):
    plan = check_plan(exercise, path, seed=1)
    check_source(path, build_interface(exercise.build))
    return run_checks(plan, import_attempt(plan), lambda check, call: None)


def test_every_file_of_a_new_exercise_names_what_is_left(written, tmp_path):
    places = answers.unfinished_places(written)
    files = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.suffix in (".py", ".md", ".toml")
    }
    assert {place.partition(":")[0] for place in places} == files
    assert all(TODO in place for place in places)


def test_existing_file_is_never_overwritten(tmp_path):
    mine = tmp_path / "shop" / "exercises" / "graders" / "hot_keys.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine = 1\n")
    with pytest.raises(ConfigurationError, match=r"hot_keys\.py exists already"):
        write_exercise(tmp_path, "hot-keys", 12, "month")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "mine = 1\n"


@pytest.mark.parametrize("slug", ["", "Hot", "hot_keys", "4-keys", "hot--keys", "hot-", "../hot", "class"])
def test_malformed_name_is_refused(slug, tmp_path):
    with pytest.raises(ConfigurationError, match="use lower-case words"):
        write_exercise(tmp_path, slug, 12, "month")


def test_next_number_is_the_lowest_free_one_of_the_chapter():
    assert next_number({1, 4}, "week") == 2
    assert next_number({10, 11, 21}, "month") == 12
    assert next_number(set(range(1, 10)) | {31}, "week") == 32
    with pytest.raises(ConfigurationError, match="No number is free"):
        next_number(range(100), "week")
