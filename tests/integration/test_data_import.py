import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.catalog.models import Product
from shop.cli import data_progress, main
from shop.cli.data import format_import
from shop.datasets.importing.importer import import_catalogue
from shop.datasets.importing.reading import rows
from shop.datasets.production import require_own_data
from shop.errors import ConfigurationError
from tests.support.factories import make_category, make_product
from tests.support.polling import until

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
    report = import_catalogue(settings, rows(write(HEADER + MUG + CUP)))
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
    report = import_catalogue(settings, rows(write(HEADER + MUG + BAD)), on_change=told.append)
    assert not report.committed
    assert [(refusal.line, refusal.reason.split(" ")[0]) for refusal in report.refusals] == [(3, "price")]
    assert shown(database, "SELECT 1 FROM products UNION SELECT 1 FROM categories") == []
    assert told == []


def test_partial_takes_the_good_rows_and_lists_the_bad(database, settings, write):
    told = []
    report = import_catalogue(settings, rows(write(HEADER + BAD + MUG)), partial=True, on_change=told.append)
    assert (report.accepted, report.created, report.refused) == (1, 1, 1)
    assert shown(database, "SELECT slug FROM products") == [("blue-mug",)]
    assert set(told[0]) >= {"product:blue-mug", "category:mugs", "categories"}


def test_a_slug_that_stands_twice_is_taken_once(settings, database, write):
    report = import_catalogue(settings, rows(write(HEADER + MUG + CUP + MUG)), partial=True)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (4, "slug 'blue-mug' stands on line 2 already")
    ]
    assert report.accepted == 2


def test_known_slug_is_updated_and_keeps_other_columns(database, settings, write):
    with database.transaction() as session:
        shelf = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, shelf, "blue-mug", on_hand=7, rating_count=2, rating_sum=9)
    report = import_catalogue(settings, rows(write("slug,title,category,price\nblue-mug,Newer Mug,Kitchen > Mugs,9\n")))
    assert (report.created, report.updated) == (0, 1)
    with database.reading() as session:
        product = session.query(Product).one()
        assert (product.title, product.price_amount, product.rating_sum) == ("Newer Mug", 900, 9)
    assert shown(database, "SELECT on_hand FROM stock_items") == [(7,)]
    assert shown(database, "SELECT count(*) FROM categories") == [(2,)]


@pytest.fixture
def mug(database):
    """A product with every field filled in."""
    with database.transaction() as session:
        shelf = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, shelf, "blue-mug", on_hand=7, brand="Tern", description="Blue.", price_amount=1299)


STORED = "SELECT title, brand, description, price_amount, on_hand FROM products JOIN stock_items ON product_id = id"


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({"price": "9"}, ("Blue Mug", "Tern", "Blue.", 900, 7)),
        ({"title": "Mug"}, ("Mug", "Tern", "Blue.", 1299, 7)),
        ({"brand": "Gull"}, ("Blue Mug", "Gull", "Blue.", 1299, 7)),
        ({"brand": "", "description": ""}, ("Blue Mug", "Unbranded", "", 1299, 7)),
        (
            {"brand": " Te\u0301a\u00a0 Box", "description": "De\u0301ja\u0300 "},
            ("Blue Mug", "Téa Box", "Déjà", 1299, 7),
        ),
        ({"on_hand": "0"}, ("Blue Mug", "Tern", "Blue.", 1299, 0)),
        ({"category": "Home > Gifts"}, ("Blue Mug", "Tern", "Blue.", 1299, 7)),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_absent_columns_keep_and_empty_cells_clear_values(database, settings, write, mug, said, stored, form):
    row = {"slug": "blue-mug", **said}
    if form == "csv":
        path = write(f"{','.join(row)}\n{','.join(row.values())}\n")
    else:
        path = write(json.dumps({name: text or None for name, text in row.items()}), "products.jsonl")
    report = import_catalogue(settings, rows(path))
    assert (report.updated, report.refused) == (1, 0)
    assert shown(database, STORED) == [stored]


def test_a_row_that_says_what_is_stored_changes_nothing(database, settings, write, mug):
    told = []
    before = shown(database, "SELECT xmin, * FROM products")
    row = "slug,title,brand,price,on_hand\nblue-mug,Blue Mug,Tern,12.99,7\n"
    report = import_catalogue(settings, rows(write(row)), on_change=told.extend)
    assert (report.updated, report.unchanged) == (0, 1)
    assert shown(database, "SELECT xmin, * FROM products") == before
    assert "product:blue-mug" not in told


def test_former_slug_is_refused_and_withdrawn_product_stays_withdrawn(database, settings, write, mug):
    with database.transaction() as session:
        session.execute(text("INSERT INTO former_slugs (slug, product_id) SELECT 'old-mug', id FROM products"))
        session.execute(text("UPDATE products SET withdrawn_at = now()"))
    report = import_catalogue(settings, rows(write("slug,price\nold-mug,1\nblue-mug,2\n")), partial=True)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (2, "slug 'old-mug' is an earlier name of the product 'blue-mug': to change it, give that one")
    ]
    assert shown(database, "SELECT price_amount, withdrawn_at IS NULL FROM products") == [(200, False)]
    assert (report.updated, report.withdrawn) == (1, 1)
    assert "Withdrawn products, still not for sale: 1." in format_import(report)


@pytest.mark.parametrize(("made", "price"), [("Blue Mug", "9"), ("Blue (Mug)", "1.00"), ("BLUE   mug!", "12.99")])
def test_a_made_slug_never_names_a_product_that_is_there(database, settings, write, mug, made, price):
    row = f"title,category,price\n{made},Kitchen > Mugs,{price}\n"
    report = import_catalogue(settings, rows(write(row)), partial=True)
    assert [(refusal.line, refusal.reason.partition(":")[0]) for refusal in report.refusals] == [
        (2, "slug 'blue-mug', made from the title, is that of a product that is there")
    ]
    assert shown(database, STORED) == [("Blue Mug", "Tern", "Blue.", 1299, 7)]


@pytest.mark.parametrize(
    ("titles", "slugs", "refused"),
    [
        (["C#", "C++"], ["", ""], [3]),
        (["x" * 130, "x" * 131], ["", ""], [3]),
        (["C#", "C++"], ["", "c"], [2]),
        (["C#", "C++"], ["c-sharp", "c-plus-plus"], []),
    ],
)
def test_generated_slug_of_another_row_is_refused(database, settings, write, titles, slugs, refused):
    lines = [f"{slug},{title},Code > Books,9\n" for title, slug in zip(titles, slugs, strict=True)]
    report = import_catalogue(settings, rows(write("slug,title,category,price\n" + "".join(lines))), partial=True)
    assert [refusal.line for refusal in report.refusals] == refused
    assert all("made from the title, is that of line" in refusal.reason for refusal in report.refusals)


def test_unknown_slug_needs_all_required_fields(database, settings, write, mug):
    report = import_catalogue(settings, rows(write("slug,price\nblue-mug,9\nred-mug,9\n")))
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (3, "there is no product 'red-mug' to change, and a new one needs title, category and price")
    ]
    assert shown(database, STORED) == [("Blue Mug", "Tern", "Blue.", 1299, 7)]


def test_categories_of_any_script_are_created_by_slug(database, settings, write):
    header = "slug,title,category,category_slug,price\n"
    first = "cup,カップ,台所 > カップ,daidokoro > kappu,9\n"
    assert import_catalogue(settings, rows(write(header + first))).created == 1
    more = "mug,マグ,台所 > カップ,,9\nbowl,茶碗,,daidokoro > kappu,9\nlid,蓋,台所 > 蓋,,9\n"
    report = import_catalogue(settings, rows(write(header + more)), partial=True)
    assert (report.created, [refusal.line for refusal in report.refusals]) == (2, [4])
    assert shown(database, "SELECT slug, name FROM categories ORDER BY id") == [
        ("daidokoro", "台所"),
        ("kappu", "カップ"),
    ]


def test_stock_never_falls_below_what_was_promised(database, settings, write):
    with database.transaction() as session:
        shelf = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, shelf, "blue-mug", on_hand=7)
        session.execute(text("UPDATE stock_items SET reserved = 3, on_hand = 6"))  # one was sold: 7 came in
    import_catalogue(settings, rows(write(HEADER + MUG.replace(",4\n", ",1\n"))))
    assert shown(database, "SELECT on_hand, reserved, received FROM stock_items") == [(3, 3, 4)]


def test_a_half_seeded_store_takes_nothing(database, settings, write):
    with database.transaction() as session:
        session.execute(text("INSERT INTO datasets (name, size) VALUES ('demo', 's')"))
    with pytest.raises(ConfigurationError, match="half-seeded"):
        import_catalogue(settings, rows(write(HEADER + MUG)))


def test_json_lines_are_taken_too(database, settings, write):
    line = json.dumps({"title": "Lamp", "category": "Home > Lamps", "price": 79.5, "on_hand": 2})
    assert import_catalogue(settings, rows(write(line + "\n", "products.jsonl"))).created == 1
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


def test_the_command_shows_how_far_it_is(database, settings, write, monkeypatch):
    monkeypatch.setattr(data_progress, "MIN_INTERVAL_S", 0)
    monkeypatch.setattr(data_progress, "MAX_SILENCE_S", 0)
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CACHE_URL", settings.cache_url)
    done = CliRunner().invoke(main, ["import", "products", str(write(HEADER + MUG + CUP))])
    assert "  0%  importing products" in done.stderr
    assert "100%  importing products" in done.stderr


def test_store_with_own_catalogue_gets_no_data_set(database, settings, write, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SHOP_VAR_DIR", str(settings.var_dir))
    import_catalogue(settings, rows(write(HEADER + MUG)))
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


def test_production_starts_with_the_catalogue_that_its_owner_imported(database, settings, write):
    for content in (MUG, MUG.replace("12.99", "13.99")):
        import_catalogue(settings, rows(write(HEADER + content)))
        require_own_data(database.engine)


def test_the_command_drops_the_cached_catalogue(database, settings, write, monkeypatch, client, runtime):
    assert client.get("/api/v1/categories").json.get("items", []) == []
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CACHE_URL", settings.cache_url)
    assert CliRunner().invoke(main, ["import", "products", str(write(HEADER + MUG))]).exit_code == 0
    until(lambda: "Kitchen" in client.get("/api/v1/categories").text)  # the broadcast takes its millisecond
