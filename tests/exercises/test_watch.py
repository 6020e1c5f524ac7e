"""``bin/shop exercise check --watch`` checks again on each save, whatever the editor does, and is never silent."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
import watchfiles

from shop.exercises import file_watch
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.file_watch import FileWatch
from tests.exercises.answers import model_answer
from tests.support.polling import until

JITTER = load_definition(EXERCISES / "04-ttl-jitter")
SAID_TIMEOUT_S = 60


class WatchedCheck:
    """The command, and what it has printed."""

    def __init__(self, environment):
        words = [sys.executable, "-m", "shop.cli", "exercise", "check", "4", "--watch"]
        pipe, out = subprocess.PIPE, subprocess.STDOUT
        self.process = subprocess.Popen(words, stdout=pipe, stderr=out, text=True, env=environment)
        self.lines = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self._reader.start()

    @property
    def rounds(self):
        return sum(line.startswith("Watching ") for line in self.lines)

    def round(self, number):
        """Wait for the end of a check and return what it said."""
        until(lambda: self.rounds >= number, SAID_TIMEOUT_S)
        texts = "".join(self.lines).split("Watching ")
        return texts[number - 1]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.close()
        return self.process.returncode

    def close(self):
        self.process.wait(SAID_TIMEOUT_S)
        self._reader.join()
        self.process.stdout.close()


@pytest.fixture
def attempt(tmp_path):
    """The reader's file."""
    path = tmp_path / "exercises" / JITTER.name / "attempt.py"
    path.parent.mkdir(parents=True)
    path.write_text(JITTER.page("attempt.py"))
    return path


@pytest.fixture
def watched(tmp_path, attempt):
    """The command, watching that file."""
    places = {"SHOP_VAR_DIR": str(tmp_path / "var"), "SHOP_EXERCISES_DIR": str(tmp_path / "exercises")}
    check = WatchedCheck({**os.environ, **places, "PYTHONUNBUFFERED": "1"})
    yield check
    if check.process.poll() is None:
        check.process.kill()
    check.close()


def test_each_save_checks_again_until_ctrl_c(watched, attempt):
    assert "not yet" in watched.round(1)
    attempt.write_text("def jittered(draw)\n")
    assert "line 1, column 19" in watched.round(2)
    renamed = attempt.with_name("attempt.py.new")
    renamed.write_text(model_answer(JITTER))
    renamed.rename(attempt)  # as many editors save
    judged = watched.round(3)
    assert "could not judge: 04" in judged  # every check holds, and there is no store to compare with
    assert "own-draws" in judged
    attempt.unlink()
    assert "attempt.py is missing: `bin/shop exercise start 4` makes it." in watched.round(4)
    attempt.parent.rmdir()
    attempt.parent.mkdir()
    attempt.write_text(JITTER.page("attempt.py"))
    assert "not yet" in watched.round(5)
    assert watched.end() == 128 + signal.SIGINT
    assert watched.lines[-1] == "shop: interrupted.\n"
    assert "Traceback" not in "".join(watched.lines)


def wait_in_thread(watch):
    thread = threading.Thread(target=watch.wait, daemon=True)
    thread.start()
    return thread


def has_ended(thread):
    thread.join(SAID_TIMEOUT_S)
    return not thread.is_alive()


def test_save_during_a_check_counts(attempt):
    watch = FileWatch(attempt.parent, print)
    attempt.write_text("saved = 1\n")
    assert has_ended(wait_in_thread(watch))


def test_save_in_a_folder_below_counts(attempt):
    below = attempt.parent / "patient" / "catalog.py"
    below.parent.mkdir()
    below.write_text("")
    watch = FileWatch(attempt.parent, print)
    below.write_text("saved = 1\n")
    assert has_ended(wait_in_thread(watch))


def test_files_of_the_editor_do_not_count(attempt):
    watch = FileWatch(attempt.parent, print)
    for name in (".attempt.py.swp", "4913", "attempt.py~", "#attempt.py#", ".#attempt.py"):
        attempt.with_name(name).write_text("")
    thread = wait_in_thread(watch)
    thread.join(0.3)
    assert thread.is_alive()
    attempt.write_text("saved = 1\n")
    assert has_ended(thread)


def test_save_is_seen_without_notices_of_the_system(attempt, monkeypatch):
    def refuse(*places, **options):
        raise OSError("OS file watch limit reached")
        yield

    monkeypatch.setattr(watchfiles, "watch", refuse)
    said = []
    thread = wait_in_thread(FileWatch(attempt.parent, said.append))
    until(lambda: said)
    assert "OS file watch limit reached" in said[0]
    attempt.write_text("saved = 1\n")
    assert has_ended(thread)


def test_file_written_in_steps_counts_once(attempt, monkeypatch):
    steps = iter(["saved =", "saved = 1\n"])
    watch = FileWatch(attempt.parent, print)
    attempt.write_text("")
    pause = SimpleNamespace(sleep=lambda seconds: attempt.write_text(next(steps, "saved = 1\n")))
    monkeypatch.setattr(file_watch, "time", pause)
    monkeypatch.setattr(file_watch, "read_states", lambda folder: attempt.read_text())
    watch.wait()
    assert next(steps, None) is None, "both steps were awaited"
