"""Each way in which an attempt can misbehave is told apart, and ends in "not yet" within its limits."""

from types import SimpleNamespace

import psutil
import pytest

from shop.exercises import attempt_process, attempt_runner
from shop.exercises.attempt_process import stall_limit
from shop.exercises.attempt_runner import check_attempt, check_plan
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.server_addresses import ServerAddresses
from tests.support.polling import until

JITTER = load_definition(EXERCISES / "04-ttl-jitter")
BEGIN = "import os, sys, time\ndef jittered(draw):\n    "
BAD_SOURCES = {
    "syntax error": ("def jittered(draw)\n    pass", "syntax", "line 1, column 19"),
    "null byte": ("x = 1\0", "syntax", "null bytes"),
    "missing name": ("def jiter(draw): pass", "interface", "the file defines jiter"),
    "empty file": ("", "interface", "the file defines no function and no class"),
    "wrong parameters": ("def jittered(ttl_s, draw): pass", "interface", "def jittered(ttl_s, draw) in line 1"),
    "missing parameter": ("def jittered(): pass", "interface", "def jittered() in line 1"),
    "additional parameter": ("def jittered(draw, *, share): pass", "interface", "def jittered(draw, *, share)"),
    "async function": ("async def jittered(draw): pass", "interface", "async def in line 1"),
}
BAD_BEHAVIOUR = {
    "import that raises": ("import nothing_like_it\ndef jittered(draw): pass", "import", "ModuleNotFoundError"),
    "exit at import": ("import sys\nsys.exit(0)\ndef jittered(draw): pass", "import", "sys.exit, code 0"),
    "wrong parameters that no text shows": (
        "from functools import partial\njittered = partial(print, 1, file=2)",
        "interface",
        "jittered(*args, sep",
    ),
    "overwritten name": ("def jittered(draw): pass\njittered = 3", "import", "`jittered` is 3"),
    "wrong return": (f"{BEGIN}return 3", "lifetime-function", "3."),
    "wrong parameters of the returned function": (f"{BEGIN}return lambda: 3", "lifetime-function", "()."),
    "wrong number": (f"{BEGIN}return lambda ttl_s: None", "lifetime-function", "None."),
    "exception": (f"{BEGIN}raise ValueError('no such thing')", "lifetime-function", "ValueError: no such thing"),
    "sys.exit": (f"{BEGIN}sys.exit(3)", "lifetime-function", "sys.exit, code 3"),
    "os._exit": (f"{BEGIN}os._exit(0)", "lifetime-function", "exit code 0, for example by os._exit"),
    "killed process": (f"{BEGIN}os.kill(os.getpid(), 9)", "lifetime-function", "SIGKILL"),
    "endless loop": (f"{BEGIN}while True: pass", "lifetime-function", "it loops without an end"),
    "endless sleep": (f"{BEGIN}time.sleep(3600)", "lifetime-function", "it waits without an end"),
    "recursion": (f"{BEGIN}return jittered(draw)", "lifetime-function", "RecursionError"),
    "much output": (f"{BEGIN}print('x' * 1_000_000)", "lifetime-function", "printed more than 65536 bytes"),
    "output past Python": (f"{BEGIN}while True: os.write(1, b'x' * 65_536)", "lifetime-function", "OSError"),
    "input": (f"{BEGIN}input()", "lifetime-function", "EOFError"),
}


@pytest.fixture
def attempt(tmp_path):
    """Return a function that writes an attempt and returns its path."""

    def write(text):
        path = tmp_path / "attempt.py"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_faulty_source_is_told_before_it_runs(name, attempt):
    text, check, came = BAD_SOURCES[name]
    verdict = check_attempt(JITTER, attempt(text), seed=1)
    assert verdict.verdict == "not yet"
    assert verdict.failure.check == check
    assert came in verdict.failure.came


@pytest.mark.parametrize("name", BAD_BEHAVIOUR)
def test_bad_behaviour_is_told_apart(name, attempt):
    text, check, came = BAD_BEHAVIOUR[name]
    path = attempt(text)
    verdict = check_attempt(JITTER, path, seed=1)
    assert verdict.verdict == "not yet", verdict
    assert verdict.failure.check == check
    assert came in verdict.failure.came
    assert all((verdict.failure.did, verdict.failure.expected))
    assert "attempt.py" in verdict.failure.look or check == "lifetime-function"


def test_code_that_stops_the_interpreter_fails_by_processor_time(attempt, monkeypatch):
    monkeypatch.setattr(attempt_runner, "CPU_LIMIT_S", 0.3)
    text = f"{BEGIN}return sum(range(10 ** 12))"  # one call of C code, in which no other thread of Python runs
    verdict = check_attempt(JITTER, attempt(text), seed=1)
    assert verdict.verdict == "not yet"
    assert "processor time" in verdict.failure.came


def test_check_without_an_end_could_not_judge(attempt, monkeypatch):
    monkeypatch.setattr(attempt_runner, "WALL_LIMIT_S", 0.1)
    verdict = check_attempt(JITTER, attempt(f"{BEGIN}time.sleep(3600)"), seed=1)
    assert verdict.verdict == "could not judge"
    assert verdict.exit_code == 3


def test_fault_of_the_grader_could_not_judge(attempt):
    folder = attempt("").parent / "04-broken"
    folder.mkdir()
    for page in JITTER.folder.iterdir():
        folder.joinpath(page.name).write_text(page.read_text().replace('name = "bounds"', 'name = "no-such-check"'))
    verdict = check_attempt(load_definition(folder), attempt("def jittered(draw):\n    return lambda s: s"), seed=1)
    assert verdict.verdict == "could not judge"
    assert "no-such-check" in verdict.reason


def test_processes_of_an_attempt_end_with_it(attempt):
    path = attempt(f"import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)\n{BEGIN}return 3")
    verdict = check_attempt(JITTER, path, seed=1)
    pid = int(verdict.output)
    assert verdict.failure.came == "3."
    until(lambda: has_ended(pid))


def has_ended(pid):
    """Tell whether a process has ended; one that nobody waits for stays as a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_call_that_may_wait_for_a_server_gets_more_time(attempt):
    path = attempt("")
    plans = [check_plan(JITTER, path, 1), check_plan(JITTER, path, 1, ServerAddresses("redis://127.0.0.1"))]
    limits = [stall_limit(plan, "bounds", is_looping=loops) for plan in plans for loops in (True, False)]
    assert limits == [30, 30, 30, 60]


def test_check_that_waits_for_a_server_blames_no_attempt(attempt, monkeypatch):
    class Ended(Exception):
        pass

    def end():
        raise Ended

    monkeypatch.setattr(attempt_process, "TICK_S", 0.001)
    monkeypatch.setattr(attempt_process, "end_process", end)
    sent = []
    report = SimpleNamespace(
        current=("bounds", "jittered()"), ticks=0, cpu_s=0.0, fail=sent.append, send=lambda **line: sent.append(line)
    )
    with pytest.raises(Ended):
        attempt_process.watch_calls(report, check_plan(JITTER, attempt(""), 1, ServerAddresses("redis://127.0.0.1/15")))
    assert [list(line) for line in sent] == [["unknown"]]
