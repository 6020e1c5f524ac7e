import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalog import forms
from shop.catalog.listing import list_urls, search
from shop.catalog.listing.cursors import PageCursor, decode, encode, integer_up_to, is_finite_number
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.product_lister import ListQuery
from shop.catalog.listing.sorting import NEWEST, ORDERS, RATING
from shop.catalog.listing.spelling import SpellingCandidate, UnknownWord, choose_corrections
from shop.catalog.slugs import validate_slug
from shop.errors import InvalidFields, NotFound


@given(st.integers(0, 10_000), st.integers(0, 2**63 - 1), st.booleans())
def test_cursor_round_trip_keeps_its_fields(key, number, backward):
    cursor = PageCursor("price_asc", key, number, backward)
    assert decode(encode(cursor), "price_asc", integer_up_to(10_000)) == cursor


@given(st.text(max_size=300))
def test_garbage_is_no_cursor(text):
    with pytest.raises(InvalidFields):
        decode(text, "price_asc", integer_up_to(10_000))


@pytest.mark.parametrize(
    "fields",
    [
        ["popularity", 5, 1, 0],
        ["price_asc", "5", 1, 0],
        ["price_asc", 5.5, 1, 0],
        ["price_asc", True, 1, 0],
        ["price_asc", 10_001, 1, 0],
        ["price_asc", -1, 1, 0],
        ["price_asc", 5, -1, 0],
        ["price_asc", 5, 2**63, 0],
        ["price_asc", 5, 1, 2],
        ["price_asc", 5, 1],
        {"price_asc": 5},
        None,
    ],
)
def test_cursor_with_an_invalid_field_is_refused(fields):
    text = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    with pytest.raises(InvalidFields):
        decode(text, "price_asc", integer_up_to(10_000))


def test_a_cursor_without_a_comparable_key_is_refused():
    text = base64.urlsafe_b64encode(b'["relevance",NaN,1,0]').decode().rstrip("=")
    with pytest.raises(InvalidFields):
        decode(text, "relevance", is_finite_number)


@given(st.datetimes(), st.integers(0, 500))
def test_sort_keys_convert_without_loss(moment, hundredths):
    from datetime import UTC
    from decimal import Decimal

    moment = moment.replace(tzinfo=UTC)
    newest, rating = ORDERS[NEWEST], ORDERS[RATING]
    assert newest.from_key(newest.to_key(moment)) == moment
    value = Decimal(hundredths) / 100
    assert rating.from_key(rating.to_key(value)) == value


@pytest.mark.parametrize("slug", ["", "-", "a--b", "A", "a/b", "a b", "é", "a\x00", "a" * 201, "a\n"])
def test_malformed_slug_is_not_found_without_a_query(slug):
    with pytest.raises(NotFound):
        validate_slug(slug)


@given(st.text(max_size=500))
def test_normalised_query_is_short_and_storable(text):
    tidy = search.normalise(text)
    assert len(tidy) <= search.MAX_LENGTH
    assert "\x00" not in tidy
    tidy.encode()


def test_highlights_escape_all_but_the_marks():
    marked = f"{search.START}Mug{search.STOP} <script>"
    assert search.highlight_html(marked) == "<mark>Mug</mark> &lt;script&gt;"


def test_correction_prefers_smallest_distance_then_most_products():
    near = [
        SpellingCandidate("kettles", 90),
        SpellingCandidate("kettle", 5),
        SpellingCandidate("nettle", 7),
        SpellingCandidate("settle", 9),
    ]
    assert choose_corrections({"kettel": UnknownWord("kettel", near)}) == {"kettel": "kettle"}
    assert choose_corrections({word: UnknownWord(word, near) for word in ("ettle", "xettle", "zzzzzz")}) == {}
    assert choose_corrections(
        {"lampp": UnknownWord("lampp", [SpellingCandidate("lamps", 1), SpellingCandidate("lamp", 2)])}
    ) == {"lampp": "lamp"}
    assert choose_corrections(
        {"towal": UnknownWord("towal", [SpellingCandidate("towel", 1), SpellingCandidate("towil", 2)])}
    ) == {"towal": "towil"}


FILTERS = st.builds(
    ListFilters,
    min_price=st.none() | st.integers(0, 10**8),
    max_price=st.none() | st.integers(0, 10**8),
    min_rating=st.none() | st.integers(1, 5),
    brands=st.lists(st.sampled_from(["A & B", "C", "D=E"]), unique=True).map(tuple),
    in_stock=st.booleans(),
)


@given(FILTERS, st.sampled_from([None, "price_asc", "newest"]))
def test_list_url_round_trip_keeps_the_query(filters, sort):
    from urllib.parse import parse_qs, urlsplit

    browse = ListQuery(category="mugs", filters=filters, sort=sort)
    query = parse_qs(urlsplit(list_urls.build_url("/c/mugs", browse)).query)
    read = list_urls.parse_arguments(query, "mugs")
    low = filters.min_price
    if low is None and filters.max_price is not None:
        low = 0
    from dataclasses import replace

    assert read == replace(browse, filters=replace(filters, min_price=low))


def test_invalid_field_of_a_url_is_left_out():
    query = {"min_price": ["abc"], "sort": ["upside-down"], "cursor": ["garbage"], "brand": ["", "Oak"], "utm": ["x"]}
    assert list_urls.parse_arguments(query, "mugs") == ListQuery(category="mugs", filters=ListFilters(brands=("Oak",)))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0, 999, "Under €10"), (1000, 2499, "€10 to €25"), (25000, None, "€250 and up"), (150, 450, "€1.50 to €4.50")],
)
def test_price_range_has_a_readable_label(low, high, words):
    assert list_urls.price_label(low, high) == words


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("12.99", 1299),
        ("12,5", 1250),
        ("€7", 700),
        (" 0.01 ", 1),
        ("", None),
        ("1e3", None),
        ("-1", None),
        ("1.999", None),
    ],
)
def test_typed_prices_are_parsed(typed, amount):
    assert forms.minor_units(typed) == amount
