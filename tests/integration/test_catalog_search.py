import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shop.datasets.search_words import REBUILD
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product

TITLES = {
    "enamel-mug": ("Enamel Mug", "Plainsong", "White enamel, dark rim. For tea and camp fires."),
    "stone-mug": ("Stoneware Mug", "Plainsong", "Thrown by hand."),
    "kettle": ("Copper Kettle", "Saltbox", "Whistles. Goes with any mug."),
    "percent": ("Towel 100% <b>Linen</b> & more", "Saltbox", "Dries quickly_soft."),
}


@pytest.fixture
def searchable_products(database):
    with database.transaction() as session:
        mugs, rest = make_category(session, "mugs"), make_category(session, "rest")
        for slug, (title, brand, description) in TITLES.items():
            category = mugs if slug.endswith("mug") else rest
            make_product(session, category, slug, title=title, brand=brand, description=description)
        session.execute(text(REBUILD))


def find(client, q, **query):
    answer = client.get("/api/v1/products", query_string={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return answer.json


def slugs(answer):
    return [item["slug"] for item in answer["items"]]


def test_words_of_the_title_rank_before_words_of_the_description(client, searchable_products):
    answer = find(client, "mug")
    assert set(slugs(answer)) == {"enamel-mug", "stone-mug", "kettle"}
    assert slugs(answer)[-1] == "kettle"
    assert answer["facets"]["total"] == 3
    assert answer["showing_results_for"] is None


def test_last_word_matches_as_a_prefix(client, searchable_products):
    assert slugs(find(client, "copper ket")) == ["kettle"]
    assert slugs(find(client, "enam")) == ["enamel-mug"]


def test_a_word_is_found_by_its_stem(client, searchable_products):
    assert "kettle" in slugs(find(client, "kettles"))
    assert find(client, "kettles")["showing_results_for"] is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("enamle mug", "enamel mug"), ("coper kettel", "copper kettle"), ("Stonware", "stoneware"), ("towle", "towel")],
)
def test_typing_error_is_corrected_and_reported(client, searchable_products, typed, meant):
    answer = find(client, typed)
    assert answer["showing_results_for"] == meant
    assert answer["items"]
    page = client.get("/search", query_string={"q": typed}).text
    assert f"Showing results for <strong>{meant}</strong>" in page


def test_matches_are_marked_and_other_text_is_escaped(client, searchable_products):
    (item,) = find(client, "linen")["items"]
    assert item["highlight"]["title"] == "Towel 100% &lt;b&gt;<mark>Linen</mark>&lt;/b&gt; &amp; more"
    page = client.get("/search?q=linen").text
    assert "<mark>Linen</mark>" in page
    assert "<b>" not in page


@pytest.mark.parametrize("q", ["stoneware kiln", "kiln stoneware", "stoneware kil", "kiln stoneware kiln"])
def test_matching_description_fragment_is_shown_when_title_has_other_words(client, searchable_products, database, q):
    with database.transaction() as session:
        said = "Plain as can be. " * 10 + "Fired in a wood kiln. " + "It keeps for years. " * 10
        make_product(session, make_category(session, "bowls"), "bowl", title="Stoneware Bowl", description=said)
    (item,) = find(client, q)["items"]
    assert item["highlight"]["title"] == "<mark>Stoneware</mark> Bowl"
    assert "wood <mark>kiln</mark>" in item["highlight"]["description"]


def test_quotes_and_minus_are_search_operators(client, searchable_products):
    assert set(slugs(find(client, "mug -copper"))) == {"enamel-mug", "stone-mug"}
    assert slugs(find(client, '"stoneware mug"')) == ["stone-mug"]


def test_a_search_can_be_narrowed_and_paged(client, searchable_products):
    assert set(slugs(find(client, "mug", category="mugs"))) == {"enamel-mug", "stone-mug"}
    assert slugs(find(client, "mug", brand="Saltbox")) == ["kettle"]
    for sort in ("relevance", "price_asc", "popularity"):
        whole = slugs(find(client, "mug", sort=sort))
        first = find(client, "mug", sort=sort, limit=2)
        rest = find(client, "mug", sort=sort, limit=2, cursor=first["next_cursor"])
        assert slugs(first) + slugs(rest) == whole
        back = find(client, "mug", sort=sort, limit=2, cursor=rest["prev_cursor"])
        assert slugs(back) == slugs(first)


@pytest.mark.parametrize(
    "q", ["zzzzqqq", "the", "%", "_", "' OR 1=1 --", "a:* & !b | (", "\\", "🫖", "*", '"', "-", ":*"]
)
def test_unusual_query_never_fails(client, searchable_products, q):
    find(client, q)
    assert client.get("/search", query_string={"q": q}).status_code == 200


def test_a_wildcard_is_an_ordinary_character(client, searchable_products):
    assert slugs(find(client, "%")) == []
    assert "100%" not in client.get("/search?q=%25").text.split("Popular now")[0]


def test_empty_search_page_invites_to_search(client, searchable_products):
    for path in ("/search", "/search?q=", "/search?q=%20%20"):
        page = client.get(path)
        assert page.status_code == 200
        assert "What are you looking for?" in page.text


def test_page_cuts_off_a_very_long_query(client, searchable_products):
    assert client.get("/search", query_string={"q": "mug " * 500}).status_code == 200


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_search_answers_any_input(client, searchable_products, q):
    assert client.get("/api/v1/products", query_string={"q": q}).status_code == 200


# ---- words written together, and text in more than one form ----

TOGETHER = {
    "router": ("Wi-Fi Mug Warmer", "Café Blanc", "Keeps warm. Needs a USB-C plug."),
    "sign": ("Open 24/7 Sign", "Tern", "Lights up."),
    "book": ("Node.js for Cooks", "Tern", "With an answer to every snake_case question."),
    "mill": ("Salt/Pepper Mill", "Tern", "Grinds both, 3.5 l a day."),
    "spoon": ("Salt Spoon with Pepper Motif", "Tern", "For one."),
    "coat": ("WiFi Coat, size 24", "Tern", "7 pockets."),
    "press": ("Crème Brûlée Torch", "Nettlebed", "Browns."),
    "lamp": ("Lamp E-27", "Nettlebed", "Warm."),
}


@pytest.fixture
def compound_products(database):
    with database.transaction() as session:
        category = make_category(session, "rest")
        for slug, (title, brand, description) in TOGETHER.items():
            make_product(session, category, slug, title=title, brand=brand, description=description)
        session.execute(text(REBUILD))


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("wi-fi mug", {"router"}),
        ("mug wi-fi", {"router"}),
        ("wi fi", {"router"}),
        ("wi-fi", {"router", "coat"}),
        ("wi\u2011fi", {"router", "coat"}),
        ("wifi", {"router", "coat"}),
        ("wifi mug", {"router"}),
        ("e27", {"lamp"}),
        ("fi", {"router"}),
        ("24/7", {"sign"}),
        ("24/7 sign", {"sign"}),
        ("open 24", {"sign"}),
        ("node.js", {"book"}),
        ("node js", {"book"}),
        ("node", {"book"}),
        ("js cooks", {"book"}),
        ("salt/pepper", {"mill", "spoon"}),
        ("salt", {"mill", "spoon"}),
        ("pepper mill", {"mill"}),
        ("mill/pepper", {"mill"}),
        ("3.5", {"mill"}),
        ("5.3", set()),
        ("usb-c", {"router"}),
        ("usb", {"router"}),
        ("snake", {"book"}),
        ("lamp 27", {"lamp"}),
        ("e-27", {"lamp"}),
        ("torch-", {"press"}),
        ("salt - pepper", {"mill", "spoon"}),
        ("salt -pepper", set()),
        ("salt -mill", {"spoon"}),
        ("warmer -salt/pepper", {"router"}),
        ("mug or salt/pepper", {"router", "mill"}),
        ('"salt/pepper"', {"mill"}),
        ('"pepper mill"', {"mill"}),
        ('wi-fi "mug warmer"', {"router"}),
        ("cre\u0300me bru\u0302le\u0301e", {"press"}),
        ("crème", {"press"}),
        ("cafe\u0301", {"router"}),
        ("wi-f", {"router", "coat"}),
    ],
)
def test_compound_is_found_by_each_word_and_by_all(client, compound_products, q, found):
    answer = find(client, q)
    assert (set(slugs(answer)), answer["showing_results_for"]) == (found, None)


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("wi-fi mug", "<mark>Wi</mark>-<mark>Fi</mark> <mark>Mug</mark> Warmer"),
        ("pepper", "Salt/<mark>Pepper</mark> Mill"),
        ("js", "Node.<mark>js</mark> for Cooks"),
    ],
)
def test_word_in_a_compound_is_marked_and_title_stays_unchanged(client, compound_products, q, title):
    assert title in [item["highlight"]["title"] for item in find(client, q)["items"]]


def test_description_fragment_keeps_its_spelling(client, compound_products):
    (item,) = find(client, "usb")["items"]
    assert item["highlight"]["description"] == "Keeps warm. Needs a <mark>USB</mark>-C plug"


def test_word_in_a_compound_can_be_a_correction(client, compound_products):
    assert find(client, "peper mill")["showing_results_for"] == "pepper mill"


@pytest.mark.parametrize(
    "brand", ["Salt Box", "Salt  Box", "Salt\u00a0Box", " Salt\u2009Box\u200b", "Bru\u0302le\u0301"]
)
def test_brand_filter_finds_products_in_any_unicode_form(client, database, brand):
    with database.transaction() as session:
        make_category(session, "jars")
        make_account(session, "boss@shop.test", role="admin")
    sign_in(client, "boss@shop.test")
    fields = {"title": "Jar", "category": "jars", "price": {"amount": 100}, "brand": brand}
    assert client.post("/api/v1/admin/products", json=fields).status_code == 201
    listed = client.get("/api/v1/products", query_string={"category": "jars"}).json
    [counted] = listed["facets"]["brand"]
    for spelling in (brand, counted["brand"]):
        assert len(client.get("/api/v1/products", query_string={"brand": spelling}).json["items"]) == 1
