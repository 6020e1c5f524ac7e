"""The page ``/lab/exercises``: the reader's progress, read from her files."""

import re

import pytest

from shop.exercises.definition import load_definitions
from shop.exercises.progress import FILE_NAME, ExerciseProgress, ProgressFile

BEGUN = "2026-11-30T09:00:00Z"


@pytest.fixture
def progress(settings):
    """The file of the reader's progress."""
    file = ProgressFile(settings.var_dir)
    yield file
    file.path.unlink(missing_ok=True)


def text_of(response):
    """Return the words of a page."""
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.text.partition("<main")[2]).split())


def test_page_shows_every_exercise_and_advises_the_first(client, progress):
    page = text_of(client.get("/lab/exercises"))
    for one in load_definitions().values():
        assert f"{one.label} {one.title} docs/exercises/{one.name}/README.md" in page.replace("&#39;", "'")
    assert "Next: 01 Predict a hit rate. bin/shop exercise start 1" in page
    assert 'href="/lab/exercises"' in client.get("/lab").text


def test_page_shows_states_and_the_next_command(client, progress):
    progress.save("hit-rate", ExerciseProgress(begun_at=BEGUN, passed_at=BEGUN))
    progress.save("ttl-jitter", ExerciseProgress(begun_at=BEGUN, gave_up=True, grader="of an earlier release"))
    page = text_of(client.get("/lab/exercises"))
    assert re.search(r"01 Predict a hit rate \S+ passed predict first steps 20 bin/shop exercise solution 1", page)
    begun = "begun its check has changed since your last one you have seen the solution"
    assert re.search(rf"04 Lifetimes with jitter \S+ {begun} build first steps 30 bin/shop exercise check 4", page)
    assert "Next: 04 Lifetimes with jitter." in page
    week = sum(one.chapter == "week" for one in load_definitions().values())
    assert f"1 of {week} passed" in page


def test_damaged_progress_is_told_on_the_page(client, progress):
    progress.path.write_text("{")
    page = text_of(client.get("/lab/exercises"))
    assert f"{FILE_NAME} cannot be read" in page


def test_page_is_stored_nowhere(client, progress):
    assert client.get("/lab/exercises").headers["Cache-Control"] == "no-store"
