"""A database the store cannot work on is refused in one line that says what to do, and left as it was."""

import click
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from sqlalchemy import make_url

from shop.cli import main
from shop.database.schema import revisions
from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack import external_servers
from shop.stack.program import free_port

pytestmark = pytest.mark.xdist_group("unfit-databases")  # one process, so that each is made once


def refused(url, *words):
    """Run a command on a database; return the one line it ends with."""
    done = CliRunner().invoke(main, words, env={"DATABASE_URL": url})
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    return done.stderr


def shown(url):
    """Return the address as a message may show it."""
    return make_url(url).render_as_string(hide_password=True)


def of_user(url, name):
    """Return the address for another user, who has the same password."""
    return make_url(url).set(username=name).render_as_string(hide_password=False)


@pytest.fixture
def make(new_database):
    """Makes a database in which some statements were run."""

    def make(*statements):
        url = new_database("unfit", template=None)
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement)
        return url

    return make


def relations(url):
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        return {name for (name,) in found}


@pytest.mark.parametrize(
    "others",
    [
        ("CREATE TABLE users (name text)",),
        ("CREATE VIEW report AS SELECT 1",),
        ("CREATE TABLE alembic_version (version_num text)", "CREATE TABLE songs (title text)"),
    ],
)
def test_a_database_that_holds_something_else_is_not_migrated(make, others):
    url = make(*others)
    before = relations(url)
    said = refused(url, "migrate")
    assert f"{shown(url)} holds other tables" in said
    assert "DATABASE_URL" in said
    assert relations(url) == before


def test_foreign_schema_revision_is_not_taken_for_newer(make):
    url = make("CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('1975ea83b712')")
    assert "is another program's" in refused(url, "migrate")


def test_extension_tables_and_leftovers_of_downgrade_are_accepted(make):
    extension = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"
    url = make(extension, "CREATE TABLE alembic_version (version_num varchar(32))")
    assert CliRunner().invoke(main, ["migrate"], env={"DATABASE_URL": url}).exit_code == 0


def test_a_user_who_may_not_make_tables_is_told_so(make):
    url = make()
    before = relations(url)
    with psycopg.connect(url) as connection:
        password = sql.Literal(make_url(url).password)
        connection.execute(sql.SQL("CREATE ROLE guest LOGIN PASSWORD {}").format(password))
        name = sql.Identifier(make_url(url).database)
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO guest").format(name))
    try:
        said = refused(of_user(url, "guest"), "migrate")
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM guest").format(name))
            connection.execute("DROP ROLE guest")
    assert "permission denied" in said
    assert "make it the owner" in said
    assert relations(url) == before


@pytest.fixture(scope="module")
def ascii_only(new_database):
    """A database in which text is bytes."""
    there = new_database("unfit", template=None)
    name = f"{there.rpartition('/')[2]}_ascii"
    made = f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute(made.encode())
    yield there.replace(there.rpartition("/")[2], name)
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}".encode())


def test_database_not_in_utf8_is_refused_before_start(ascii_only):
    with pytest.raises(ConfigurationError, match=r"shop:\*\*\*@.* is encoded in SQL_ASCII.*ENCODING 'UTF8'"):
        external_servers.check(load_settings(database_url=ascii_only), "database_url")


def test_database_not_in_utf8_is_refused_by_commands(ascii_only):
    assert "is encoded in SQL_ASCII" in refused(ascii_only, "migrate")
    assert relations(ascii_only) == set()


def leaves(group, *words):
    for name, command in sorted((name, group.get_command(None, name)) for name in group.list_commands(None)):
        if isinstance(command, click.Group):
            yield from leaves(command, *words, name)
        else:
            yield " ".join((*words, name))


NOT_ON_THE_DATABASE = (
    "up",
    "down",
    "status",
    "migrate",
    "restore",
    "cache",
    "fault",
    "logs",
    "lab",
    "sql",
    "reset",
    "exercise",
)
"""They ask the running stack or files; ``up``, ``migrate`` and ``restore`` make the schema, ``sql`` shows any, and
``reset`` refuses an address whatever is there."""
GIVEN = {
    "switch get": ("cache.shared",),
    "switch set": ("cache.shared", "off"),
    "queue requeue": ("1",),
    "import products": ("no-such.csv",),
    "admin create": ("boss@shop.test",),
    "admin grant": ("boss@shop.test",),
    "backup": ("no-such-folder/backup",),
    "books settle": ("ch_none", "--refund", "--reason", "lost"),
    "customer export": ("ann@shop.test",),
    "customer forget": ("ann@shop.test", "--yes"),
}
COMMANDS = [name for name in leaves(main) if name.split()[0] not in NOT_ON_THE_DATABASE]


@pytest.fixture(scope="module")
def claimed(new_database):
    """Makes a database say which revision it is at."""
    url = new_database("claimed")

    def claim(revision):
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM alembic_version")
            connection.execute("INSERT INTO alembic_version SELECT %s WHERE %s <> ''", (revision, revision))
        return url

    return claim


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_refuses_to_work_on_an_older_schema(claimed, name):
    said = refused(claimed(revisions()[-2]), *name.split(), *GIVEN.get(name, ()))
    assert f"lacks {revisions()[-1]}: run `bin/shop migrate` first" in said


@pytest.mark.parametrize(("revision", "advice"), [("", "run `bin/shop migrate`"), ("9999", "bring the code up to")])
def test_command_refuses_missing_or_newer_schema(claimed, revision, advice):
    assert advice in refused(claimed(revision), "switch", "list")


@pytest.mark.parametrize("name", ["migrate", "switch list"])
def test_a_database_that_does_not_answer_is_named(name):
    said = refused(f"postgresql://shop:hush@127.0.0.1:{free_port()}/shop", *name.split())
    assert "The database postgresql://shop:***@127.0.0.1:" in said
    assert "does not answer" in said
