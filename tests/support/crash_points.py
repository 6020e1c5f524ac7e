"""Where a checkout, and the completer after it, can be struck: every recovery point, and between them.

A point is a name; :func:`strike` makes this process do something when it gets there. For processes that are to die
there themselves, :func:`buy_and_die` and :func:`work_and_die` run them apart.
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
"""Of a checkout, in their order."""
ASKING, FOUND = "asking", "found"
"""Of the completer: the payment is claimed, and the provider is about to be asked; it has answered."""
REFUNDING, REFUNDED = "refunding", "refunded"
"""Of the completer: an owed refund is about to be made; it is made, and not written down."""
DEFERRED = "INSERT INTO order_summaries"


@contextmanager
def strike(runtime: ProcessRuntime, point: str, act: Callable[[], object]) -> Iterator[None]:
    """Act whenever a runtime gets to a point."""
    with ExitStack() as stack:
        if point in (PLACING, SETTLING):
            stack.enter_context(_at_the_end_of_a_transaction(runtime, act, first=point == PLACING))
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
    """A web process's application, here.

    Args:
        runtime: what it is built on.
    """

    def __init__(self, runtime: ProcessRuntime) -> None:
        self.runtime = runtime
        self._app = create_app(runtime)

    def shopper(self, cart: uuid.UUID) -> FlaskClient:
        """Return the browser of a guest who has a cart."""
        client = self._app.test_client()
        with client.session_transaction() as session:
            session["cart"] = str(cart)
        return client

    def buy(self, cart: uuid.UUID, token: str = "tok_ok") -> Any:
        """Press the button in a browser of her own."""
        return press(self.shopper(cart), token)

    def struck(
        self, carts: Sequence[uuid.UUID], point: str, act: Callable[[], object], token: str = "tok_ok"
    ) -> list[Any]:
        """Let shoppers press at once, and act when all of them have got to the point; none of them goes on before.

        Returns:
            What each was answered.
        """
        acted = []
        meeting = Barrier(len(carts), lambda: acted.append(act()))
        with strike(self.runtime, point, lambda: meeting.wait(TIMEOUT_S)), ThreadPoolExecutor(len(carts)) as pool:
            answers = list(pool.map(lambda cart: self.buy(cart, token), carts))
        assert acted, "they did not get there"
        return answers


def press(client: FlaskClient, token: str = "tok_ok") -> Any:
    """Press the button, always under the same key."""
    details = {**DETAILS, "payment": {"token": token}}
    return client.post("/api/v1/checkout", json=details, headers={"Idempotency-Key": "the-key"})


def buy_and_die(settings: Settings, carts: Sequence[uuid.UUID], point: str) -> None:
    """Let a web process get to a point of a checkout of each cart, and be killed there."""
    _run_and_die(_buy, settings, carts, point)


def work_and_die(settings: Settings, point: str) -> None:
    """Let a completer get to a point, and be killed there."""
    _run_and_die(_work, settings, point)


def _run_and_die(target: Callable[..., None], *given: object) -> None:
    process = _processes.Process(target=target, args=given)
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == -signal.SIGKILL, "it did not get there"


def _buy(settings: Settings, carts: Sequence[uuid.UUID], point: str) -> None:
    Web(build(settings)).struck(carts, point, _die)


def _work(settings: Settings, point: str) -> None:
    runtime = build(settings)
    with strike(runtime, point, _die):
        runtime.services().completer.run_once()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _at_the_end_of_a_transaction(runtime: ProcessRuntime, act: Callable[[], object], *, first: bool) -> Iterator[None]:
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
