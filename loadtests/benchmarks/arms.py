"""Measures both sides of a benchmark in turn and prints them together.

The sides are measured in turn, since the speed of a machine changes over a minute; they are printed with their spread,
since one round proves nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from shop.lab.statistics import FigureSpread

Measure = Callable[[], float]


def interleaved(arms: Mapping[str, Measure], rounds: int = 5) -> dict[str, list[float]]:
    """Measure every arm once in each round, in alternating order; return each arm's figures by round."""
    figures: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds):
        order = list(arms) if number % 2 == 0 else list(arms)[::-1]
        for name in order:
            figures[name].append(arms[name]())
    return figures


def show(title: str, unit: str, figures: Mapping[str, Sequence[float]]) -> float:
    """Print both sides with their spread, and the ratio of the first to the second over the rounds.

    Returns:
        The median ratio.
    """
    print(title)
    for name, rounds in figures.items():
        spread = _spread(rounds)
        print(f"  {name:<34} {spread.median:>10,.1f} {unit}   ({spread.low:,.1f} to {spread.high:,.1f})")
    (first, over), (second, under) = list(figures.items())[:2]
    ratio = _spread([a / b for a, b in zip(over, under, strict=True)])
    print(f"  {f'{first} / {second}':<34} {ratio.median:>10.2f}     ({ratio.low:.2f} to {ratio.high:.2f})")
    return ratio.median


def _spread(figures: Sequence[float]) -> FigureSpread:
    spread = FigureSpread.of(figures)
    if spread is None:
        raise ValueError("nothing was measured")
    return spread
