import pytest

from tests.factories import make_category, make_product


@pytest.fixture
def kitchen(database):
    with database.transaction() as session:
        return make_category(session, "kitchen")


@pytest.fixture
def mug(database, kitchen):
    with database.transaction() as session:
        mugs = make_category(session, "mugs", parent=session.merge(kitchen), picture="mug")
        return make_product(session, mugs, "enamel-mug", title="Enamel Mug", price_amount=1450)


def test_a_product_screen_holds_all_the_page_needs(client, mug):
    screen = client.get("/api/v1/screens/product/enamel-mug").json
    assert screen["product"]["title"] == "Enamel Mug"
    assert screen["product"]["price"] == {"amount": 1450, "currency": "EUR"}
    assert [crumb["name"] for crumb in screen["breadcrumbs"]] == ["Home", "Kitchen", "Mugs", "Enamel Mug"]
    assert [row["stars"] for row in screen["rating"]["histogram"]] == [5, 4, 3, 2, 1]
    assert screen["reviews"] == screen["also_bought"] == []


def test_an_unknown_product_is_not_found(client, mug):
    assert client.get("/api/v1/screens/product/nothing").status_code == 404
    assert client.get("/p/nothing").status_code == 404


def test_the_product_page_shows_the_product_and_is_the_same_for_everybody(client, mug):
    page = client.get("/p/enamel-mug")
    assert page.status_code == 200
    assert "Enamel Mug" in page.text
    assert "€14.50" in page.text
    assert "Set-Cookie" not in page.headers
    assert "Cookie" not in page.headers.get("Vary", "")
