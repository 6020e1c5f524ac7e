"""Backups: a snapshot of the database, restored completely or not at all."""

import json
import stat
import zipfile

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.backup import dump
from shop.backup.archive import MANIFEST, member_name
from shop.backup.dump import take_backup
from shop.backup.restore import restore_backup
from shop.cli import main
from shop.database.engine import build_engine
from shop.database.schema import current_revision, move_to, revisions
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.settings import load_settings
from tests.support.factories import make_category, make_product, make_user

ROWS = 'SELECT t::text FROM "{}" AS t'
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"


def everything(engine):
    """All rows of all tables, as text."""
    with engine.connect() as connection:
        tables = set(connection.scalars(text(TABLES))) - {"restores"}
        rows = {table: connection.scalars(text(ROWS.format(table))).all() for table in tables}
    return {table: sorted(found) for table, found in rows.items()}


@pytest.fixture
def engine(database):
    """A store's database with something in it that is awkward to copy."""
    with database.transaction() as session:
        parent = make_category(session, "home")
        shelf = make_category(session, "mugs", parent)
        for number in range(20):
            make_product(session, shelf, f"mug-{number}", title="Tab\there, \\ and \\. and ä", description="a\r\nb\\N")
        make_user(session, "ada@shop.test")
    return database.engine


@pytest.fixture
def other(new_database):
    """An engine on another, empty database."""
    made = build_engine(load_settings(database_url=new_database("restored")))
    yield made
    made.dispose()


@pytest.fixture
def file(engine, tmp_path):
    take_backup(engine, tmp_path / "copy")
    return tmp_path / "copy"


def shop(engine, *words):
    """Run the command on a database that nobody else has open; return exit code and what was said."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    engine.dispose()
    done = CliRunner().invoke(main, [*map(str, words)], env={"DATABASE_URL": address})
    return done.exit_code, done.stdout + done.stderr


def test_restore_brings_back_the_same_data(engine, other, tmp_path):
    code, said = shop(engine, "backup", tmp_path / "copy")
    assert code == 0, said
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    before = everything(engine)
    code, said = shop(other, "restore", tmp_path / "copy", "--yes", "--json")
    assert code == 0, said
    assert json.loads(said)["tables"]["products"] == 20
    assert everything(other) == before
    with Database(other).transaction() as session:  # and ids go on where they were
        make_product(session, make_category(session, "new"), "another")


def test_restore_replaces_the_database(engine, file):
    before = everything(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM stock_items"))
        connection.execute(text("UPDATE products SET title = 'lost'"))
    assert shop(engine, "restore", file, "--yes")[0] == 0
    assert everything(engine) == before
    assert ProjectionRebuilder(Database(engine)).verify().differences == ()


def test_backup_is_a_snapshot_during_writes(engine, other, tmp_path, monkeypatch):
    before, original = everything(engine), dump.tables.copy_out

    def copy_out(*given):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO categories (slug, name) VALUES (gen_random_uuid()::text, 'x')"))
        return original(*given)

    monkeypatch.setattr(dump.tables, "copy_out", copy_out)
    take_backup(engine, tmp_path / "copy")
    restore_backup(other, tmp_path / "copy")
    assert everything(other) == before != everything(engine)


def test_a_backup_overwrites_nothing_and_leaves_no_half_file(engine, file, tmp_path, monkeypatch):
    written = file.read_bytes()
    code, said = shop(engine, "backup", file)
    assert (code, "overwrites nothing" in said) == (2, True)
    assert file.read_bytes() == written
    assert shop(engine, "backup", tmp_path / "nowhere" / "copy")[0] == 2

    def fail(*given):
        raise RuntimeError("planned")

    monkeypatch.setattr(dump.tables, "copy_out", fail)
    with pytest.raises(RuntimeError):
        take_backup(engine, tmp_path / "half")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_restore_requires_a_confirmation(engine, file):
    before = everything(engine)
    code, said = shop(engine, "restore", file)
    assert (code, "Add --yes" in said) == (2, True)
    assert everything(engine) == before


def test_running_store_is_not_replaced(engine, file):
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address):
        code, said = shop(engine, "restore", file, "--yes")
    assert (code, "The store runs" in said) == (2, True)


def damaged(file, **changes):
    """Write the file anew with other members; ``None`` leaves one out."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def manifest_of(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(MANIFEST))


DAMAGE = {
    "nothing": lambda file: file.unlink(),
    "no archive": lambda file: file.write_bytes(b"-- a dump of something"),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-200]),
    "a byte changed": lambda file: file.write_bytes(file.read_bytes().replace(b"tables/users", b"tables/usurs", 1)),
    "no manifest": lambda file: damaged(file, **{MANIFEST: None}),
    "another format": lambda file: damaged(file, **{MANIFEST: json.dumps({**manifest_of(file), "format": 9})}),
    "a newer schema": lambda file: damaged(file, **{MANIFEST: json.dumps({**manifest_of(file), "revision": "9999"})}),
    "a table missing": lambda file: damaged(file, **{member_name("users"): None}),
    "a row missing": lambda file: damaged(file, **{member_name("stock_items"): b""}),
    "rows that cannot be": lambda file: damaged(file, **{member_name("stock_items"): b"nonsense\n"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_invalid_file_changes_nothing(engine, file, damage):
    before = everything(engine)
    DAMAGE[damage](file)
    code, said = shop(engine, "restore", file, "--yes")
    assert (code, said.count("\n")) == (2, 1), said
    assert everything(engine) == before


def test_database_of_another_program_is_left_alone(new_database, file):
    strange = build_engine(load_settings(database_url=new_database("strange", template=None)))
    with strange.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id int)"))
        connection.execute(text("INSERT INTO theirs VALUES (1)"))
    code, said = shop(strange, "restore", file, "--yes")
    assert (code, "theirs" in said) == (2, True)
    with strange.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM theirs")) == 1
    strange.dispose()


def test_an_empty_database_is_given_its_schema(new_database, engine, file):
    empty = build_engine(load_settings(database_url=new_database("empty", template=None)))
    assert shop(empty, "restore", file, "--yes")[0] == 0
    assert everything(empty) == everything(engine)
    empty.dispose()


def test_an_older_backup_is_brought_to_this_schema(new_database, other, tmp_path):
    old = build_engine(load_settings(database_url=new_database("old", template=None)))
    with old.begin() as connection:
        move_to(connection, "0004")
        connection.exec_driver_sql("INSERT INTO categories (slug, name) VALUES ('kept', 'Kept')")
    assert take_backup(old, tmp_path / "old").revision == "0004"
    old.dispose()
    restore_backup(other, tmp_path / "old")
    with other.connect() as connection:
        assert current_revision(connection) == revisions()[-1]
        assert connection.scalar(text("SELECT name FROM categories WHERE slug = 'kept'")) == "Kept"


def test_backup_of_an_old_schema_is_refused_until_migrated(new_database, tmp_path):
    old = build_engine(load_settings(database_url=new_database("behind", template=None)))
    code, said = shop(old, "backup", tmp_path / "copy")
    assert (code, "bin/shop migrate" in said) == (2, True)
    with pytest.raises(ConfigurationError):
        restore_backup(old, tmp_path / "copy")
    old.dispose()
