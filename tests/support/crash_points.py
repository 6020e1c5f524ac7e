"""Points at which a test can interrupt a checkout or the completer: every recovery point, and between them.

A point is a name. :func:`call_at` calls a function when this process reaches it. :func:`buy_and_die` and
:func:`work_and_die` run a separate process that is killed there.
"""

import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Barrier
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event

from shop.app import create_app
from shop.checkout.recovery_points import RecoveryPoint
from shop.settings import Settings
from shop.wiring import ProcessRuntime, build
from tests.support.checkout_processes import DETAILS, TIMEOUT_S, _processes

PLACING, SETTLING = "placing", "settling"
"""Inside the first and the last transaction, at the last statements before COMMIT."""
PHASES = (PLACING, RecoveryPoint.PLACED.value, RecoveryPoint.ANSWERED.value, SETTLING, RecoveryPoint.SETTLED.value)
"""The points of a checkout, in order."""
ASKING, FOUND = "asking", "found"
"""Points of the completer: it has claimed the payment and will ask the provider; the provider has answered."""
REFUNDING, REFUNDED = "refunding", "refunded"
"""Points of the completer: before a refund; after the refund and before it is recorded."""
DEFERRED = "INSERT INTO order_summaries"


@contextmanager
def call_at(runtime: ProcessRuntime, point: str, act: Callable[[], object]) -> Iterator[None]:
    """Call a function each time a runtime reaches a point."""
    with ExitStack() as stack:
        if point in (PLACING, SETTLING):
            stack.enter_context(_before_commit(runtime, act, first=point == PLACING))
        elif point in (ASKING, FOUND):
            stack.enter_context(_around(runtime, "find_charge", act, first=point == ASKING))
        elif point in (REFUNDING, REFUNDED):
            stack.enter_context(_around(runtime, "refund", act, first=point == REFUNDING))
        else:
            checkout = runtime.services().checkout
            checkout.on_recovery_point = lambda reached: act() if reached == point else None
            stack.callback(setattr, checkout, "on_recovery_point", lambda reached: None)
        yield


class Web:
    """The web application, in this process.

    Args:
        runtime: its runtime.
    """

    def __init__(self, runtime: ProcessRuntime) -> None:
        self.runtime = runtime
        self._app = create_app(runtime)

    def shopper(self, cart: uuid.UUID) -> FlaskClient:
        """Return the browser of a guest with a cart."""
        client = self._app.test_client()
        with client.session_transaction() as session:
            session["cart"] = str(cart)
        return client

    def buy(self, cart: uuid.UUID, token: str = "tok_ok") -> Any:
        """Check out in a new browser."""
        return submit_checkout(self.shopper(cart), token)

    def buy_and_call_at(
        self, carts: Sequence[uuid.UUID], point: str, act: Callable[[], object], token: str = "tok_ok"
    ) -> list[Any]:
        """Check out in several browsers at once; when all have reached a point, call a function; then continue.

        Returns:
            The answer of each checkout.
        """
        acted = []
        meeting = Barrier(len(carts), lambda: acted.append(act()))
        with call_at(self.runtime, point, lambda: meeting.wait(TIMEOUT_S)), ThreadPoolExecutor(len(carts)) as pool:
            answers = list(pool.map(lambda cart: self.buy(cart, token), carts))
        assert acted, "not all checkouts reached the point"
        return answers


def submit_checkout(client: FlaskClient, token: str = "tok_ok") -> Any:
    """Check out, always with the same idempotency key."""
    details = {**DETAILS, "payment": {"token": token}}
    return client.post("/api/v1/checkout", json=details, headers={"Idempotency-Key": "the-key"})


def buy_and_die(settings: Settings, carts: Sequence[uuid.UUID], point: str) -> None:
    """Check out each cart in a web process, and kill the process at a point."""
    _run_and_die(_buy, settings, carts, point)


def work_and_die(settings: Settings, point: str) -> None:
    """Run a completer, and kill its process at a point."""
    _run_and_die(_work, settings, point)


def _run_and_die(target: Callable[..., None], *given: object) -> None:
    process = _processes.Process(target=target, args=given)
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == -signal.SIGKILL, "it did not get there"


def _buy(settings: Settings, carts: Sequence[uuid.UUID], point: str) -> None:
    Web(build(settings)).buy_and_call_at(carts, point, _die)


def _work(settings: Settings, point: str) -> None:
    runtime = build(settings)
    with call_at(runtime, point, _die):
        runtime.services().completer.run_once()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _before_commit(runtime: ProcessRuntime, act: Callable[[], object], *, first: bool) -> Iterator[None]:
    def before(connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        if statement.startswith(DEFERRED) and (parameters["version"] == 1) is first:
            act()

    engine = runtime.database.engine
    event.listen(engine, "before_cursor_execute", before)
    yield
    event.remove(engine, "before_cursor_execute", before)


@contextmanager
def _around(runtime: ProcessRuntime, name: str, act: Callable[[], object], *, first: bool) -> Iterator[None]:
    asked = getattr(runtime.provider, name)

    def call(*given: Any) -> Any:
        if first:
            act()
        answer = asked(*given)
        if not first:
            act()
        return answer

    setattr(runtime.provider, name, call)
    yield
    delattr(runtime.provider, name)
