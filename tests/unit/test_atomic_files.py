import os

import pytest

from shop.atomic_files import atomic_write, make_directory


def test_a_file_is_replaced_by_text_for_its_owner_alone(tmp_path):
    target = tmp_path / "state.json"
    target.write_bytes(b"old")
    atomic_write(target, "new, é")
    assert (target.read_text("utf-8"), target.stat().st_mode & 0o777) == ("new, é", 0o600)


def test_a_file_gets_the_mode_and_date_it_is_given(tmp_path):
    target = tmp_path / "page.css"
    atomic_write(target, b"a{}", mode=0o644, modified_at=0)
    assert (target.stat().st_mode & 0o644, target.stat().st_mtime) == (0o644, 0)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "state.json"
    target.write_bytes(b"old")

    def refuses(*arguments):
        raise OSError("read-only")

    monkeypatch.setattr(os, "utime", refuses)
    with pytest.raises(OSError, match="read-only"):
        atomic_write(target, b"new", modified_at=0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state.json": b"old"}


def test_name_of_a_directory_is_refused_and_leaves_no_file(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic_write(target, b"new")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a directory for another account")
def test_directory_made_by_root_belongs_to_the_owner_above(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    make_directory(tmp_path / "exercises" / "04-ttl-jitter")
    owners = {path.stat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {65534}
    make_directory(tmp_path / "exercises")
