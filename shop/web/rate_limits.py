"""Rate limits of HTTP requests: which requests are limited, who the client is, and what a refused client reads.

Problem: a Flask hook does not see the warm answers of the fast path, and knows the account only after a query.
Method: WSGI middleware between the fast path and Flask. The fast path answers only reads, and only writes are limited;
so the middleware sees every limited request, and a warm page does not pay for it.
A client is the account, if this process has seen the request's token identify one; otherwise it is the address, in IPv6
the network of 64 bits that a household or a server usually has. The middleware trusts no token that it has not seen
working, because a client could invent a new token for each request. Each token belongs to an account, so several
browsers and programs of one account are one client.
The limits are not the bulkhead of ``shop/accounts/passwords.py``. A limit stops one client that asks too often; the
bulkhead limits how many passwords are hashed at one time for all clients together. Both answer 429.
Each counted answer carries ``RateLimit-Policy``, the quota and the window, and ``RateLimit``, what is left of both. A
client that spreads its requests by them is never refused.
Switch: ``overload.rate_limit``. Mechanism: ``shop/patterns/rate_limiting``.
Source: docs/adr/0010-warm-answers-take-a-fast-path.md; draft-ietf-httpapi-ratelimit-headers-11, 3 and 4; RFC 6585, 4;
RFC 4291, 2.5.4.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.http import parse_cookie

from shop.clock import Clock
from shop.errors import TooManyRequests
from shop.patterns.overload.client_address import address_client
from shop.patterns.rate_limiting import RateDecision, RatePolicy
from shop.settings import Settings
from shop.web.request_services import SERVICES_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

POLICY_HEADER = "RateLimit-Policy"
REMAINING_HEADER = "RateLimit"
ACCOUNT_COOKIE = "ACCOUNT_COOKIE_NAME"
"""Key in the app's configuration: the name of the cookie of a signed-in browser."""
ACCOUNT_KEY = "shop.account"
"""Key of the account's id in the WSGI environment; authentication sets it."""
_DECISION_KEY = "shop.rate_decision"

LIMITED_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
UNLIMITED_PREFIXES = ("/webhooks/", "/lab/", "/api/v1/lab/", "/api/v1/switches", "/api/v1/faults")
"""The provider signs its webhooks, and the lab's own desk must work while a client is limited."""
LOG_INS, REGISTRATIONS, TOKENS, WRITES = "log-ins", "registrations", "tokens", "writes"
POLICIES: Mapping[tuple[str, str], str] = {
    ("POST", "/login"): LOG_INS,
    ("POST", "/api/v1/session"): LOG_INS,
    ("POST", "/account/password"): LOG_INS,
    ("POST", "/api/v1/me/password"): LOG_INS,
    ("POST", "/register"): REGISTRATIONS,
    ("POST", "/api/v1/users"): REGISTRATIONS,
    ("POST", "/api/v1/tokens"): TOKENS,
}
"""The policy of a request by method and path; every other write has the policy :data:`WRITES`."""
REFUSALS: Mapping[str, str] = {
    LOG_INS: "Too many attempts to sign in from here. Wait a moment before the next one.",
    REGISTRATIONS: "Too many new accounts from here. Wait a moment before the next one.",
    TOKENS: "Too many tokens were asked for from here. Wait a moment before the next one.",
    WRITES: "Too many changes in a short time. Wait a moment; nothing of this request was done.",
}
REMEMBERED_TOKENS = 10_000
"""About 2 MB. The oldest token is forgotten first; its next request counts for the address."""
REMEMBERED_S = 300.0
"""Seconds after which a token must identify its account again: it may have been revoked."""


def policy_name(method: str, path: str) -> str | None:
    """Return the policy of a request; ``None`` if it is not limited. Pure."""
    if method not in LIMITED_METHODS or path.startswith(UNLIMITED_PREFIXES):
        return None
    return POLICIES.get((method, path), WRITES)


def policies_of(settings: Settings) -> Mapping[str, RatePolicy]:
    """Return the policies by name."""
    quotas = {
        LOG_INS: settings.logins_per_minute,
        REGISTRATIONS: settings.registrations_per_minute,
        TOKENS: settings.tokens_per_minute,
        WRITES: settings.writes_per_minute,
    }
    return {name: RatePolicy(name, quota) for name, quota in quotas.items()}


def rate_headers(decision: RateDecision) -> Headers:
    """Return the header fields of a counted answer: lists of structured fields (RFC 9651). Pure."""
    policy = decision.policy
    return [
        (POLICY_HEADER, f'"{policy.name}";q={policy.quota};w={policy.window_s}'),
        (REMAINING_HEADER, f'"{policy.name}";r={decision.remaining};t={decision.reset_s}'),
    ]


class SeenTokens:
    """The accounts that tokens have identified in this process. It stores hashes of tokens only.

    Args:
        clock: measures how long a token is remembered.
        cookie_name: returns the name of the cookie with the token of a signed-in browser.
    """

    def __init__(self, clock: Clock, cookie_name: Callable[[], str]) -> None:
        self._clock = clock
        self._cookie_name = cookie_name
        self._accounts: dict[bytes, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def token_of(self, environ: "WSGIEnvironment") -> bytes | None:
        """Return the hash of a request's token; ``None`` without one. A bearer token outranks the cookie."""
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            token = parse_cookie(environ).get(self._cookie_name(), "") if "HTTP_COOKIE" in environ else ""
        return hashlib.sha256(token.strip().encode()).digest() if token else None

    def account_of(self, token: bytes | None) -> str | None:
        """Return the client of a token that has identified an account; ``None`` for all others."""
        if token is None:
            return None
        account, until = self._accounts.get(token, (None, 0.0))
        return account if self._clock.monotonic() < until else None

    def remember(self, token: bytes, account_id: int) -> None:
        """Remember that a token has identified an account."""
        with self._lock:
            self._accounts.pop(token, None)
            while len(self._accounts) >= REMEMBERED_TOKENS:
                del self._accounts[next(iter(self._accounts))]
            self._accounts[token] = (f"account:{account_id}", self._clock.monotonic() + REMEMBERED_S)


class RateLimitMiddleware:
    """WSGI middleware that counts each write, and marks the request if its client is over the limit.

    Args:
        inner: the Flask application; its first hook refuses a marked request.
        policies: by name.
        tokens: the tokens that have identified accounts.
    """

    def __init__(self, inner: "WSGIApplication", policies: Mapping[str, RatePolicy], tokens: SeenTokens) -> None:
        self._inner = inner
        self._policies = policies
        self._tokens = tokens

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        name = policy_name(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if name is None:
            return self._inner(environ, start_response)
        token = self._tokens.token_of(environ)
        account = self._tokens.account_of(token)
        client = account or address_client(environ.get("REMOTE_ADDR", ""))
        decision = environ[SERVICES_KEY].rate_limiter.count_request(self._policies[name], client)
        environ[_DECISION_KEY] = decision

        def start(status: str, headers: Headers, exc_info: ExcInfo = None) -> Any:
            if decision is not None:
                headers.extend(rate_headers(decision))
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        answer = self._inner(environ, start)
        if token is not None and account is None and (account_id := environ.get(ACCOUNT_KEY)) is not None:
            self._tokens.remember(token, account_id)
        return answer


def install(app: Flask, settings: Settings, clock: Clock) -> None:
    """Limit the requests of an app. Install it before every other check, and before the request middleware.

    Args:
        app: the application.
        settings: the limits.
        clock: measures how long a token is remembered.
    """
    tokens = SeenTokens(clock, lambda: str(app.config[ACCOUNT_COOKIE]))
    middleware = RateLimitMiddleware(app.wsgi_app, policies_of(settings), tokens)
    app.wsgi_app = middleware  # type: ignore[method-assign]  # as Flask's manual does it
    app.before_request(refuse_if_over)


def refuse_if_over() -> None:
    """Refuse the request being served if its client is over the limit.

    Raises:
        TooManyRequests: the client has used up its quota.
    """
    decision: RateDecision | None = request.environ.get(_DECISION_KEY)
    if decision is not None and not decision.is_admitted:
        raise TooManyRequests(REFUSALS[decision.policy.name], retry_after=decision.reset_s)


def note_account(account_id: int) -> None:
    """Note the account that the request being served has been authenticated as."""
    request.environ[ACCOUNT_KEY] = account_id
