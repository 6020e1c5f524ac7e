"""Exercise ``conditional-stock``: reserves the pieces of one product in a checkout."""

from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten


def adapt(attempt: LoadedAttempt, default: type[Any]) -> type[Any]:
    """Return the store's own strategy, which reserves each product by the attempt."""

    class AttemptStock(default):  # type: ignore[misc]  # the class is chosen at run time
        def reserve_one(self, session: Any, product_id: int, pieces: int) -> int | None:
            left: int | None = attempt.call(
                f"{attempt.place.slot.defines}(session, {product_id}, {pieces})",
                attempt.defined,
                (session, product_id, pieces),
                lambda: default.reserve_one(self, session, product_id, pieces),
                _fault,
                after_failure=attempt.refuse,
            )
            return left

    return AttemptStock


def _fault(value: Any) -> str:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if value is None or is_count else f"{shorten(value)}, which is neither a number of pieces nor None."
