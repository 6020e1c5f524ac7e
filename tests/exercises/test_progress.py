import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.errors import ConfigurationError
from shop.exercises.progress import VERSION, ExerciseProgress, ProgressFile
from shop.exercises.verdict import CheckVerdict, FailureReport

NOW = "2026-11-30T09:00:00Z"
LATER = "2026-11-30T10:00:00Z"
FAILED = CheckVerdict("not yet", failure=FailureReport("bounds", "f()", "1.", "2.", "f"))


@pytest.fixture
def file(tmp_path):
    return ProgressFile(tmp_path / "var")


def test_progress_is_stored_and_read(file):
    assert file.load() == {}
    file.save("ttl-jitter", ExerciseProgress(begun_at=NOW, hints=2))
    assert file.of("ttl-jitter").hints == 2
    assert file.of("hit-rate") == ExerciseProgress()


def test_file_of_a_newer_release_is_refused_and_unchanged(file):
    file.save("ttl-jitter", ExerciseProgress(hints=2))
    document = {**json.loads(file.path.read_text()), "version": VERSION + 1, "wings": 2}
    file.path.write_text(json.dumps(document))
    for use in (file.load, lambda: file.save("hit-rate", ExerciseProgress())):
        with pytest.raises(ConfigurationError, match="a newer release"):
            use()
    assert json.loads(file.path.read_text()) == document


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1, "wings": 2}', '{"version": "one"}', "{}"])
def test_unreadable_file_is_refused(file, text):
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        file.load()


def test_changes_at_the_same_time_keep_each_other(file):
    with ThreadPoolExecutor(8) as threads:
        saved = [threads.submit(file.save, f"one-{number}", ExerciseProgress(hints=1)) for number in range(20)]
    assert [future.result() for future in saved] == [None] * 20
    assert len(file.load()) == 20


def test_failure_after_a_pass_keeps_the_pass():
    progress = ExerciseProgress().after_check(CheckVerdict("passed"), NOW, "a").after_check(FAILED, LATER, "b")
    assert progress.passed_at.hour == 9
    assert (progress.checks, progress.failed_check, progress.grader) == (2, "bounds", "b")


def test_situation_is_kept_until_a_pass():
    failed = ExerciseProgress(variant=3).after_check(FAILED, NOW, "a")
    assert failed.variant == 3
    assert failed.after_check(CheckVerdict("passed"), LATER, "a").variant is None


def test_check_that_could_not_judge_changes_nothing():
    assert ExerciseProgress().after_check(CheckVerdict("could not judge"), NOW, "a") == ExerciseProgress()
