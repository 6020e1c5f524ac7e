"""The cases of find exercises: a module an exercise.

``bin/shop exercise start`` draws one of the case's variants and sets it up on the running store. The check works out
the answer by itself, from the responses of the store, and compares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from shop.exercises.tasks import FindTask
from shop.exercises.verdict import FailureReport
from shop.lab.store_client import StoreClient

ANSWER = "answer"
"""The name of the only check of a find exercise."""


@dataclass(frozen=True)
class CaseScene:
    """One situation on the running store.

    Args:
        store: the running store.
        variant: number of the situation.
        products: slugs of the products that the case sells.
    """

    store: StoreClient
    variant: int
    products: tuple[str, ...]


@dataclass(frozen=True)
class StoreCase:
    """What the reader investigates on the running store.

    Args:
        variants: the values of the switches, for each situation that can be drawn. Each sets the same switches.
        draw_products: returns the slugs of the products that the case sells, and that are withdrawn at the end.
        set_up: brings the situation about, with the switches in force; returns the text that the reader is shown.
            Raises ``CannotJudge`` if the store does not get there.
        judge: works out the right answer and compares it with the reader's. Returns the failure, or ``None`` for a
            right answer. Raises ``CannotJudge`` if the store is not in that situation.
        lasting: whether the store stays in the situation after ``start``, until a pass or a reset; otherwise ``start``
            restores it at once, and the check repeats the situation.
        check_seconds: about how long the check takes on a quiet machine.
    """

    variants: Sequence[Mapping[str, str]]
    draw_products: Callable[[], tuple[str, ...]]
    set_up: Callable[[CaseScene], str]
    judge: Callable[[CaseScene, str], FailureReport | None]
    lasting: bool
    check_seconds: int = 3


def load_case(task: FindTask) -> StoreCase:
    """Return the case of an exercise.

    Args:
        task: names it.
    """
    case: StoreCase = import_module(f"{__name__}.{task.case}").CASE
    return case
