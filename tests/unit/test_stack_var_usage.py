import io
import os
import resource
import signal

import pytest

from shop.settings import load_settings
from shop.stack import log_rotation, var_usage
from shop.stack.console import StackConsole
from shop.stack.edge import CONFIGURATION
from shop.stack.program import ServerProgram
from shop.stack.state import StateFile
from shop.stack.status import collect_report, format_report
from shop.stack.supervisor import ROTATE_LOGS_EVERY_S, ProcessSupervisor
from tests.support.polling import until


@pytest.fixture
def settings(tmp_path):
    for path, size in {"pg/base/1": 3_000_000, "log/web.jsonl": 10, "log/web.log": 5, "edge/store/a/b": 7}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
    return load_settings(var_dir=tmp_path)


def test_each_folder_has_its_size_and_limit_or_growth(settings):
    usage = var_usage.measure(settings)
    assert {part.name: (part.bytes, part.bound_bytes) for part in usage.parts} == {
        "edge": (0, None),
        "edge/store": (7, 256 * 1024 * 1024),
        "log": (15, 2 * (64 * 1024 * 1024 + 10_000_000)),
        "pg": (3_000_000, None),
    }
    assert all(part.grows_with or part.bound_bytes for part in usage.parts)
    assert usage.free_bytes > 0


def test_status_shows_disk_usage_even_if_nothing_runs(settings):
    report = collect_report(settings)
    assert "var/pg                3.0 MB  grows with orders and the catalogue" in format_report(report)
    assert "var/log               0.0 MB  at most 154 MB" in format_report(report)
    assert [part["name"] for part in report.to_dict()["var"]["parts"]] == ["edge", "edge/store", "log", "pg"]


def test_limit_of_the_edge_store_is_that_of_nginx():
    template = (CONFIGURATION / "nginx.conf.template").read_text()
    assert f"max_size={var_usage.EDGE_STORE_BYTES // 1024 // 1024}m" in template


def test_supervisor_rotates_logs_while_the_stack_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "MAX_LOG_BYTES", 10)
    now = [0.0]
    supervisor = ProcessSupervisor(StateFile(tmp_path), tmp_path, StackConsole(io.StringIO()), lambda: now[0])
    log = tmp_path / "web.log"
    log.write_text("more than ten bytes")
    supervisor.run_once()
    assert log.read_text() == "more than ten bytes"
    now[0] += ROTATE_LOGS_EVERY_S
    supervisor.run_once()
    assert (log.read_text(), log.with_suffix(".log.1").read_text()) == ("", "more than ten bytes")


def test_dead_server_is_restarted_on_a_full_disk(tmp_path):
    out = io.StringIO()
    supervisor = ProcessSupervisor(StateFile(tmp_path), tmp_path, StackConsole(out))
    supervisor.start([ServerProgram("web", ("sleep", "60"), 1, lambda: True)])
    first = StateFile(tmp_path).load().processes["web"].pid
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        os.kill(first, signal.SIGKILL)

        def is_started_again():
            supervisor.run_once()
            return "could not save the state of the stack (File too large): free some space" in out.getvalue()

        until(is_started_again)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        supervisor.stop()
