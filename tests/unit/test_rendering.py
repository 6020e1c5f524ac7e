import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask, render_template, render_template_string

from shop.clock import FakeClock
from shop.errors import ServiceUnavailable
from shop.money import Money
from shop.web import assets, problems, template_filters
from shop.web.schemas import MoneySchema

WEB = Path(template_filters.__file__).parent
NOW = datetime(2025, 5, 3, 12, 0, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'
PRICE = {"amount": 129_900, "currency": "EUR"}
CARD = {
    "slug": "oak-lamp",
    "title": "Oak lamp",
    "brand": "Nordlys",
    "price": PRICE,
    "rating": 4.3,
    "rating_count": 1204,
    "picture": "/pictures/lamp/oak-lamp.svg",
    "in_stock": True,
    "url": "/p/oak-lamp",
}
Render = Callable[..., str]


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__, static_folder=str(WEB / "static"), template_folder=str(WEB / "templates"))
    assets.install(app)
    template_filters.install(app, "http://shop.test", FakeClock(NOW))
    return app


@pytest.fixture
def render(app: Flask) -> Render:
    def render(source: str, **values: object) -> str:
        with app.test_request_context("/"):
            return render_template_string('{% import "macros.html" as ui %}' + source, **values)

    return render


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("value", [Money(129_900), PRICE, MoneySchema(amount=129_900)])
def test_money_from_object_and_api_is_formatted_alike(value):
    assert template_filters.money(value) == "€1,299.00"


@pytest.mark.parametrize(
    "value", [datetime(2025, 5, 3, tzinfo=UTC), "2025-05-03T10:00:00Z", "2025-05-03T10:00:00+00:00"]
)
def test_date_from_datetime_and_text_is_formatted_alike(value):
    assert template_filters.date(value) == "3 May 2025"


def test_time_of_day_is_shown_in_utc():
    assert template_filters.clock_time("2025-05-03T10:05:00+02:00") == "08:05 UTC"


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(seconds=-5), "just now"),
    ],
)
def test_an_age_is_told_in_its_longest_whole_unit(age, words):
    assert template_filters.ago(NOW - age, NOW) == words


def test_ago_counts_from_the_clock_that_was_handed_in(render):
    assert render("{{ moment|ago }}", moment=NOW - timedelta(hours=3)) == "3 hours ago"


@pytest.mark.parametrize("name", ["pending_payment", "pending-payment", "pending.payment"])
def test_a_programs_name_reads_as_words(name):
    assert template_filters.words(name) == "Pending payment"


def test_a_price_carries_its_minor_units_for_programs(render):
    assert render("{{ ui.price(p) }}", p=PRICE) == '<data class="price" value="129900">€1,299.00</data>'


def test_stars_say_the_rating_in_words(render):
    html = render("{{ ui.stars(4.3, 1204) }}")
    assert 'aria-label="Rated 4.3 out of 5"' in html
    assert 'width="86.0"' in html
    assert text(html) == "from 1,204 reviews"


def test_a_product_nobody_reviewed_shows_no_stars(render):
    assert text(render("{{ ui.stars(0, 0) }}")) == "No reviews yet"


def test_a_card_links_once_and_shows_its_price(render):
    html = render("{{ ui.product_grid([card]) }}", card=CARD)
    assert html.count("<a ") == 1
    assert "€1,299.00" in html
    assert "Sold out" not in html


def test_a_card_says_when_nothing_is_left(render):
    assert "Sold out" in render("{{ ui.product_card(card) }}", card=CARD | {"in_stock": False})


def test_field_links_hint_and_error_to_its_input(render):
    html = render('{{ ui.field("email", "E-mail", error="Too short", hint="We never share it", maxlength=9) }}')
    assert 'aria-describedby="hint-email error-email"' in html
    assert 'aria-invalid="true"' in html
    assert 'maxlength="9"' in html
    assert 'id="error-email"' in html


def test_a_field_without_an_error_is_not_marked_wrong(render):
    html = render('{{ ui.field("email", "E-mail") }}')
    assert "aria-invalid" not in html
    assert "aria-describedby" not in html


def test_an_optional_field_says_so(render):
    html = render('{{ ui.field("note", "Note", required=false) }}')
    assert text(html) == "Note optional"
    assert " required" not in html


def test_error_summary_links_fields_but_not_the_form(render):
    html = render("{{ ui.error_summary(errors) }}", errors={"email": "Too short", "form": "Not now"})
    assert '<a href="#field-email">Too short</a>' in html
    assert "<li>Not now</li>" in html


def test_no_errors_leave_no_summary(render):
    assert render("{{ ui.error_summary({}) }}").strip() == ""


def test_pages_show_only_the_ways_there_are(render):
    assert text(render('{{ ui.pagination("/n", "") }}')) == "Next"
    assert text(render('{{ ui.pagination("/n", "/p") }}')) == "Previous Next"
    assert render("{{ ui.pagination(none, none) }}").strip() == ""


def test_the_last_crumb_is_the_page_itself(render):
    html = render('{{ ui.breadcrumbs([{"name": "Home", "url": "/"}, {"name": "Lamps", "url": "/c/lamps"}]) }}')
    assert html.count("<a ") == 1
    assert '<span aria-current="page">Lamps</span>' in html


def test_a_timeline_tells_its_events_in_words(render):
    events = [{"type": "order_placed", "recorded_at": "2025-05-01T08:00:00+00:00"}, {"type": "paid"}]
    assert text(render("{{ ui.timeline(events) }}", events=events)) == "Order placed 1 May 2025 , 08:00 UTC Paid"


def test_a_bar_of_an_empty_histogram_is_empty(render):
    assert 'width="0.00"' in render('{{ ui.meter("5 stars", 0, 0) }}')


@pytest.mark.parametrize(
    "source",
    [
        "{{ ui.product_card(card) }}",
        '{{ ui.field(h, h, value=h, error=h, hint=h, autocomplete=h) }}{{ ui.field("a", h, placeholder=h) }}',
        "{{ ui.textarea(h, h, value=h, error=h, hint=h) }}",
        "{{ ui.select(h, h, [(h, h)], value=h, error=h, hint=h) }}",
        "{{ ui.error_summary({h: h}) }}",
        "{{ ui.button(h, kind=h, title=h) }}",
        "{{ ui.empty_state(h, h, h, h) }}",
        "{{ ui.pagination(h, h) }}",
        '{{ ui.breadcrumbs([{"name": h, "url": h}, {"name": h, "url": h}]) }}',
        '{{ ui.notice("info", h) }}',
        "{{ ui.status_badge(h) }}",
        '{{ ui.timeline([{"type": h, "title": h, "detail": h}]) }}',
        "{{ ui.meter(h, 1, 2) }}",
        "{{ ui.quantity(name=h, label=h) }}",
    ],
)
def test_hostile_text_stays_text(render, source):
    hostile_card = CARD | dict.fromkeys(("title", "brand", "picture", "url"), HOSTILE)
    html = render(source, h=HOSTILE, card=hostile_card)
    assert "script" in html.lower()
    assert "<script" not in html.lower()


def test_a_highlighted_title_keeps_its_marks(render):
    html = render(
        "{{ ui.product_card(card) }}", card=CARD | {"highlight": {"title": "<mark>Oak</mark> lamp", "description": ""}}
    )
    assert "<mark>Oak</mark> lamp" in html


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500, 503])
def test_error_page_has_one_heading_and_the_request_id(app, status):
    with app.test_request_context("/nowhere"):
        html = render_template("error.html", status=status, title="T", detail=HOSTILE, id="r-1")
    assert html.count("<h1") == 1
    assert "r-1" in html
    assert HOSTILE not in html


def test_the_base_page_holds_nothing_the_content_policy_would_refuse(app):
    with app.test_request_context("/"):
        html = render_template("error.html", status=404, title="T", detail="D", id="r-1")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", html)


def test_the_header_shows_the_departments_it_is_given(app):
    nav = [{"name": "Kitchen", "url": "/c/kitchen", "children": [{"name": "Knives", "url": "/c/knives"}]}]
    with app.test_request_context("/c/kitchen"):
        html = render_template("error.html", status=404, title="T", detail="D", id="r-1", nav=nav)
    assert 'href="/c/knives">Knives</a>' in html
    assert 'href="/c/kitchen" aria-current="page"' in html


def test_server_error_page_renders_without_any_server(app):
    app.jinja_env.globals["departments"] = lambda: 1 / 0
    with app.test_request_context("/"):
        html = render_template("error.html", status=503, title="T", detail="D", id="r-1")
    assert "Something went wrong on our side" in html


def test_client_error_keeps_its_status_without_the_menu(app):
    def raise_unavailable() -> list[object]:
        raise ServiceUnavailable("The database is away; try again.")

    app.jinja_env.globals["departments"] = raise_unavailable
    problems.install(app)
    response = app.test_client().get("/nowhere")
    assert response.status_code == 404
    assert "There is nothing at this address." in response.text


def test_page_without_a_menu_loads_the_departments(app):
    app.jinja_env.globals["departments"] = lambda: [{"name": "Kitchen", "url": "/c/kitchen", "children": []}]
    with app.test_request_context("/"):
        html = render_template("error.html", status=404, title="T", detail="D", id="r-1")
    assert 'href="/c/kitchen"' in html


def test_links_to_pages_of_other_profiles_are_left_out(app):
    with app.test_request_context("/"):
        without = render_template("error.html", status=404, title="T", detail="D", id="r-1")
    app.add_url_rule("/lab", "lab.index", lambda: "")
    with app.test_request_context("/"):
        present = render_template("error.html", status=404, title="T", detail="D", id="r-1")
    assert 'href="/lab"' not in without
    assert 'href="/lab"' in present
