import json
import os
import subprocess
import sys

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shop.catalog.text_normalisation import normalise_line
from shop.database.engine import ModelBase, build_engine
from shop.database.schema import MIGRATIONS, alembic_config, pending, require_current, revisions, upgrade
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.reconciliation.store import read_snapshot
from shop.settings import load_settings
from tests.support.factories import make_category, make_product


def test_migrating_twice_changes_nothing_the_second_time(new_database):
    engine = build_engine(load_settings(database_url=new_database("migrate", template=None)))
    first, second = upgrade(engine), upgrade(engine)
    engine.dispose()
    assert first
    assert second == []


def test_a_migrated_database_lacks_no_revision_and_no_table(database):
    with database.engine.connect() as connection:
        assert pending(connection) == []
        assert set(connection.dialect.get_table_names(connection)) >= set(ModelBase.metadata.tables)


def test_revisions_are_linear_and_numbered_by_file_name():
    script = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert script.get_heads() == revisions()[-1:]


def test_two_processes_that_migrate_at_once_take_turns(new_database):
    environment = {**os.environ, "DATABASE_URL": new_database("both", template=None)}
    argv = [sys.executable, "-m", "shop.cli", "migrate", "--json"]
    both = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    applied = [json.loads(process.communicate(timeout=60)[0])["applied"] for process in both]
    assert sorted(applied) == [[], revisions()]


def test_schema_newer_than_the_code_is_refused_unchanged(new_database):
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
    with engine.connect() as connection, pytest.raises(ConfigurationError, match="run `bin/shop migrate` first"):
        require_current(connection)
    engine.dispose()


BEFORE_EVENTS = """
INSERT INTO categories (id, slug, name) VALUES (1, 'mugs', 'Mugs');
INSERT INTO products (id, slug, category_id, title, brand, description, price_amount)
    VALUES (1, 'mug', 1, 'Mug', 'B', 'D', 500), (2, 'tray', 1, 'Tray', 'B', 'D', 900);
INSERT INTO stock_items (product_id, on_hand, reserved) VALUES (1, 7, 0), (2, 4, 1);
INSERT INTO orders (id, public_id, number, email, status, total_amount, address) VALUES
    (1, 'ord_1', 'S-1', 'a@shop.test', 'delivered', 1900, '{}'),
    (2, 'ord_2', 'S-2', 'a@shop.test', 'cancelled', 500, '{}'),
    (3, 'ord_3', 'S-3', 'a@shop.test', 'pending_payment', 900, '{}');
UPDATE orders SET checkout_owner = 'guest:3f1c9f5e-51b5-4d0e-8bb0-2a4e4bfa0d11' WHERE id = 1;
UPDATE orders SET checkout_owner = 'user:7' WHERE id = 2;
INSERT INTO order_lines (order_id, position, product_id, title, quantity, unit_price_amount) VALUES
    (1, 1, 1, 'Mug', 2, 500), (1, 2, 2, 'Tray', 1, 900), (2, 1, 1, 'Mug', 1, 500), (3, 1, 2, 'Tray', 1, 900);
INSERT INTO order_events (order_id, version, type, data) VALUES
    (1, 1, 'OrderPlaced', '{"total": {"amount": 1900, "currency": "EUR"}}'),
    (1, 2, 'PaymentCharged', '{"provider_id": "c"}'),
    (1, 3, 'OrderShipped', '{}'), (1, 4, 'OrderDelivered', '{}'),
    (2, 1, 'OrderPlaced', '{"total": {"amount": 500, "currency": "EUR"}}'),
    (2, 2, 'PaymentCharged', '{"provider_id": "d"}'),
    (2, 3, 'OrderCancelled', '{"reason": "cancelled by the store"}'),
    (3, 1, 'OrderPlaced', '{"total": {"amount": 900, "currency": "EUR"}}');
"""


def test_store_with_incomplete_events_can_be_rebuilt(new_database):
    url = new_database("before_events", template=None)
    engine = build_engine(load_settings(database_url=url))
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    with engine.begin() as connection:
        connection.exec_driver_sql(BEFORE_EVENTS)
    assert upgrade(engine)[0] == "0004"
    replaying = ProjectionRebuilder(Database(engine))
    assert replaying.verify().differences == ()
    assert replaying.rebuild().orders == 3
    assert replaying.verify().differences == ()
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT data, schema_version FROM order_events WHERE type = 'OrderCancelled'"))
        assert kept.one() == ({"reason": "cancelled by the store"}, 1)  # lifted when read, never rewritten
        guests = connection.execute(text("SELECT guest_id::text FROM orders ORDER BY id")).scalars().all()
        assert guests == ["3f1c9f5e-51b5-4d0e-8bb0-2a4e4bfa0d11", None, None]  # what her cookie carries
    engine.dispose()
    store = read_snapshot(url, 900)
    assert (store.stock, store.lines, store.summaries) == ([], [], [])


TEXT_AS_IT_CAME = [
    ("jar", "Cafe\u0301 Jar", "Salt  Box", "A\u0300 la carte."),
    ("mill", "Salt/Pepper Mill", "Salt\u00a0Box\u200b", ""),
    ("mug", "Wi-Fi Mug", "Salt Box", ""),
]


def test_text_of_an_earlier_store_is_normalized_and_found(new_database):
    engine = build_engine(load_settings(database_url=new_database("text_forms", template=None)))
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0014")
        connection.exec_driver_sql("INSERT INTO categories (id, slug, name) VALUES (1, 'jars', 'Pa\u0302te\u0301')")
        for row in TEXT_AS_IT_CAME:
            insert = "INSERT INTO products (slug, category_id, title, brand, description, price_amount)"
            connection.exec_driver_sql(f"{insert} VALUES (%s, 1, %s, %s, %s, 900)", row)
        command.upgrade(config, "0015")
    found = text("SELECT slug FROM products WHERE search @@ plainto_tsquery(:by, :words) ORDER BY slug")
    with engine.begin() as connection:
        products = connection.execute(text("SELECT slug, title, brand, description FROM products ORDER BY slug")).all()
        assert [tuple(row) for row in products] == [
            (slug, *map(normalise_line, rest)) for slug, *rest in TEXT_AS_IT_CAME
        ]
        assert connection.scalar(text("SELECT name FROM categories")) == "Pâté"
        for words, slugs in (("pepper", ["mill"]), ("fi", ["mug"]), ("wifi", ["mug"]), ("café", ["jar"])):
            assert connection.scalars(found, {"by": "english", "words": words}).all() == slugs
        known = text("SELECT word FROM search_words WHERE word ~ 'pepper|^caf' ORDER BY word")
        assert connection.scalars(known).all() == ["café", "pepper"]
        config.attributes["connection"] = connection
        command.upgrade(config, "0017")
        for words, slugs in (("pepper", ["mill"]), ("wifi", ["mug"]), ("café", ["jar"]), ("cafe", ["jar"])):
            assert connection.scalars(found, {"by": "english_unaccented", "words": words}).all() == slugs
        assert connection.scalars(known).all() == ["cafe", "pepper"]
        command.downgrade(config, "0016")
        assert connection.scalars(found, {"by": "english", "words": "café"}).all() == ["jar"]
        assert connection.scalars(known).all() == ["café", "pepper"]
        command.downgrade(config, "0014")
        assert connection.scalars(found, {"by": "english", "words": "café"}).all() == ["jar"]
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO categories (slug, name) VALUES ('jars', :text)",
        "UPDATE products SET title = :text",
        "UPDATE products SET brand = :text",
    ],
)
def test_the_tables_refuse_text_in_another_form(database, statement):
    with database.transaction() as session:
        make_product(session, make_category(session))
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(text(statement), {"text": "Cafe\u0301"})
