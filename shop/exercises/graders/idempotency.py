"""Checks of the exercise ``idempotency``: a request is executed once, whatever happens to it.

The work of the check puts a mug into a cart, and each execution gives another response. So a replay is recognised by
its content, and the number of mugs tells how often the work was done.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.graders.concurrent_calls import ConcurrentCall, WatchedDatabase
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import StoredResponse

CREATE = (
    """CREATE TABLE idempotency_keys (
    owner text NOT NULL, route text NOT NULL, key text NOT NULL, fingerprint text NOT NULL, claim uuid NOT NULL,
    claimed_until timestamptz NOT NULL, status integer, body bytea, content_type text, location text,
    created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
    PRIMARY KEY (owner, route, key), CHECK ((status IS NULL) = (body IS NULL)))""",
    "CREATE TABLE mugs (owner text NOT NULL)",
)
"""The table of keys has the columns of the store's."""
ADD_MUG = text("INSERT INTO mugs (owner) VALUES (:owner)")
ROUTE, OTHER_ROUTE = "POST /api/v1/cart/items", "POST /api/v1/reviews"
ALICE, BOB = "user:1", "user:2"
ONE_MUG, TWO_MUGS = "fingerprint-of-one-mug", "fingerprint-of-two-mugs"
CONFLICT, UNPROCESSABLE = 409, 422
JOB = "add a mug"
Factory = Callable[..., Any]


class RequestEnded(Exception):
    """The request ends before its commit."""


@dataclass
class RequestSender:
    """Sends requests, as the store does, and counts the mugs.

    Args:
        calls: the means to call the attempt.
        database: of the check.
        factory: the attempt's.
        request: of the check; no other check has its key.
    """

    calls: AttemptCalls
    database: WatchedDatabase
    factory: Factory
    request: RequestKey
    executions: list[StoredResponse] = field(default_factory=list)

    def start_process(self) -> Any:
        """Return the hooks of a process that has just started."""
        return self.calls.call("IdempotencyMiddleware()", self.factory)

    def send(
        self, hooks: Any, name: str, request: RequestKey | None = None, *, end: str = "commit"
    ) -> StoredResponse | None:
        """Send a request; return the response that came instead of the work, ``None`` if the work was done.

        Args:
            hooks: of the process that receives it.
            name: of the request, for messages.
            request: that of the check by default.
            end: ``commit``, or where it ends without: ``before the answer is stored``, ``before the commit``.
        """
        request = request or self.request
        try:
            with self.database.transaction() as session:
                answer = self.before(hooks, session, request, name)
                if answer is None:
                    response = self.work(session, request)
                    if end == "before the answer is stored":
                        raise RequestEnded
                    self.calls.call(
                        f"{name}: after(session, request, response)", hooks.after, session, request, response
                    )
                    if end == "before the commit":
                        raise RequestEnded
        except RequestEnded:
            pass
        return answer

    def before(self, hooks: Any, session: Session, request: RequestKey, name: str) -> StoredResponse | None:
        """Call the first hook, and require that its value is a response or ``None``."""
        did = f"{name}: before(session, request)"
        answer = self.calls.call(did, hooks.before, session, request)
        if answer is not None and not isinstance(answer, StoredResponse):
            look = "Return None to have the work done, or a StoredResponse(status, body, content_type, location)."
            self.calls.fail(did, "None or a StoredResponse.", f"{shorten(repr(answer))}.", look)
        return answer

    def work(self, session: Session, request: RequestKey) -> StoredResponse:
        """Put a mug into the cart; return the response."""
        session.execute(ADD_MUG, {"owner": request.owner})
        body = f'{{"execution": {len(self.executions) + 1}}}'.encode()
        self.executions.append(StoredResponse(201, body, "application/json", f"/cart/{len(self.executions) + 1}"))
        return self.executions[-1]

    def require_mugs(self, did: str, count: int, look: str) -> None:
        """Require that the work of the check's request was done so often."""
        select = "SELECT count(*) FROM mugs WHERE owner = :owner"
        mugs = self.database.execute(select, owner=self.request.owner)[0][0]
        if mugs != count:
            self.calls.fail(did, f"{_mugs(count)} in the cart.", f"{_mugs(mugs)} in the cart.", look)

    def require_replay(self, did: str, answer: StoredResponse | None, first: StoredResponse, look: str) -> None:
        """Require that an answer is the stored one."""
        if answer is None or astuple(answer) != astuple(first):
            self.calls.fail(did, f"{_text(first)}.", f"{_text(answer)}.", look)


def check_replay(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a repeated request gets the first response, also from another process."""
    with _shop(factory, calls, rule) as shop:
        _require_work(shop, shop.start_process(), shop.request, "the first request")
        look = "Store the whole response in the row of the key, in after(); return it in before()."
        for name in ("the same request again, at another process", "and once more"):
            did = f"{JOB}; {name}"
            shop.require_replay(did, shop.send(shop.start_process(), name), shop.executions[0], look)
        shop.require_mugs(did, 1, look)


def check_owner_and_route(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the same key of another owner, or on another route, is another key."""
    with _shop(factory, calls, rule) as shop:
        hooks = shop.start_process()
        requests = (shop.request, replace(shop.request, owner=BOB), replace(shop.request, route=OTHER_ROUTE))
        for request in requests:
            _require_work(shop, hooks, request, f"{request.owner} sends the key to {request.route}")
        look = "Look for the row by all three: owner, route and key."
        for request, first in zip(requests, tuple(shop.executions), strict=True):
            did = f"{request.owner} sends the key to {request.route} again"
            shop.require_replay(did, shop.send(hooks, did, request), first, look)


def check_another_body(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a key that was used with another body is refused."""
    with _shop(factory, calls, rule) as shop:
        hooks = shop.start_process()
        _require_work(shop, hooks, shop.request, "one mug, under a new key")
        did = "two mugs, under the same key (another fingerprint)"
        answer = shop.send(hooks, did, replace(shop.request, fingerprint=TWO_MUGS))
        if answer is None or answer.status != UNPROCESSABLE:
            look = "Compare request.fingerprint with the stored one. A client that reuses a key must learn it."
            calls.fail(did, f"a response with status {UNPROCESSABLE}.", f"{_text(answer)}.", look)
        did = "one mug, under the same key, again"
        look = "The second request must not change the row of the first."
        shop.require_replay(did, shop.send(hooks, did), shop.executions[0], look)


def check_crash(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a process may die between the work and the stored answer."""
    did = "the process dies after the work, before after() is called; then the same request at another process"
    look = (
        "Claim the key in the session's transaction, and do not commit: then PostgreSQL takes the claim back as well."
    )
    _check_repeated_work(factory, calls, rule, "before the answer is stored", did, look)


def check_rolled_back(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that an answer is not stored without the work."""
    did = "after() was called, and the process dies before the commit; then the same request at another process"
    look = "Work and answer are one commit. Keep the answer in the table only, and leave the commit to the caller."
    _check_repeated_work(factory, calls, rule, "before the commit", did, look)


def check_at_once(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a second request with the key while the first one is in progress."""
    did = "A: the request, in progress. B: the same request. Then A commits"
    look = "The table's primary key lets one of two INSERTs pass: look at the number of rows, not before it."
    with _shop(factory, calls, rule) as shop:
        answer = _overlap(shop, did, commit=True)
        if answer is None:
            calls.fail(did, "B gets 409, or waits for A and gets its response.", f"{_text(answer)}.", look)
        if answer.status != CONFLICT:
            shop.require_replay(did, answer, shop.executions[0], look)
        again = "the same request once more, after A and B"
        shop.require_replay(again, shop.send(shop.start_process(), again), shop.executions[0], look)
        shop.require_mugs(did, 1, look)


def check_first_fails(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a second request with the key if the first one is rolled back."""
    did = "A: the request, in progress. B: the same request. Then A is rolled back"
    look = "Nothing of A may be left: B, or the next request, does the work."
    with _shop(factory, calls, rule) as shop:
        answer = _overlap(shop, did, commit=False)
        if answer is not None and answer.status != CONFLICT:
            calls.fail(did, "B gets 409, or waits for A and does the work itself.", f"{_text(answer)}.", look)
        again = "the same request once more, after A and B"
        repeated = shop.send(shop.start_process(), again)
        if answer is None:
            shop.require_replay(again, repeated, shop.executions[-1], look)
        elif repeated is not None:
            calls.fail(again, "None: the work is still to be done.", f"{_text(repeated)}.", look)
        shop.require_mugs(did, 1, look)


def _check_repeated_work(factory: Factory, calls: AttemptCalls, rule: CheckRule, end: str, did: str, look: str) -> None:
    with _shop(factory, calls, rule) as shop:
        shop.send(shop.start_process(), "the first request", end=end)
        answer = shop.send(shop.start_process(), "the same request at another process")
        if answer is not None:
            calls.fail(did, "None: nothing was done, so the work is to be done now.", f"{_text(answer)}.", look)
        shop.require_mugs(did, 1, look)
        again = "the same request once more"
        shop.require_replay(again, shop.send(shop.start_process(), again), shop.executions[-1], look)


def _overlap(shop: RequestSender, did: str, *, commit: bool) -> StoredResponse | None:
    """Let a second request come while the first one is in progress; return the second one's answer."""
    hooks, others = shop.start_process(), shop.start_process()
    try:
        with shop.database.transaction() as session:
            if shop.before(hooks, session, shop.request, "A") is not None:
                shop.calls.fail(did, "A does the work.", "A got a response.", "The table is empty: the key is free.")
            response = shop.work(session, shop.request)
            second = ConcurrentCall(shop.database, lambda: shop.send(others, "B"))
            second.settle()
            shop.calls.call("A: after(session, request, response)", hooks.after, session, shop.request, response)
            if not commit:
                raise RequestEnded
    except RequestEnded:
        pass
    if not second.has_returned:
        look = "It waits for a lock that no open transaction holds. A lock must end with its transaction."
        shop.calls.fail(did, "B returns.", "B had not returned although A has ended.", look)
    answer: StoredResponse | None = second.result()
    return answer


def _require_work(shop: RequestSender, hooks: Any, request: RequestKey, name: str) -> None:
    answer = shop.send(hooks, name, request)
    if answer is not None:
        look = "No request with this owner, route and key was there before."
        shop.calls.fail(name, "None: the work is to be done.", f"{_text(answer)}, for {request.owner}.", look)


@contextmanager
def _shop(factory: Factory, calls: AttemptCalls, rule: CheckRule) -> Iterator[RequestSender]:
    database = WatchedDatabase(calls.servers.database())
    try:
        for statement in CREATE:
            database.execute(statement)
        yield RequestSender(calls, database, factory, RequestKey(ALICE, ROUTE, f"key-of-{rule.name}", ONE_MUG))
    finally:
        database.close()


def _text(answer: StoredResponse | None) -> str:
    if answer is None:
        return "None, so the work is done"
    return f"{answer.status} with the body {shorten(repr(answer.body))} and the location {answer.location}"


def _mugs(count: int) -> str:
    return f"{count} mug" if count == 1 else f"{count} mugs"


CHECKS: Mapping[str, Callable[[Factory, AttemptCalls, CheckRule], None]] = {
    "replay": check_replay,
    "owner-and-route": check_owner_and_route,
    "another-body": check_another_body,
    "crash": check_crash,
    "rolled-back": check_rolled_back,
    "at-once": check_at_once,
    "first-fails": check_first_fails,
}
