"""The page ``/lab/exercises``: the reader's progress, read from her files."""

import json
import re
from datetime import UTC, datetime

import pytest

from shop.atomic_files import atomic_write, make_directory
from shop.exercises.definition import load_definitions
from shop.exercises.progress import FILE_NAME, ExerciseProgress, ProgressFile
from shop.exercises.store_slot import offer_attempt, withdraw_attempt
from shop.lab.restore_file import FILE_NAME as FILE_OF_CHANGES

BEGUN = "2026-11-30T09:00:00Z"
CHANGED_AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)


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


def test_page_tells_that_the_store_is_changed_for_an_exercise(client, progress, settings):
    page = text_of(client.get("/lab/exercises"))
    assert "The store is changed" not in page
    path = settings.var_dir / "lab" / FILE_OF_CHANGES
    make_directory(path.parent)
    atomic_write(path, json.dumps({"holder": "02-slow-page"}), modified_at=CHANGED_AT.timestamp())
    try:
        page = text_of(client.get("/lab/exercises"))
        path.write_text("{")
        damaged = text_of(client.get("/lab/exercises"))
    finally:
        path.unlink()
    title = load_definitions()["slow-page"].title
    assert f"The store is changed for exercise 02 {title} since 14:05 UTC, 30 November 2026." in page
    assert "To put it back: bin/shop exercise reset 2 ." in page
    assert "The store is changed" not in damaged


def test_pages_tell_that_the_attempt_is_in_force(client, progress, settings, tmp_path):
    exercise = load_definitions()["outbox-relay"]
    path = tmp_path / "attempt.py"
    path.write_text("def relay_outbox(database, publish): return 0\n")
    offer_attempt(exercise, path, settings.var_dir)
    back = "bin/shop switch reset exercise.16"
    try:
        assert back not in client.get("/lab/exercises").text + client.get("/lab").text
        answer = client.put("/api/v1/switches/exercise.16", json={"value": "attempt"})
        assert answer.status_code == 200, answer.json
        on_map, in_lab = (text_of(client.get(page)) for page in ("/lab/exercises", "/lab"))
        words = r"your code of exercise 16-outbox-relay since \d\d:\d\d UTC, .* To put its own code back: "
        assert re.search(words + back, on_map)
        assert re.search(rf"changed for this exercise since \d\d:\d\d UTC, .* To put it back: {back}", in_lab)
    finally:
        client.put("/api/v1/switches/exercise.16", json={"value": "store"})
        withdraw_attempt(exercise, settings.var_dir)
    assert back not in client.get("/lab/exercises").text + client.get("/lab").text
