import itertools
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from shop.datasets.demo import assortment
from shop.datasets.demo.calendar import OrderCalendar, end_before
from shop.datasets.demo.category_placement import CategoryPlacement
from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.demand import DemoDemand
from shop.datasets.demo.orders import DemoOrders
from shop.datasets.demo.pricing import price_of, with_ending
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.reviews import DemoReviews
from shop.datasets.demo.seeded_random import SeededShuffle, generator, zipf, zipf_share
from shop.datasets.demo.sizes import SIZES
from shop.datasets.slugs import slugify


@pytest.fixture(scope="module")
def shelves():
    return assortment.load()


@pytest.fixture(scope="module")
def products(shelves):
    return DemoProducts(shelves, SIZES["m"])


def test_no_two_products_share_a_slug(products):
    slugs = [products[number].slug for number in range(1, products.count + 1)]
    assert len(set(slugs)) == products.count
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


def test_the_largest_size_has_words_enough_for_every_title(shelves):
    placement = CategoryPlacement([category.slug for category in shelves.categories])
    million = SIZES["l"].products
    last = {placement.category(number): placement.position(number) for number in range(million - 5_000, million + 1)}
    for place, category in enumerate(shelves.categories):
        combinations = 1
        for word_list in category.word_lists:
            assert len(set(word_list)) == len(word_list), category.slug
            combinations *= len(word_list)
        assert combinations > last[place], category.slug


def test_category_sizes_differ_and_positions_have_no_gap(shelves):
    placement = CategoryPlacement([category.slug for category in shelves.categories])
    places = defaultdict(list)
    for number in range(1, SIZES["m"].products + 1):
        places[placement.category(number)].append(placement.position(number))
    assert all(found == list(range(len(found))) for found in places.values())
    breadths = sorted(map(len, places.values()))
    assert breadths[-1] > 2 * breadths[0]


def test_departments_and_categories_never_share_an_address(shelves):
    slugs = [shelf.slug for shelf in (*shelves.departments, *shelves.categories)]
    assert len(set(slugs)) == len(slugs)
    assert len(shelves.departments) >= 12


def test_neighbour_categories_exist(shelves):
    known = {category.slug for category in shelves.categories} | {"pantry"}
    assert {slug for category in shelves.categories for slug in category.goes_with} <= known


@pytest.mark.parametrize("size", [1, 2, 7, 60, 5_000])
def test_a_shuffle_visits_every_place_once_and_can_be_undone(size):
    shuffle = SeededShuffle(size, salt=11)
    assert sorted(map(shuffle, range(size))) == list(range(size))
    assert all(shuffle.inverse(shuffle(place)) == place for place in range(size))


def test_the_drawn_ranks_have_the_shares_the_law_gives_them():
    draws = 200_000
    drawn = Counter(zipf((number + 0.5) / draws, 5_000) for number in range(draws))
    for rank in (0, 1, 10, 100):
        assert drawn[rank] / draws == pytest.approx(zipf_share(rank, 5_000), rel=0.1)


def test_a_few_products_make_most_of_the_sales(products):
    sold = sorted(DemoDemand(products, SIZES["m"]).pieces_sold(), reverse=True)
    assert 0.4 < sum(sold[: len(sold) // 10]) / sum(sold) < 0.8


def test_batch_generated_alone_equals_batch_in_sequence(products):
    first, second = DemoDemand(products, SIZES["m"]), DemoDemand(products, SIZES["m"])
    for batch in (0, 1):
        list(first.baskets(batch))
    assert list(first.baskets(2)) == list(second.baskets(2))


def test_bestseller_has_recurring_companions(products):
    bestseller = products.at_rank(0)
    together = Counter(
        product
        for basket in itertools.chain.from_iterable(
            DemoDemand(products, SIZES["m"]).baskets(batch) for batch in range(2)
        )
        if bestseller in (held := [product for product, _ in basket.items])
        for product in held
        if product != bestseller
    )
    assert sum(count for _, count in together.most_common(6)) / together.total() > 0.2


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2027, 3, 1), date(2028, 2, 29)])
def test_order_times_ascend_within_a_year_and_peak_before_christmas(today):
    calendar = OrderCalendar(end_before(today))
    times = [calendar.at(number / 1_000) for number in range(1_000)]
    assert times == sorted(times)
    assert datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=365) <= times[0]
    assert timedelta(0) < end_before(today) - times[-1] < timedelta(days=1)
    months = Counter(time.month for time in times)
    assert months[11] > 1.2 * months[7]


@pytest.mark.parametrize("friday", [date(2025, 11, 28), date(2026, 11, 27), date(2028, 11, 24)])
def test_black_friday_is_the_day_after_the_fourth_thursday(friday):
    calendar = OrderCalendar(end_before(friday + timedelta(days=20)))
    days = Counter(calendar.at(number / 10_000).date() for number in range(10_000))
    assert days.most_common(1)[0][0] == friday


def test_dates_are_those_of_the_day_of_loading(products):
    end = end_before(date(2027, 3, 1))
    customers = DemoCustomers(SIZES["m"], demo_shopper=True)
    reviews = DemoReviews(products, customers, SIZES["m"])
    orders = DemoOrders(products, customers, DemoDemand(products, SIZES["m"]), OrderCalendar(end)).batch(7)
    reviewed = [review[-1] for number in range(1, 400) for review in reviews.of(products[number], end)]
    assert end - timedelta(days=3) < max(reviewed) < end
    recorded = [event[-1] for event in orders.order_events]
    assert end - timedelta(days=1) < max(recorded) < end
    assert max(changed for *_, changed in orders.orders) < end


def test_prices_end_as_price_tags_do():
    prices = [price_of(30, 0.8, generator("test", number)) for number in range(500)]
    assert {price % 100 for price in prices} <= {0, 49, 79, 95, 99}
    assert with_ending(123_456, 0.1) == 123_900


def test_names_in_addresses_are_plain():
    assert slugify("Côte d'Azur & Straße, 30 ml") == "cote-dazur-strasse-30-ml"
    assert slugify("日本") == ""
