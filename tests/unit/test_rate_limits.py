"""Rate limits: which requests are limited, who a client is, and what an answer tells."""

import pytest

from shop.patterns.overload import RequestPriority, classify
from shop.patterns.overload.client_address import address_client
from shop.patterns.rate_limiting import RateDecision, RatePolicy
from shop.patterns.rate_limiting.limiter import whole_seconds
from shop.web.rate_limits import (
    LOG_INS,
    POLICIES,
    REGISTRATIONS,
    REMEMBERED_S,
    REMEMBERED_TOKENS,
    TOKENS,
    WRITES,
    SeenTokens,
    policy_name,
    rate_headers,
)
from tests.support.shifted_clock import ShiftedClock

POLICY = RatePolicy("writes", 3)


@pytest.mark.parametrize(("method", "path"), POLICIES)
def test_requests_with_own_limit_reach_it_under_overload(method, path):
    """Refused in the queue, a client would hear of an overload, and not that it asked too often."""
    assert classify(f"{method} {path} HTTP/1.1\r\n\r\n".encode()) == RequestPriority.PASSWORD


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/login", LOG_INS),
        ("POST", "/api/v1/session", LOG_INS),
        ("DELETE", "/api/v1/session", WRITES),
        ("POST", "/register", REGISTRATIONS),
        ("POST", "/api/v1/users", REGISTRATIONS),
        ("POST", "/api/v1/tokens", TOKENS),
        ("POST", "/api/v1/cart/items", WRITES),
        ("PATCH", "/api/v1/admin/products/mug", WRITES),
        ("POST", "/there/is/nothing", WRITES),
        ("GET", "/login", None),
        ("HEAD", "/", None),
        ("PUT", "/api/v1/switches/cache.edge", None),
        ("POST", "/lab/reset", None),
        ("POST", "/webhooks/payments", None),
    ],
)
def test_each_write_has_a_policy_and_reads_have_none(method, path, name):
    assert policy_name(method, path) == name


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "address:2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("", "address:none"),
    ],
)
def test_an_ipv6_client_is_its_network_of_64_bits(address, client):
    assert address_client(address) == client


@pytest.mark.parametrize(("left_s", "reset_s"), [(60.0, 60), (60.2, 60), (29.1, 30), (0.0, 1), (-0.2, 1)])
def test_the_end_of_a_window_is_never_told_too_early(left_s, reset_s):
    assert whole_seconds(POLICY, left_s) == reset_s


def test_headers_are_structured_fields_of_the_draft():
    assert rate_headers(RateDecision(POLICY, True, 1, 31)) == [
        ("RateLimit-Policy", '"writes";q=3;w=60'),
        ("RateLimit", '"writes";r=1;t=31'),
    ]


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
def tokens(clock):
    return SeenTokens(clock, lambda: "account")


def test_a_bearer_token_outranks_the_cookie(tokens):
    cookie, bearer = {"HTTP_COOKIE": "a=1; account=one"}, {"HTTP_AUTHORIZATION": "bearer two"}
    assert tokens.token_of({}) is None
    assert tokens.token_of({**cookie, **bearer}) == tokens.token_of(bearer) != tokens.token_of(cookie)


def test_only_a_token_seen_working_is_an_account(tokens, clock):
    token, other = (tokens.token_of({"HTTP_COOKIE": f"account={word}"}) for word in ("one", "two"))
    tokens.remember(token, 7)
    assert tokens.account_of(token) == "account:7"
    assert tokens.account_of(other) is None
    clock.advance(REMEMBERED_S + 1)
    assert tokens.account_of(token) is None


def test_remembered_tokens_are_bounded_oldest_forgotten_first(tokens):
    for number in range(REMEMBERED_TOKENS + 1):
        tokens.remember(number.to_bytes(4, "big"), number)
    assert tokens.account_of((0).to_bytes(4, "big")) is None
    assert tokens.account_of((1).to_bytes(4, "big")) == "account:1"
