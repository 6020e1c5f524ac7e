"""Imports during checkouts: locks are short and ordered, and a stopped import resumes."""

import threading
import uuid

import psycopg
import pytest
from sqlalchemy import text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.datasets.importing import batches, changes
from shop.datasets.importing.importer import import_catalogue
from shop.datasets.importing.reading import rows
from shop.datasets.progress import SilentProgress
from shop.errors import ServiceUnavailable
from tests.support.checkout_processes import check_out_concurrently
from tests.support.factories import make_category, make_product
from tests.support.polling import until

PRODUCTS = 12
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.fixture
def products_file(database, tmp_path, monkeypatch):
    """Products on the shelf, small batches, and a file that names the products from the last to the first."""
    monkeypatch.setattr(batches, "BATCH_ROWS", 5)
    with database.transaction() as session:
        category = make_category(session, "mugs", make_category(session, "kitchen"))
        for number in range(PRODUCTS):
            make_product(session, category, f"mug-{number:02}", on_hand=500)
    path = tmp_path / "products.csv"

    def write(on_hand):
        path.write_text("\n".join(["slug,on_hand", *(f"mug-{n:02},{on_hand}" for n in reversed(range(PRODUCTS)))]))
        return path

    return write


class Watcher(SilentProgress):
    """Does something whenever a batch is committed or a step begins."""

    def __init__(self, look):
        self._look = look
        self._step = ""

    def step(self, name):
        self._step = name
        self._look(name)

    def advance(self, rows):
        self._look(self._step)


def test_between_batches_no_buyer_waits_for_the_import(database, settings, products_file):
    seen = []

    def look(step):
        with database.transaction() as session:
            session.execute(text("SELECT 1 FROM stock_items FOR UPDATE NOWAIT"))
            session.execute(text("SELECT 1 FROM products FOR UPDATE NOWAIT"))
            session.execute(text("SELECT 1 FROM search_words FOR UPDATE NOWAIT"))
            counted = session.execute(text("SELECT count(*) FROM stock_items WHERE on_hand = 400")).scalar_one()
            seen.append((step, counted))

    import_catalogue(settings, rows(products_file(400)), progress=Watcher(look))
    batch = "importing products"
    assert [one for one in seen if one[0] == batch] == [(batch, 0), (batch, 5), (batch, 10), (batch, 12)]
    assert ("updating search words", 12) in seen


def deadlocks(settings):
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()


@pytest.mark.usefixtures("simulator")
def test_checkouts_beside_imports_all_succeed_without_one_deadlock(database, settings, products_file, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_ROWS", PRODUCTS)

    def full_cart():
        owner = CartOwner(guest_cart_id=uuid.uuid4())
        for number in range(PRODUCTS):
            CartService(database, offers).add(owner, f"mug-{number:02}", 1)
        return owner

    buyers = [[(full_cart(), f"key-{buyer}-{turn}") for turn in range(3)] for buyer in range(2)]
    before, bought, ends = deadlocks(settings), threading.Event(), []

    def buy():
        ends.extend(check_out_concurrently(settings, buyers))
        bought.set()

    buying = threading.Thread(target=buy)
    buying.start()
    imports = 0
    while not bought.is_set() or imports < 2:
        import_catalogue(settings, rows(products_file(500 + imports)))
        imports += 1
    buying.join()
    assert ends == ["PaidOrder"] * 6
    assert deadlocks(settings) == before
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM stock_items WHERE reserved <> 0")).scalar_one() == 0


def test_stock_is_locked_in_the_order_of_product_ids(database, settings, products_file, monkeypatch):
    """While the lowest row of a batch is held by a buyer, none of the others is held by the import."""
    monkeypatch.setattr(batches, "BATCH_ROWS", PRODUCTS)
    with psycopg.connect(settings.database_url) as buyer:
        buyer.execute("SELECT 1 FROM stock_items ORDER BY product_id LIMIT 1 FOR UPDATE")
        importing = threading.Thread(target=lambda: import_catalogue(settings, rows(products_file(400))))
        importing.start()
        with database.reading() as session:
            until(lambda: session.execute(WAITING).scalar_one() > 0)
        buyer.execute("SELECT 1 FROM stock_items FOR UPDATE NOWAIT")
        buyer.commit()
    importing.join()


def test_a_batch_that_lost_a_deadlock_is_run_again(database, settings, products_file):
    """The other side takes the rows in the wrong order, and has the patience to let the import lose."""
    done = []
    with psycopg.connect(settings.database_url) as other:
        other.execute("SET deadlock_timeout = '1min'")
        other.execute(
            "UPDATE stock_items SET on_hand = 450 WHERE product_id = (SELECT max(product_id) FROM stock_items)"
        )
        importing = threading.Thread(target=lambda: done.append(import_catalogue(settings, rows(products_file(400)))))
        importing.start()
        with database.reading() as session:
            until(lambda: session.execute(WAITING).scalar_one() > 0)
        other.execute("SELECT 1 FROM stock_items ORDER BY product_id FOR UPDATE")
        other.commit()
    importing.join()
    assert [report.updated for report in done] == [PRODUCTS]
    with database.reading() as session:
        assert session.execute(text("SELECT DISTINCT on_hand FROM stock_items")).scalars().all() == [400]


def test_stopped_import_names_its_line_and_resumes(database, settings, tmp_path, products_file):
    path = tmp_path / "new.csv"
    path.write_text("title,category,price\n" + "".join(f"Cup {n},Kitchen > Cups,9\n" for n in range(12)))

    def stop(step):
        with database.reading() as session:
            if session.execute(text("SELECT count(*) FROM products WHERE slug LIKE 'cup-%'")).scalar_one() == 5:
                raise KeyboardInterrupt

    with pytest.raises(
        ServiceUnavailable, match=r"stopped after line 6 .*: the valid rows up to that line are imported"
    ):
        import_catalogue(settings, rows(path), progress=Watcher(stop))
    report = import_catalogue(settings, rows(path))
    assert (report.committed, report.resumed_after, report.created, report.refused) == (True, 6, 7, 0)
    again = import_catalogue(settings, rows(path))
    assert (again.committed, again.refused) == (False, 12)  # it is complete: made slugs name no product any more


def test_import_stopped_before_first_batch_changes_nothing(database, settings, products_file):
    def stop(step):
        if step == "importing products":
            raise KeyboardInterrupt

    with pytest.raises(ServiceUnavailable, match="nothing was changed"):
        import_catalogue(settings, rows(products_file(400)), progress=Watcher(stop))


def test_a_product_somebody_else_adds_meanwhile_is_not_overwritten(database, settings, tmp_path, products_file):
    path = tmp_path / "new.csv"
    path.write_text("slug,title,category,price\n" + "".join(f"cup-{n},Cup,Kitchen > Mugs,9\n" for n in range(7)))

    def add(step):
        if step == "importing products":
            with database.transaction() as session:
                session.execute(
                    text(
                        "INSERT INTO products (slug, category_id, title, brand, description, price_amount)"
                        " SELECT 'cup-6', max(id), 'Theirs', '', '', 100 FROM categories ON CONFLICT DO NOTHING"
                    )
                )

    report = import_catalogue(settings, rows(path), progress=Watcher(add))
    assert (report.created, [refusal.line for refusal in report.refusals]) == (6, [8])
    with database.reading() as session:
        assert session.execute(text("SELECT title FROM products WHERE slug = 'cup-6'")).scalar_one() == "Theirs"


def test_slug_released_by_concurrent_rename_is_not_reused(database, settings, tmp_path, products_file):
    path = tmp_path / "new.csv"
    path.write_text("slug,title,category,price\n" + "".join(f"cup-{n},Cup,Kitchen > Mugs,9\n" for n in range(3)))

    def rename(step):
        if step == "importing products":
            with database.transaction() as session:
                former = "INSERT INTO former_slugs (slug, product_id) SELECT 'cup-1', min(id) FROM products"
                session.execute(text(f"{former} ON CONFLICT DO NOTHING"))

    report = import_catalogue(settings, rows(path), progress=Watcher(rename))
    assert (report.created, [refusal.line for refusal in report.refusals]) == (2, [3])


def test_import_invalidates_tags_or_the_whole_catalogue(settings, products_file, monkeypatch):
    told = []
    import_catalogue(settings, rows(products_file(400)), on_change=told.append)
    assert told == [["searches"]]  # fewer pieces, and still some: no kept answer shows how many
    import_catalogue(settings, rows(products_file(0)), on_change=told.append)
    assert set(told[-1]) == {"home", "searches", "category:kitchen", "category:mugs"} | {
        f"product:mug-{number:02}" for number in range(PRODUCTS)
    }
    monkeypatch.setattr(changes, "MOST_TAGS", 3)
    import_catalogue(settings, rows(products_file(401)), on_change=told.append)
    assert told[-1] == ["catalogue"]


def test_search_words_follow_changed_titles(database, settings, tmp_path, products_file):
    path = tmp_path / "titles.csv"
    path.write_text("slug,title\n" + "".join(f"mug-{number:02},Beaker\n" for number in range(PRODUCTS)))
    import_catalogue(settings, rows(products_file(400)))
    import_catalogue(settings, rows(path))
    with database.reading() as session:
        found = session.execute(text("SELECT word, products FROM search_words ORDER BY word")).all()
    assert [tuple(row) for row in found] == [("beaker", PRODUCTS), ("northwind", PRODUCTS)]
