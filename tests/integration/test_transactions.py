import threading

import pytest
from sqlalchemy import select, update

from shop.catalog.models import Product
from shop.db import build_engine
from shop.errors import NotFound, Unavailable
from shop.unit_of_work import Database
from tests.factories import make_category, make_product


@pytest.fixture
def products(database):
    with database.transaction() as session:
        category = make_category(session)
        return [make_product(session, category).id for _ in range(2)]


def rename(session, product_id, title):
    session.execute(update(Product).where(Product.id == product_id).values(title=title))


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
        except Unavailable as refusal:
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
    assert meet_in_a_circle(products, database.retrying) == {"there": "done", "back": "done"}


def test_where_nothing_is_run_again_the_loser_of_a_deadlock_is_told_to_come_back(database, products):
    def once(change):
        with database.transaction() as session:
            change(session)

    ends = meet_in_a_circle(products, once)
    assert sorted(ends.values()) == ["come back in 1 s", "done"]
    assert len(set(titles(database))) == 1


def test_a_lock_that_is_not_free_in_time_is_told_to_come_back(database, settings, products):
    impatient = Database(build_engine(settings.model_copy(update={"db_lock_timeout_ms": 50})))
    with database.transaction() as session:
        rename(session, products[0], "held")
        with pytest.raises(Unavailable) as refused, impatient.transaction() as other:
            rename(other, products[0], "wanted")
    assert refused.value.retry_after
    impatient.engine.dispose()


def test_what_follows_from_a_change_follows_the_commit_and_never_a_rollback(database, products):
    seen = []
    with database.transaction() as session:
        rename(session, products[0], "committed")
        database.after_commit(session, lambda: seen.append(titles(database)[0]))
        assert seen == []
    assert seen == ["committed"]


def test_what_was_to_follow_a_change_does_not_follow_its_rollback(database):
    seen = []

    def change():
        with database.transaction() as session:
            database.after_commit(session, lambda: seen.append("never"))
            raise NotFound

    with pytest.raises(NotFound):
        change()
    assert seen == []
