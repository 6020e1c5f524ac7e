import threading
from contextlib import contextmanager, nullcontext, suppress

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop.catalog.models import Product
from shop.database.connection import StoreConnection, TransactionAborted
from shop.database.engine import build_engine
from shop.database.pipelined_commit import PipelinedStatement
from shop.database.transactions import Database, ExternalCallInTransaction, TransactionRolledBack, refuse_in_transaction
from shop.errors import InvalidFields, NotFound, ServiceUnavailable
from tests.support.factories import make_category, make_product

DEFERRED = PipelinedStatement(text("UPDATE products SET title = 'last' WHERE id = (SELECT max(id) FROM products)"))
FAILING = PipelinedStatement(text("UPDATE products SET price_amount = 0"))


@pytest.fixture
def products(database):
    with database.transaction() as session:
        category = make_category(session)
        return [make_product(session, category).id for _ in range(2)]


def rename(session, product_id, title):
    session.execute(update(Product).where(Product.id == product_id).values(title=title))


def rename_and_fail(database, product_id):
    with database.transaction() as session:
        rename(session, product_id, "half done")
        raise NotFound


def titles(database):
    with database.reading() as session:
        return list(session.scalars(select(Product.title).order_by(Product.id)))


def meet_in_a_circle(products, run):
    """Let two threads rename both products, each beginning with the other's second; return what became of each."""
    both_hold_one, ends = threading.Barrier(2), {}
    first_try = {"there": True, "back": True}

    def work(name, order):
        def change(session):
            rename(session, order[0], name)
            if first_try.pop(name, False):
                both_hold_one.wait(10)
            rename(session, order[1], name)

        try:
            run(change)
            ends[name] = "done"
        except ServiceUnavailable as refusal:
            ends[name] = f"come back in {refusal.retry_after} s"

    threads = [
        threading.Thread(target=work, args=("there", products)),
        threading.Thread(target=work, args=("back", products[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return ends


def test_a_deadlock_is_run_again_until_both_are_done(database, products):
    assert meet_in_a_circle(products, database.run_in_transaction) == {"there": "done", "back": "done"}


def test_deadlock_loser_without_retries_gets_503(database, products):
    def once(change):
        with database.transaction() as session:
            change(session)

    ends = meet_in_a_circle(products, once)
    assert sorted(ends.values()) == ["come back in 1 s", "done"]
    assert len(set(titles(database))) == 1


def test_lock_timeout_gets_503_with_retry_after(database, settings, products):
    impatient = Database(build_engine(settings.model_copy(update={"db_lock_timeout_ms": 50})))
    with database.transaction() as session:
        rename(session, products[0], "held")
        with pytest.raises(ServiceUnavailable) as refused, impatient.transaction() as other:
            rename(other, products[0], "wanted")
    assert refused.value.retry_after
    impatient.engine.dispose()


def test_hooks_run_after_commit_and_never_after_rollback(database, products):
    seen = []
    with database.transaction() as session:
        rename(session, products[0], "committed")
        database.after_commit(session, lambda: seen.append(titles(database)[0]))
        assert seen == []
    assert seen == ["committed"]


def test_hooks_of_a_rolled_back_change_do_not_run(database):
    seen = []

    def change():
        with database.transaction() as session:
            database.after_commit(session, lambda: seen.append("never"))
            raise NotFound

    with pytest.raises(NotFound):
        change()
    assert seen == []


def test_blocks_and_reads_join_the_enclosing_transaction(database, products):
    with database.enclosing():
        with database.transaction() as session:
            rename(session, products[0], "first")
        database.run_in_transaction(lambda session: rename(session, products[1], "second"))
        assert titles(database) == ["first", "second"]
        assert titles(Elsewhere(database)) != ["first", "second"]
    assert titles(database) == ["first", "second"]


def test_a_block_that_raises_undoes_the_whole_enclosing_transaction(database, products):
    before = titles(database)
    with database.enclosing() as outer:
        with database.transaction() as session:
            rename(session, products[0], "undone with the other")
        with pytest.raises(NotFound):
            rename_and_fail(database, products[1])
        assert not outer.is_open
        assert titles(database) == before
        with pytest.raises(TransactionRolledBack), database.transaction():
            pass
    assert titles(database) == before


def test_effects_inside_an_enclosing_transaction_wait_for_its_commit(database, products):
    seen = []
    with database.enclosing():
        with database.transaction() as session:
            rename(session, products[0], "committed")
            database.after_commit(session, lambda: seen.append(titles(Elsewhere(database))[0]))
        assert seen == []
    assert seen == ["committed"]


def test_nobody_calls_out_inside_an_enclosing_transaction(database):
    with database.enclosing(), pytest.raises(ExternalCallInTransaction):
        refuse_in_transaction("a provider")


def swallow(session):
    """Let a statement fail, and think nothing of it."""
    with suppress(IntegrityError):
        session.execute(text("UPDATE products SET price_amount = 0"))


def in_one_block(database, then):
    with database.transaction() as session:
        swallow(session)
        then(session)


def in_one_of_several(database, then):
    with database.enclosing():
        in_one_block(database, then)
        pytest.fail("the block that swallowed it ended well")


def in_what_is_run_again(database, then):
    database.run_in_transaction(lambda session: (swallow(session), then(session)))


def in_a_load(database, then):
    """As data sets are loaded: on a connection of the driver's own, in its own block."""
    with (
        StoreConnection.open(
            database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        ) as own,
        own.transaction(),
        suppress(psycopg.errors.CheckViolation),
    ):
        own.execute("UPDATE products SET price_amount = 0")


@pytest.mark.parametrize("way", [in_one_block, in_one_of_several, in_what_is_run_again, in_a_load])
@pytest.mark.parametrize("deferred", [False, True])
def test_block_with_a_swallowed_error_raises(database, products, way, deferred):
    seen, before = [], titles(database)

    def then(session):
        database.after_commit(session, lambda: seen.append("as if it were stored"))
        if deferred:
            database.execute_with_commit(session, DEFERRED)

    with pytest.raises(TransactionAborted):
        way(database, then)
    assert (seen, titles(database)) == ([], before)


def test_a_statement_whose_failure_is_expected_stands_in_a_savepoint(database, products):
    with database.transaction() as session:
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text("UPDATE products SET price_amount = 0"))
        rename(session, products[0], "stored")
    assert titles(database)[0] == "stored"


@pytest.mark.parametrize("opening", ["transaction", "enclosing"])
def test_last_words_are_part_of_the_transaction_they_end(database, products, opening):
    def change(fails):
        with getattr(database, opening)() as opened:
            with database.transaction() if opening == "enclosing" else nullcontext(opened) as session:
                rename(session, products[0], f"fails: {fails}")
            database.execute_with_commit(session, DEFERRED if not fails else FAILING) if opening == "transaction" else (
                opened.execute_with_commit(DEFERRED if not fails else FAILING)
            )

    change(fails=False)
    assert titles(database) == ["fails: False", "last"]
    with pytest.raises(IntegrityError):
        change(fails=True)
    assert titles(database) == ["fails: False", "last"]


def test_failed_pipelined_statement_logs_no_driver_warning(database, products, caplog):
    def refused():
        with database.transaction() as session:
            for word in [FAILING, *[DEFERRED] * 300]:  # so many that the refusal arrives while they are being sent
                database.execute_with_commit(session, word)

    with pytest.raises(IntegrityError):
        refused()
    assert [record.getMessage() for record in caplog.records if record.name == "psycopg"] == []
    assert "last" not in titles(database)


def test_a_piecemeal_database_keeps_what_it_did_before_it_failed(database, products):
    with pytest.raises(NotFound):
        rename_and_fail(database.autocommit(), products[0])
    assert titles(database)[0] == "half done"


class Elsewhere:
    """The same database, looked at past any open transaction."""

    def __init__(self, database):
        self._engine = database.engine

    @contextmanager
    def reading(self):
        with Session(self._engine) as session:
            yield session


@pytest.mark.parametrize("statement", ["SELECT CAST(:given AS text)", "SELECT CAST(:given AS jsonb)"])
@pytest.mark.parametrize("given", ["a\0b", '"a\\u0000b"', "a\ud800b", '"a\\ud800b"'])
def test_text_that_postgresql_cannot_store_is_refused_plainly(database, statement, given):
    if "jsonb" not in statement and "\\u" in given:
        return  # six harmless letters
    for block in (database.transaction, database.reading):
        with pytest.raises(InvalidFields, match="no text has"), block() as session:
            session.execute(text(statement), {"given": given})
