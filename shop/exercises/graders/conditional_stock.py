"""Checks of the exercise ``conditional-stock``: two transactions take the last piece of one product.

The transactions overlap on a real PostgreSQL, in an order that the check decides: see ``concurrent_calls``.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.graders.concurrent_calls import ConcurrentCall, WatchedDatabase

CREATE = """CREATE TABLE stock_items (
    product_id bigint PRIMARY KEY, on_hand integer NOT NULL DEFAULT 0, reserved integer NOT NULL DEFAULT 0)"""
"""Without the CHECK of the store's table: a CHECK turns a fault into an error, and the exercise is to have no fault."""
MUG, LAMP, ABSENT = 7, 8, 99
PAGE = "docs/patterns/stock.md"
Reserve = Callable[..., Any]


def check_reserves(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a reservation without a rival, of some pieces and of the last ones."""
    with _stock(calls, mug=(5, 1), lamp=(5, 0)) as database:
        for pieces, left, reserved in ((2, 2, 3), (2, 0, 5)):
            did = f"reserve_stock(session, {MUG}, {pieces}), with on_hand = 5 and reserved = {reserved - pieces}"
            with database.transaction() as session:
                value = calls.call(did, reserve, session, MUG, pieces)
            came = f"{_text(value)}; the row says {_row(database)}."
            if value != left or isinstance(value, bool) or _row(database) != f"on_hand = 5, reserved = {reserved}":
                expected = f"{left} (pieces still available); the row says on_hand = 5, reserved = {reserved}."
                look = "Return on_hand - reserved as it is after the change. 0 pieces left is a success, None is not."
                calls.fail(did, expected, came, look)
            if (other := _row(database, LAMP)) != "on_hand = 5, reserved = 0":
                look = "The statement needs a condition on product_id."
                calls.fail(did, "the row of the other product is unchanged.", f"the other row says {other}.", look)


def check_refuses(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that too few pieces, or a product without a row, give ``None`` and change nothing."""
    with _stock(calls, mug=(5, 3), lamp=(5, 0)) as database:
        for product_id, pieces, state in ((MUG, 3, "with 2 pieces available"), (ABSENT, 1, "a product without a row")):
            did = f"reserve_stock(session, {product_id}, {pieces}), {state}"
            with database.transaction() as session:
                value = calls.call(did, reserve, session, product_id, pieces)
            if value is not None or _row(database) != "on_hand = 5, reserved = 3":
                came = f"{_text(value)}; the row of product {MUG} says {_row(database)}."
                look = "An UPDATE whose condition does not hold raises nothing: it changes 0 rows. Look at that number."
                calls.fail(did, "None, and no row has changed.", came, look)


def check_callers_transaction(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the caller can still roll the reservation back."""
    with _stock(calls, mug=(5, 1), lamp=(5, 0)) as database:
        did = f"reserve_stock(session, {MUG}, 2), then session.rollback()"
        with Session(database.engine) as session:
            calls.call(did, reserve, session, MUG, 2)
            session.rollback()
        if _row(database) != "on_hand = 5, reserved = 1":
            look = "The payment may fail after the reservation. Leave commit and rollback to the caller."
            calls.fail(did, "on_hand = 5, reserved = 1, as before.", f"{_row(database)} after the rollback.", look)


def check_last_piece(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that of two overlapping transactions, one gets the last piece."""
    did = f"A: reserve_stock(session, {MUG}, 1), still open. B: the same. Then A commits, and B. One piece is on hand"
    with _stock(calls, mug=(1, 0), lamp=(5, 0)) as database:
        first, second, statements = _overlap(reserve, calls, database, did, commit=True)
        if (first, second) != (0, None) or _row(database) != "on_hand = 1, reserved = 1":
            came = f"A got {_text(first)}. B got {_text(second)}, by {statements}; the row says {_row(database)}."
            look = (
                "B's UPDATE waited for A. Then PostgreSQL examined the condition again, but only for the row that it"
                " updates: what comes from a subquery or a joined copy is still the old row."
                if " and " not in statements
                else "B decided on a row that it had read before A committed. Decide in the UPDATE, or lock the row."
            )
            calls.fail(
                did, "A gets 0, B gets None; the row says on_hand = 1, reserved = 1.", came, f"{look} See {PAGE}."
            )


def check_first_gives_up(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the second transaction gets the piece if the first one is rolled back."""
    did = f"A: reserve_stock(session, {MUG}, 1), still open. B: the same. Then A rolls back, and B commits"
    with _stock(calls, mug=(1, 0), lamp=(5, 0)) as database:
        _, second, _ = _overlap(reserve, calls, database, did, commit=False)
        if second != 0 or _row(database) != "on_hand = 1, reserved = 1":
            came = f"B got {_text(second)}; the row says {_row(database)}."
            look = "While A is open, nobody knows whether the piece is gone. Wait for A: no NOWAIT, no SKIP LOCKED."
            calls.fail(did, "B gets 0: the piece is sold after all.", came, look)


def check_enough_for_both(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that both of two overlapping transactions get a piece if there are two."""
    did = f"A: reserve_stock(session, {MUG}, 1), still open. B: the same. Then A commits, and B. Two pieces are on hand"
    with _stock(calls, mug=(2, 0), lamp=(5, 0)) as database:
        first, second, _ = _overlap(reserve, calls, database, did, commit=True)
        if (first, second) != (1, 0) or _row(database) != "on_hand = 2, reserved = 2":
            came = f"A got {_text(first)}. B got {_text(second)}; the row says {_row(database)}."
            look = "That a row has changed does not say that it is sold out. Decide again with the newest row."
            calls.fail(did, "A gets 1, B gets 0; the row says on_hand = 2, reserved = 2.", came, look)


def check_many_buyers(reserve: Reserve, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check many buyers at once: nothing is oversold, and nobody is refused what is left."""
    wishes = [calls.rng.randint(1, 3) for _ in range(rule.repetitions)]
    on_hand = sum(wishes) // 2
    did = f"{len(wishes)} transactions at once want {', '.join(map(str, wishes))} pieces of {on_hand}"
    start = threading.Barrier(len(wishes))
    with _stock(calls, mug=(on_hand, 0), lamp=(5, 0)) as database:

        def buy(pieces: int) -> Any:
            with database.transaction() as session:
                session.connection()
                start.wait(1)
                return calls.call(did, reserve, session, MUG, pieces)

        buyers = [ConcurrentCall(database, partial(buy, pieces)) for pieces in wishes]
        results = [_result(buyer, calls, did) for buyer in buyers]
        sold = sum(pieces for pieces, left in zip(wishes, results, strict=True) if left is not None)
        refused = [pieces for pieces, left in zip(wishes, results, strict=True) if left is None]
        fits = [pieces for pieces in refused if pieces <= on_hand - sold]
        if sold > on_hand or fits or _row(database) != f"on_hand = {on_hand}, reserved = {sold}":
            expected = (
                f"at most {on_hand} pieces are promised, the row counts them, and nobody is refused what is left."
            )
            came = f"{sold} pieces promised, refused {refused or 'nobody'}; the row says {_row(database)}."
            calls.fail(did, expected, came, f"Check and change must be one step: see {PAGE}.")


def _overlap(
    reserve: Reserve, calls: AttemptCalls, database: WatchedDatabase, did: str, *, commit: bool
) -> tuple[Any, Any, str]:
    """Let two transactions take one piece each; return both values, and the statements of the second."""

    def buy_second() -> Any:
        with database.transaction() as session:
            return calls.call(did, reserve, session, MUG, 1)

    with Session(database.engine) as session:
        first = calls.call(did, reserve, session, MUG, 1)
        second = ConcurrentCall(database, buy_second)
        second.settle()
        session.commit() if commit else session.rollback()
    value = _result(second, calls, did)
    return first, value, " and ".join(database.statements(second.thread)) or "no statement"


def _result(call: ConcurrentCall, calls: AttemptCalls, did: str) -> Any:
    if not call.has_returned:
        look = "It waits for a lock that no open transaction holds. A lock must end with its transaction."
        calls.fail(did, "every call returns.", "one call had not returned although no other transaction is open.", look)
    return call.result()


@contextmanager
def _stock(calls: AttemptCalls, mug: tuple[int, int], lamp: tuple[int, int]) -> Iterator[WatchedDatabase]:
    """Give two products these pieces: on hand, and reserved."""
    database = WatchedDatabase(calls.servers.database())
    try:
        database.execute(CREATE)
        rows = ", ".join(f"({product}, {pieces[0]}, {pieces[1]})" for product, pieces in ((MUG, mug), (LAMP, lamp)))
        database.execute(f"INSERT INTO stock_items (product_id, on_hand, reserved) VALUES {rows}")  # noqa: S608
        yield database
    finally:
        database.close()


def _row(database: WatchedDatabase, product_id: int = MUG) -> str:
    select = "SELECT on_hand, reserved FROM stock_items WHERE product_id = :product_id"
    (on_hand, reserved) = database.execute(select, product_id=product_id)[0]
    return f"on_hand = {on_hand}, reserved = {reserved}"


def _text(value: object) -> str:
    return shorten(repr(value))


CHECKS: Mapping[str, Callable[[Reserve, AttemptCalls, CheckRule], None]] = {
    "reserves": check_reserves,
    "refuses": check_refuses,
    "callers-transaction": check_callers_transaction,
    "last-piece": check_last_piece,
    "first-gives-up": check_first_gives_up,
    "enough-for-both": check_enough_for_both,
    "many-buyers": check_many_buyers,
}
