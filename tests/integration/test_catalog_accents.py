"""A search ignores accents in texts and in queries."""

import pytest
from sqlalchemy import select, text

from shop.catalog.models import SearchWord
from shop.datasets.search_words import REBUILD
from tests.support.factories import make_category, make_product

TITLES = {
    "rack": ("Étagère murale", "Maison Née", "Pour la forêt."),
    "cage": ("Etagere of Wire", "Tern", "Plain."),
    "tea": ("Thé vert", "Née", "Bio."),
    "bread": ("Smørrebrød Board", "Ærø", "For rugbrød."),
    "road": ("Straßenschild", "Groß", "Emaille."),
    "oats": ("Müsli-Schale Nº3", "Łódź", "Zoë's."),
    "coat": ("Işık Lambası", "IŞIK", "Ilık."),
    "tyre": ("Ёлка", "Й", "Зелёная."),
    "vase": ("Πιάτο", "Tern", "Μπλε."),
}


@pytest.fixture
def accented_products(database):
    with database.transaction() as session:
        category = make_category(session, "rest")
        for slug, (title, brand, description) in TITLES.items():
            make_product(session, category, slug, title=title, brand=brand, description=description)
        session.execute(text(REBUILD))


def find(client, q):
    return client.get("/api/v1/products", query_string={"q": q}).json


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("etagere", {"rack", "cage"}),
        ("étagère", {"rack", "cage"}),
        ("e\u0301tage\u0300re", {"rack", "cage"}),
        ("ÉTAGÈRE", {"rack", "cage"}),
        ("etag", {"rack", "cage"}),
        ("étag", {"rack", "cage"}),
        ("étagères", {"rack", "cage"}),
        ('"étagère murale"', {"rack"}),
        ('"etagere murale"', {"rack"}),
        ("etagere -muralé", {"cage"}),
        ("murale or thé", {"rack", "tea"}),
        ("nee", {"rack", "tea"}),
        ("foret", {"rack"}),
        ("thé", {"tea"}),
        ("the vert", {"tea"}),
        ("the", set()),
        ("smorrebrod", {"bread"}),
        ("smørrebrod", {"bread"}),
        ("aero", {"bread"}),
        ("strassenschild", {"road"}),
        ("STRAẞENSCHILD", {"road"}),
        ("gross", {"road"}),
        ("musli", {"oats"}),
        ("müsli-schale", {"oats"}),
        ("musli-schale", {"oats"}),
        ("lodz", {"oats"}),
        ("isik", {"coat"}),
        ("ISIK", {"coat"}),
        ("lambasi", {"coat"}),
        ("елка", {"tyre"}),
        ("и", set()),
        ("πιατο", {"vase"}),
    ],
)
def test_accents_do_not_count_in_text_or_query(client, accented_products, q, found):
    answer = find(client, q)
    assert ({item["slug"] for item in answer["items"]}, answer["showing_results_for"]) == (found, None)


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("etagere", "<mark>Étagère</mark> murale"),
        ("étagère", "<mark>Etagere</mark> of Wire"),
        ("smorrebrod", "<mark>Smørrebrød</mark> Board"),
        ("musli", "<mark>Müsli</mark>-Schale Nº3"),
        ("strassenschild", "<mark>Straßenschild</mark>"),
    ],
)
def test_match_is_marked_in_its_original_spelling(client, accented_products, q, title):
    assert title in [item["highlight"]["title"] for item in find(client, q)["items"]]


def test_description_fragment_is_marked_in_its_original_spelling(client, accented_products):
    (item,) = find(client, "foret")["items"]
    assert item["highlight"]["description"] == "Pour la <mark>forêt</mark>"


def test_spelling_of_umlaut_with_two_letters_is_corrected(client, accented_products):
    answer = find(client, "muesli")
    assert ([item["slug"] for item in answer["items"]], answer["showing_results_for"]) == (["oats"], "musli")


def test_known_words_are_stored_in_searched_form(database, accented_products):
    with database.reading() as session:
        words = set(session.scalars(select(SearchWord.word)))
    assert words >= {"etagere", "smorrebrod", "strassenschild", "musli", "lodz", "isik", "the"}
    assert not {word for word in words if word != word.casefold()}
