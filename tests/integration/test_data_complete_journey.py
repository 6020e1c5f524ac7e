from datetime import datetime

import psycopg
import pytest

from shop.datasets import loading
from shop.datasets.complete_journey import source
from shop.datasets.complete_journey.plan import CompleteJourneyPlan
from shop.datasets.complete_journey.source import JourneyFiles, installed
from shop.datasets.progress import SilentProgress
from shop.errors import ConfigurationError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

PRODUCTS = [
    (1, 69, "GROCERY", "Private", "SOUP", "RAMEN NOODLES/RAMEN CUPS", "3 OZ"),
    (2, 5, "GROCERY", "National", "SOUP", "RAMEN NOODLES/RAMEN CUPS", None),
    (3, 5, "MEAT", "National", None, None, None),
]
LINES = [
    (900, 330, 10, 1, 2, 1.0, datetime(2017, 1, 2, 9)),
    (900, 330, 10, 3, 0, 0.0, datetime(2017, 1, 2, 9)),
    (7, 331, 11, 1, 1, 0.6, datetime(2017, 1, 3, 9)),
    (7, 331, 11, 99, 1, 4.0, datetime(2017, 1, 3, 9)),
]
PRODUCT_COLUMNS = (
    "product_id",
    "manufacturer_id",
    "department",
    "brand",
    "product_category",
    "product_type",
    "package_size",
)
LINE_COLUMNS = (
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "transaction_timestamp",
)


@pytest.fixture
def sample(tmp_path):
    for name, columns, rows in (("products", PRODUCT_COLUMNS, PRODUCTS), ("transactions", LINE_COLUMNS, LINES)):
        table = pyarrow.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    return JourneyFiles(tmp_path)


def test_whole_source_is_loaded_and_irregularities_are_reported(new_database, settings, sample):
    url = new_database("journey")
    there = settings.model_copy(update={"database_url": url})
    plan = CompleteJourneyPlan(sample, demo_accounts=True)
    report = loading.load(there, "complete-journey", "full", plan, SilentProgress())
    with psycopg.connect(url) as connection:
        products = connection.execute(
            "SELECT p.id, title, brand, price_amount, popularity, on_hand, c.name FROM products p"
            " JOIN stock_items ON product_id = p.id JOIN categories c ON c.id = category_id ORDER BY 1"
        ).fetchall()
        orders = connection.execute(
            "SELECT email, status, total_amount, created_at::text FROM orders ORDER BY id"
        ).fetchall()
        lines = connection.execute(
            "SELECT order_id, product_id, quantity, unit_price_amount FROM order_lines"
        ).fetchall()
    assert products == [
        (1, "Ramen Noodles / Ramen Cups, 3 oz", "Own Brand", 50, 3, 1, "Soup"),
        (2, "Ramen Noodles / Ramen Cups", "Maker 5", 50, 0, 0, "Soup"),
        (3, "Meat item", "Maker 5", 50, 1, 1, "Other"),
        (99, "Unlisted item 99", "Unknown", 400, 1, 1, "Other"),
    ]
    assert orders == [
        ("household-900@customers.shop.test", "delivered", 100, "2017-01-02 09:00:00+00"),
        ("household-7@customers.shop.test", "delivered", 460, "2017-01-03 09:00:00+00"),
    ]
    assert sorted(lines) == [(1, 1, 2, 50), (1, 3, 1, 0), (2, 1, 1, 60), (2, 99, 1, 400)]
    told = {finding.subject: finding.rows for finding in report.findings}
    assert told == {
        "products sold but not described": 1,
        "products without a category": 1,
        "products without a type": 1,
        "products without a readable package size": 2,
        "products never sold": 1,
        "products sold only at no price": 1,
        "lines with a quantity and a price of zero": 1,
    }
    assert loading.load(there, "complete-journey", "full", plan, SilentProgress()).findings == report.findings


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(source, "PACKAGE", "no_such_package_anywhere")
    with pytest.raises(ConfigurationError, match="make realdata"):
        installed()


@pytest.mark.slow
def test_the_source_holds_what_the_documentation_says():
    try:
        found = installed().products()
    except ConfigurationError:
        pytest.skip("the extra `realdata` is not installed")
    assert len(found) == 92_331
    assert len({product.id for product in found}) == 92_331
