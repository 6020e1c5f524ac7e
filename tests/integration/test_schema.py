import json
import os
import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from shop.db import Base, build_engine
from shop.errors import ConfigurationError
from shop.schema import MIGRATIONS, pending, require_current, revisions, upgrade
from shop.settings import load_settings


def test_migrating_twice_changes_nothing_the_second_time(new_database):
    engine = build_engine(load_settings(database_url=new_database("migrate", template=None)))
    first, second = upgrade(engine), upgrade(engine)
    engine.dispose()
    assert first
    assert second == []


def test_a_migrated_database_lacks_no_revision_and_no_table(database):
    with database.engine.connect() as connection:
        assert pending(connection) == []
        assert set(connection.dialect.get_table_names(connection)) >= set(Base.metadata.tables)


def test_the_revisions_are_one_line_and_known_by_their_file_names():
    script = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert script.get_heads() == revisions()[-1:]


def test_two_processes_that_migrate_at_once_take_turns(new_database):
    environment = {**os.environ, "DATABASE_URL": new_database("both", template=None)}
    argv = [sys.executable, "-m", "shop.cli", "migrate", "--json"]
    both = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    applied = [json.loads(process.communicate(timeout=60)[0])["applied"] for process in both]
    assert sorted(applied) == [[], revisions()]


def test_a_schema_newer_than_the_code_is_refused_and_left_alone(new_database):
    engine = build_engine(load_settings(database_url=new_database("newer")))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="revision 9999, newer than this code's"):
        upgrade(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_a_web_worker_refuses_a_schema_that_lacks_something(new_database):
    engine = build_engine(load_settings(database_url=new_database("older", template=None)))
    with engine.connect() as connection, pytest.raises(ConfigurationError, match="run `shop migrate` first"):
        require_current(connection)
    engine.dispose()
