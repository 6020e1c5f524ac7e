"""The live comparisons of build exercises: a module an exercise. Default and attempt in turn, on the running store.

A comparison puts load on the store at one rate, on products, carts and keys of its own, and counts. It is judged by
these counts, and by one ratio between attempt and default; see ``live_judgement``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from shop.exercises.definition import LiveTask

if TYPE_CHECKING:  # the HTTP client takes longer to load than a build exercise to check
    from shop.exercises.live_arm import LiveArm

Counts = Mapping[str, float]
EQUAL = 1.0
"""The ratio of an attempt that does the same as the store's own code."""


class MeasureArm(Protocol):
    """Measures one arm: prepares it, offers the load, and counts."""

    def __call__(self, arm: "LiveArm") -> Counts:
        """Return the counts of one arm, by name.

        Raises:
            CannotJudge: the store did not do what is counted.
        """


@dataclass(frozen=True)
class CountRule:
    """One count, and usually its bound: each arm of the attempt keeps it, and each arm of the store's own code, too.

    Args:
        count: name of the count, in lower-case words with hyphens.
        label: what is counted, with its unit, for the reader.
        says: the bound, as a clause for the reader: what a right answer gives. Empty for a count without a bound.
        look: where to look if the attempt does not keep the bound.
        at_most: the highest right value.
        at_least: the lowest right value.
    """

    count: str
    label: str
    says: str = ""
    look: str = ""
    at_most: float = float("inf")
    at_least: float = float("-inf")

    def holds(self, counts: Counts) -> bool:
        """Return whether the counts of an arm keep the bound."""
        return self.at_least <= counts[self.count] <= self.at_most


@dataclass(frozen=True)
class RatioRule:
    """A bound of one ratio: the mean count of the attempt divided by the mean count of the store's own code.

    An attempt that is equal to the store's own code has the ratio 1. The margin is the distance from there to the
    bound. The model answer clears it twice, that is, uses half of it: so much room is left for a busy machine.

    Args:
        count: name of a count that has a rule; more is worse.
        at_most: the highest right ratio; above :data:`EQUAL`.
        look: where to look if the ratio is higher.
        floor: divisor if the store's own code has less; a count of 0 has no ratio.
    """

    count: str
    at_most: float
    look: str
    floor: float = 1.0

    @property
    def margin(self) -> float:
        """Return how much more than the store's own code a right answer may have, as a share of it."""
        return self.at_most - EQUAL

    def is_cleared_twice(self, ratio: float) -> bool:
        """Return whether a ratio leaves half of the margin free.

        Args:
            ratio: between attempt and store.
        """
        return 2 * (ratio - EQUAL) <= self.margin


@dataclass(frozen=True)
class LiveComparison:
    """How an attempt is compared with the store's own code on the running store.

    Args:
        did: the load of one arm as the begin of a sentence, such as "requests for 40 products".
        measure: measures one arm.
        rate: requests or checkouts a second, the same in each arm.
        counts: the bounds; the first one that the attempt does not keep is the failure.
        ratio: judged when every bound is kept.
        experiment: name of the lab's experiment that measures the pattern in full; empty if there is none.
        switches: values of other switches during the comparison.
        parameters: values of store parameters during the comparison.
        faults: names of the faults that ``measure`` sets; they are cleared after each arm.
        own_products: slugs of the products that it uses; they are sold during the comparison only.
        failures: whether failed requests are part of the load. If not, one failed request fails the attempt.
        in_worker: whether the worker runs what is compared.
    """

    did: str
    measure: MeasureArm
    rate: float
    counts: tuple[CountRule, ...]
    ratio: RatioRule
    experiment: str = ""
    switches: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    own_products: tuple[str, ...] = ()
    failures: bool = False
    in_worker: bool = False

    def rule_of(self, count: str) -> CountRule:
        """Return the rule of a count."""
        return next(rule for rule in self.counts if rule.count == count)


def load_comparison(task: LiveTask) -> LiveComparison:
    """Return the comparison of an exercise.

    Args:
        task: names it.
    """
    comparison: LiveComparison = import_module(f"{__name__}.{task.comparison}").COMPARISON
    return comparison


def own_products(name: str, count: int) -> tuple[str, ...]:
    """Return slugs for the products of one exercise.

    Args:
        name: of the exercise.
        count: of the products.
    """
    return tuple(f"exercise-{name}-{number:02d}" for number in range(1, count + 1))
