"""Both sides of a benchmark, measured in turn and printed together.

Measured in turn, because a machine is not the same machine a minute later; printed with their spread, because one
figure of one round proves nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from shop.lab.load import LoadPhase, LoadSamples, ShopperVisit, run_phase
from shop.lab.statistics import FigureSpread

Measure = Callable[[], float]


def interleaved(arms: Mapping[str, Measure], rounds: int = 5) -> dict[str, list[float]]:
    """Measure every arm once a round, in alternating order; return each arm's figures by round."""
    found: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds):
        order = list(arms) if number % 2 == 0 else list(reversed(arms))
        for name in order:
            found[name].append(arms[name]())
    return found


def show(title: str, unit: str, found: Mapping[str, Sequence[float]]) -> float:
    """Print both sides with their spread, and the ratio of the first to the second, round by round.

    Returns:
        The median ratio.
    """
    print(title)
    for name, figures in found.items():
        spread = _spread(figures)
        print(f"  {name:<34} {spread.median:>10,.1f} {unit}   ({spread.low:,.1f} to {spread.high:,.1f})")
    (first, over), (second, under) = list(found.items())[:2]
    ratio = _spread([a / b for a, b in zip(over, under, strict=True)])
    print(f"  {f'{first} / {second}':<34} {ratio.median:>10.2f}     ({ratio.low:.2f} to {ratio.high:.2f})")
    return ratio.median


def drive(base_url: str, path: str, *, seconds: float = 3.0, clients: int = 16) -> LoadSamples:
    """Drive one path as fast as it goes, from a process of its own.

    Raises:
        RuntimeError: requests failed, or the generator was the bottleneck; either way there is no figure.
    """
    visits = (ShopperVisit(name=path, paths=(path,)),)
    plan = LoadPhase(base_url=base_url, mode="closed", duration_s=seconds, concurrency=clients, visits=visits)
    seen = run_phase(plan)
    if not all(seen.succeeded):
        raise RuntimeError(f"{base_url}{path}: {seen.errors}")
    if seen.saturation:
        raise RuntimeError(f"the generator was the bottleneck: {seen.saturation}")
    return seen


def requests_per_second(base_url: str, path: str, *, seconds: float = 3.0, clients: int = 16) -> float:
    """Return how many requests a second a path carries.

    Raises:
        RuntimeError: as :func:`drive`.
    """
    seen = drive(base_url, path, seconds=seconds, clients=clients)
    return len(seen.succeeded) / seen.seconds


def _spread(figures: Sequence[float]) -> FigureSpread:
    spread = FigureSpread.of(figures)
    if spread is None:
        raise ValueError("nothing was measured")
    return spread
