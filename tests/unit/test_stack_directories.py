import os
import resource

import pytest

from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack import directories, endpoints, log_rotation
from shop.stack.console import LogTail

NOT_AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


def refusal(var) -> str:
    with pytest.raises(ConfigurationError) as refused:
        directories.prepare_directories(load_settings(var_dir=var))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_unwritable_directory_is_refused_with_its_variable(tmp_path):
    (tmp_path / "var").write_text("a file in its place")
    assert "SHOP_VAR_DIR" in refusal(tmp_path / "var")


@NOT_AS_ROOT
def test_a_directory_this_user_may_not_write_in_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in refusal(tmp_path / "var")


def test_files_of_another_user_are_refused_before_a_start(tmp_path, monkeypatch):
    directories.prepare_directories(load_settings(var_dir=tmp_path))
    (tmp_path / "log" / "web.log").touch()
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    assert "another user" in refusal(tmp_path)


def test_large_log_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "MAX_LOG_BYTES", 10)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "web.log").write_text("more than ten bytes")
    directories.prepare_directories(load_settings(var_dir=tmp_path))
    log = tmp_path / "log" / "web.log"
    assert (log.read_text(), log.with_suffix(".log.1").read_text()) == ("", "more than ten bytes")


def test_log_is_truncated_while_written_and_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "MAX_LOG_BYTES", 10)
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as server:
        tail = LogTail(log)
        for lines in (b"one of many lines\n", b"next\n"):
            server.write(lines)
            assert tail.new_lines() == lines.decode().splitlines()
            log_rotation.rotate_all_logs(tmp_path)
    assert (log.read_text(), log.with_suffix(".log.1").read_text()) == ("next\n", "one of many lines\n")


def test_a_link_in_place_of_a_log_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "MAX_LOG_BYTES", 10)
    somebodys = tmp_path / "somebodys"
    somebodys.write_text("more than ten bytes")
    (tmp_path / "web.log").symlink_to(somebodys)
    log_rotation.rotate_all_logs(tmp_path)
    assert somebodys.read_text() == "more than ten bytes"
    assert not (tmp_path / "web.log.1").exists()


def test_log_is_truncated_even_if_its_copy_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "MAX_LOG_BYTES", 1_000)
    log = tmp_path / "web.log"
    log.write_bytes(b"x" * 5_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        log_rotation.rotate_all_logs(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]
    assert log.stat().st_size == 0


def test_secret_key_is_made_once_and_private(tmp_path):
    settings = load_settings(var_dir=tmp_path)
    first = endpoints.secret_key(settings)
    assert len(first) >= 32
    assert endpoints.secret_key(settings) == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_log_tail_reads_whole_lines_from_its_last_position(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    tail = LogTail(log)
    with log.open("a") as out:
        for piece, lines in [("one\ntw", ["one"]), ("o\n", ["two"]), ("", [])]:
            out.write(piece)
            out.flush()
            assert tail.new_lines() == lines
    log.write_text("cut\n")
    assert tail.new_lines() == ["cut"]
