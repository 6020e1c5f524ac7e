import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.catalog.models import Product
from shop.cli import main
from shop.datasets.importing import taking
from shop.datasets.importing.reading import rows
from shop.errors import ConfigurationError
from tests.factories import make_category, make_product
from tests.waiting import until

HEADER = "slug,title,brand,category,description,price,on_hand\n"
MUG = "blue-mug,Blue Mug,Tern,Kitchen > Mugs,Blue.,12.99,4\n"
CUP = ",Red Cup,Tern,Kitchen > Mugs,Red.,8.50,0\n"
BAD = "bad,Bad,Tern,Kitchen > Mugs,,free,1\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="products.csv"):
        path = tmp_path / name
        path.write_text(content, "utf-8")
        return path

    return write


def shown(database, statement):
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def test_products_categories_stock_and_search_words_are_made(database, settings, write):
    report = taking.take(settings, rows(write(HEADER + MUG + CUP)))
    assert (report.created, report.updated, report.refused, report.committed) == (2, 0, 0, True)
    assert shown(
        database, "SELECT slug, price_amount, on_hand FROM products JOIN stock_items ON product_id = id ORDER BY 1"
    ) == [
        ("blue-mug", 1299, 4),
        ("tern-red-cup", 850, 0),
    ]
    assert shown(database, "SELECT c.slug, p.slug FROM categories c JOIN categories p ON p.id = c.parent_id") == [
        ("mugs", "kitchen")
    ]
    assert ("mug", 1) in shown(database, "SELECT word, products FROM search_words")


def test_one_bad_row_leaves_everything_as_it_was(database, settings, write):
    told = []
    report = taking.take(settings, rows(write(HEADER + MUG + BAD)), on_change=lambda: told.append("changed"))
    assert not report.committed
    assert [(refusal.line, refusal.reason.split(" ")[0]) for refusal in report.refusals] == [(3, "price")]
    assert shown(database, "SELECT 1 FROM products UNION SELECT 1 FROM categories") == []
    assert told == []


def test_partial_takes_the_good_rows_and_lists_the_bad(database, settings, write):
    told = []
    report = taking.take(
        settings, rows(write(HEADER + BAD + MUG)), partial=True, on_change=lambda: told.append("changed")
    )
    assert (report.accepted, report.created, report.refused) == (1, 1, 1)
    assert shown(database, "SELECT slug FROM products") == [("blue-mug",)]
    assert told == ["changed"]


def test_a_slug_that_stands_twice_is_taken_once(settings, database, write):
    report = taking.take(settings, rows(write(HEADER + MUG + CUP + MUG)), partial=True)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (4, "slug 'blue-mug' stands on line 2 already")
    ]
    assert report.accepted == 2


def test_a_known_slug_is_updated_and_keeps_what_the_file_does_not_say(database, settings, write):
    with database.transaction() as session:
        shelf = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, shelf, "blue-mug", on_hand=7, rating_count=2, rating_sum=9)
    report = taking.take(settings, rows(write("slug,title,category,price\nblue-mug,Newer Mug,Kitchen > Mugs,9\n")))
    assert (report.created, report.updated) == (0, 1)
    with database.reading() as session:
        product = session.query(Product).one()
        assert (product.title, product.price_amount, product.rating_sum) == ("Newer Mug", 900, 9)
    assert shown(database, "SELECT on_hand FROM stock_items") == [(7,)]
    assert shown(database, "SELECT count(*) FROM categories") == [(2,)]


def test_stock_never_falls_below_what_was_promised(database, settings, write):
    with database.transaction() as session:
        shelf = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, shelf, "blue-mug", on_hand=7)
        session.execute(text("UPDATE stock_items SET reserved = 3, on_hand = 6"))  # one was sold: 7 came in
    taking.take(settings, rows(write(HEADER + MUG.replace(",4\n", ",1\n"))))
    assert shown(database, "SELECT on_hand, reserved, received FROM stock_items") == [(3, 3, 4)]


def test_a_half_seeded_store_takes_nothing(database, settings, write):
    with database.transaction() as session:
        session.execute(text("INSERT INTO datasets (name, size) VALUES ('demo', 's')"))
    with pytest.raises(ConfigurationError, match="half-seeded"):
        taking.take(settings, rows(write(HEADER + MUG)))


def test_json_lines_are_taken_too(database, settings, write):
    line = json.dumps({"title": "Lamp", "category": "Home > Lamps", "price": 79.5, "on_hand": 2})
    assert taking.take(settings, rows(write(line + "\n", "products.jsonl"))).created == 1
    assert shown(database, "SELECT slug, price_amount, brand FROM products") == [("lamp", 7950, "Unbranded")]


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [(HEADER + MUG, [], 0), (HEADER + MUG + BAD, [], 1), (HEADER + MUG + BAD, ["--partial"], 0), (HEADER, [], 1)],
)
def test_the_command_answers_with_its_exit_code_and_one_document(
    database, settings, write, monkeypatch, content, options, code
):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CACHE_URL", settings.cache_url)
    done = CliRunner().invoke(main, ["import", "products", str(write(content)), "--json", *options])
    assert done.exit_code == code, done.output
    assert json.loads(done.stdout)["committed"] is (code == 0)


def test_a_store_that_sells_its_owner_s_catalogue_opens_with_that_and_no_other(database, settings, write, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SHOP_VAR_DIR", str(settings.var_dir))
    taking.take(settings, rows(write(HEADER + MUG)))
    for _start in range(2):
        done = CliRunner().invoke(main, ["prepare"])
        assert done.exit_code == 0, done.output
    assert shown(database, "SELECT slug FROM products") == [("blue-mug",)]
    assert shown(database, "SELECT email, role FROM users ORDER BY role") == [
        ("admin@shop.test", "admin"),
        ("shopper@shop.test", "customer"),
    ]
    asked = CliRunner().invoke(main, ["prepare", "--size", "s"])
    assert (asked.exit_code, "products of your own" in asked.output) == (2, True)


def test_the_command_drops_the_cached_catalogue(database, settings, write, monkeypatch, client, runtime):
    assert client.get("/api/v1/categories").json.get("items", []) == []
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CACHE_URL", settings.cache_url)
    assert CliRunner().invoke(main, ["import", "products", str(write(HEADER + MUG))]).exit_code == 0
    until(lambda: "Kitchen" in client.get("/api/v1/categories").text)  # the broadcast takes its millisecond
