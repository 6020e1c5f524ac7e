"""The spelling correction of two tables of words, with the words of the demo store."""

import re

import pytest
from sqlalchemy import insert, text

from shop.catalog.listing import search
from shop.catalog.models import SearchWord
from shop.datasets.demo import assortment
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.sizes import SIZES
from shop.datasets.search_words import REBUILD
from tests.support.factories import make_category, make_product

TYPED = {
    "headphnoes": "headphones",
    "hedphones": "headphones",
    "blutooth": "bluetooth",
    "keybord": "keyboard",
    "lether": "leather",
    "leahter": "leather",
    "ceremic": "ceramic",
    "coton": "cotton",
    "towle": "towel",
    "enamle": "enamel",
    "stonware": "stoneware",
    "spekaer": "speaker",
    "jacet": "jacket",
    "blankte": "blanket",
    "choclate": "chocolate",
    "notbook": "notebook",
    "matress": "mattress",
    "mgu": "mug",
    "chiar": "chair",
    "tabel": "table",
    "cusion": "cushion",
    "binocluars": "binoculars",
    "trouzers": "trousers",
    "bakpack": "backpack",
    "hamock": "hammock",
    "necklase": "necklace",
    "cofee": "coffee",
    "candel": "candle",
    "pilow": "pillow",
    "lanp": "lamp",
    "skrewdriver": "screwdriver",
}
NOT_SOLD = [
    "lego",
    "wine",
    "beer",
    "piano",
    "guitar",
    "iphone",
    "television",
    "fridge",
    "microwave",
    "toaster",
    "drone",
    "printer",
    "xbox",
    "aquarium",
    "whisky",
    "cigarettes",
    "passport",
    "nike",
    "pizza",
    "sushi",
    "ticket",
    "vacuum",
    "violin",
    "cheese",
    "sausage",
    "umbrella",
    "mirror",
    "curtain",
    "sunglasses",
    "diaper",
    "kettle",
    "scooter",
    "wardrobe",
    "carpet",
    "golf",
]


@pytest.fixture(scope="module")
def vocabulary():
    """The words of at least three letters in titles and brands of the demo store, with their numbers of products."""
    products = DemoProducts(assortment.load(), SIZES["m"])
    counts = {}
    for number in range(1, products.count + 1):
        product = products[number]
        for word in {*re.findall(r"[^\W\d_]{3,}", f"{product.title} {product.brand}".lower())}:
            counts[word] = counts.get(word, 0) + 1
    return counts


@pytest.fixture
def correct(database, vocabulary):
    with database.transaction() as session:
        session.execute(insert(SearchWord), [{"word": word, "products": n} for word, n in vocabulary.items()])

    def correct(words):
        with database.reading() as session:
            return {word: search.correct_spelling(session, word) for word in words}

    return correct


def test_typing_errors_are_corrected(correct):
    assert len(TYPED) == 31
    corrected = correct(TYPED)
    missed = {word: corrected[word] for word, meant in TYPED.items() if corrected[word] != meant}
    assert len(missed) <= 4, missed
    assert set(missed.values()) <= set(TYPED)  # a word without a correction stays as typed


def test_words_for_unsold_products_stay_unchanged(correct):
    assert len(NOT_SOLD) == 35
    changed = {word: better for word, better in correct(NOT_SOLD).items() if better != word}
    assert len(changed) <= 4, changed
    assert not {"lego", "wine"} & set(changed)


def test_correction_without_matches_is_not_made(client, database):
    with database.transaction() as session:
        shelf = make_category(session, "rest")
        for slug, title in (("mug", "Enamel Mug"), ("lamp", "Brass Lamp")):
            make_product(session, shelf, slug, title=title, brand="Tern", description="Plain.")
        session.execute(text(REBUILD))
    for q, meant, slugs in (("enamle mug", "enamel mug", ["mug"]), ("enamle lamp", None, [])):
        answer = client.get("/api/v1/products", query_string={"q": q}).json
        assert (answer["showing_results_for"], [item["slug"] for item in answer["items"]]) == (meant, slugs)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("creme brulle", "creme brulee"), ("crème brûllée", "crème brulee"), ("etagre", "etagere"), ("étagre", "etagere")],
)
def test_accents_do_not_count_as_typing_errors(client, database, typed, meant):
    with database.transaction() as session:
        shelf = make_category(session, "rest")
        for slug, title in (("torch", "Crème Brûlée Torch"), ("shelf", "Étagère")):
            make_product(session, shelf, slug, title=title, brand="Tern", description="Plain.")
        session.execute(text(REBUILD))
    answer = client.get("/api/v1/products", query_string={"q": typed}).json
    assert (answer["showing_results_for"], len(answer["items"])) == (meant, 1)
