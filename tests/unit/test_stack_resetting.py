"""What a fresh start deletes and what it refuses; a whole stack is reset in the tests of experiments."""

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack.resetting import DELETED_FOLDERS, DELETING_SUFFIX, delete_parts, find_parts, require_resettable
from shop.stack.state import StackState


@pytest.fixture
def var(tmp_path):
    for name in (*DELETED_FOLDERS, "lab", "exercises", "log", "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("12345")
    return tmp_path


def test_reset_deletes_only_the_servers_data(var):
    (var / "pg.passwords").write_text("secret")
    (var / "lab" / "note").write_text("of the data that goes")
    delete_parts(var, ["lab/note", "lab/never-was"])
    assert {path.name for path in var.iterdir()} == {"lab", "exercises", "log", "run", "pg.passwords"}
    assert [path.name for path in (var / "lab").iterdir()] == ["file"]


def test_a_reset_that_was_killed_is_finished_by_the_next(var):
    (var / "pg").rename(var / f"pg{DELETING_SUFFIX}")
    delete_parts(var, [])
    assert not list(var.glob("pg*"))


def test_reset_lists_the_folders_and_their_sizes(var):
    assert {(part.name, part.bytes) for part in find_parts(var)} == {(name, 5) for name in DELETED_FOLDERS}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"database_url": "postgresql://me@127.0.0.1/mine"}, "DATABASE_URL is set"),
        ({"profile": "production"}, "lab profile only"),
    ],
)
def test_reset_is_refused_for_data_of_others(var, given, says):
    with pytest.raises(ConfigurationError, match=says):
        require_resettable(load_settings({}, var_dir=var, **given), StackState())


def test_a_linked_folder_is_left_to_its_user(var, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (var / "broker" / "file").unlink()
    (var / "broker").rmdir()
    (var / "broker").symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="is a link"):
        require_resettable(load_settings({}, var_dir=var), StackState())


@pytest.mark.parametrize(
    ("name", "value"), [("DATABASE_URL", "postgresql://me@127.0.0.1/mine"), ("SHOP_PROFILE", "production")]
)
def test_a_refused_reset_deletes_nothing(var, monkeypatch, name, value):
    monkeypatch.setenv("SHOP_VAR_DIR", str(var))
    monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["reset", "--yes"])
    assert done.exit_code == 2
    assert len(find_parts(var)) == len(DELETED_FOLDERS)


def test_reset_without_a_terminal_deletes_nothing(var, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(var))
    done = CliRunner().invoke(main, ["reset"])
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert len(find_parts(var)) == len(DELETED_FOLDERS)


def test_reset_without_data_does_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["reset", "--yes"])
    assert (done.exit_code, done.output) == (0, f"There is no data in {tmp_path}: nothing to do.\n")
