import pytest

from shop.datasets.complete_journey import receipts
from shop.datasets.complete_journey.catalogue import PriceTags, brand, description, stock, title
from shop.datasets.complete_journey.categories import UNLISTED, motif, number_categories
from shop.datasets.complete_journey.receipts import SalesSummary, read_line
from shop.datasets.complete_journey.source import SourceProduct
from shop.datasets.complete_journey.wording import package, readable


@pytest.mark.parametrize(
    ("quantity", "value", "pieces", "cents", "oddity"),
    [
        (1, 2.99, 1, 299, None),
        (2, 5.0, 2, 250, None),
        (3, 1.0, 3, 33, receipts.ROUNDED),
        (1, 0.0, 1, 0, receipts.FREE),
        (0, 1.5, 1, 150, receipts.NO_QUANTITY),
        (0, 0.0, 1, 0, receipts.EMPTY),
        (11_043, 25.0, 1, 2_500, receipts.MEASURED),
        (10, 0.05, 1, 5, receipts.MEASURED),
        (-1, 2.0, 1, 0, receipts.NEGATIVE),
        (1, -2.0, 1, 0, receipts.NEGATIVE),
    ],
)
def test_each_kind_of_receipt_line_is_kept_by_its_rule(quantity, value, pieces, cents, oddity):
    found = read_line(quantity, value)
    assert (found.quantity, found.unit_price, found.oddity) == (pieces, cents, oddity)


@pytest.mark.parametrize(
    ("quantity", "value"), [(q, v / 100) for q in (-3, 0, 1, 7, 99, 100, 9_000) for v in (-5, 0, 1, 99)]
)
def test_no_line_breaks_what_the_database_demands(quantity, value):
    found = read_line(quantity, value)
    assert found.quantity > 0
    assert found.unit_price >= 0


def test_every_oddity_says_what_was_done_with_it():
    named = {
        receipts.FREE,
        receipts.NO_QUANTITY,
        receipts.EMPTY,
        receipts.MEASURED,
        receipts.ROUNDED,
        receipts.NEGATIVE,
    }
    assert set(receipts.TREATMENT) == named


@pytest.mark.parametrize(
    ("shouted", "said"),
    [
        ("FRZN PIE/DESSERTS", "Frozen Pie / Desserts"),
        ("BREAD:ITALIAN/FRENCH", "Bread, Italian / French"),
        ("ICE - CRUSHED/CUBED", "Ice, Crushed / Cubed"),
        ("CANDY BARS (SINGLES)(INCLUDING", "Candy Bars (Singles)"),
        ("DRY DOG VALUE (PET PRIDE/KLR/G", "Dry Dog Value"),
        ("BEERALEMALT LIQUORS", "Beer, Ale & Malt Liquor"),
        ("SALD DRSNG/SNDWCH SPRD", "Salad Dressings & Sandwich Spreads"),
        ("CHRISTMAS  SEASONAL", "Christmas Seasonal"),
        ("", ""),
    ],
)
def test_shouted_abbreviations_become_readable(shouted, said):
    assert readable(shouted) == said


@pytest.mark.parametrize(
    ("shouted", "said"),
    [("22 LB", "22 lb"), ("4/187 ML", "4 × 187 ml"), ("N    16 OZ", "16 oz"), ("LB", "per lb"), ("?", ""), (None, "")],
)
def test_package_sizes_become_readable(shouted, said):
    assert package(shouted) == said


def product(number, **fields):
    given = {
        "maker": 69,
        "department": "GROCERY",
        "brand": "National",
        "category": "SOUP",
        "type": "RAMEN",
        "size": None,
    }
    return SourceProduct(number, **{**given, **fields})


def test_product_title_uses_best_available_field():
    assert title(product(1, size="3 OZ")) == "Ramen, 3 oz"
    assert title(product(1, type="PREMIUM")) == "Soup: Premium"
    assert title(product(1, type=None)) == "Soup"
    assert title(product(1, type=None, category=None)) == "Grocery item"
    assert title(product(7, department=UNLISTED, category=None, type=None)) == "Unlisted item 7"


def test_a_brand_is_the_stores_own_or_a_numbered_maker():
    assert [brand(product(1, brand="Private")), brand(product(1))] == ["Own Brand", "Maker 69"]
    assert description(product(1), 0).endswith("Not sold in 2017.")


def test_unsold_product_gets_median_price_and_no_stock():
    unsold = product(3)
    strange = product(4, category="TEAS", type=None)
    tags = PriceTags([product(1), product(2), unsold, strange], SalesSummary(price={1: 100, 2: 300}))
    assert [tags.of(product(1)), tags.of(unsold), tags.of(strange)] == [100, 100, 100]
    assert [stock(0), stock(1), stock(520)] == [0, 1, 40]


def test_product_without_category_is_in_other():
    shelves = number_categories([product(1), product(2, category=None), product(3, department="MEAT", category=None)])
    named = {row[0]: (row[1], row[2]) for row in shelves.rows}
    assert named[shelves.ids["GROCERY", None]] == ("grocery-other", "Other")
    assert named[shelves.ids["MEAT", None]] == ("meat-other", "Other")
    assert motif("FROZEN PIZZA", "GROCERY") == "parcel"
    assert motif("IMPORTED WINE") == "bottle"
