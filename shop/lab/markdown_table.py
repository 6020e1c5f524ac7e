"""What a stored run says, as Markdown: the measured effect in the docs is written from it, never typed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shop.lab.arrivals import SHOPPERS_EXPONENT
from shop.lab.charts import format_number
from shop.lab.report import figure_rows, layer_shares, value_of
from shop.lab.result import Result

CLASSIC = "classic"
"""The arm with the exponent of the textbooks, in every experiment for which it makes a difference."""
DEMAND: Sequence[tuple[str, str, str]] = (
    ("hit_rate_least", "hit rate with the least memory", "%"),
    ("hit_rate_most", "hit rate with the most memory", "%"),
    ("cached", "answered by a cache", "%"),
    ("share_local", "answered by local memory", "%"),
    ("db_queries_per_request", "queries a request", ""),
    ("p50_ms", "median wait", " ms"),
    ("most_rps", "most visits a second", ""),
)
"""Name, words and unit of what depends on how steep demand is."""


def result_table(result: Result) -> str:
    """Return a result as a table, its ratios and where the figures come from.

    Args:
        result: a document as ``shop lab run`` writes it.
    """
    titles = " | ".join(arm["title"] for arm in result["arms"])
    lines = [f"| | {titles} |", "|---" * (len(result["arms"]) + 1) + "|"]
    lines += [f"| {words} | {' | '.join(cells)} |" for words, cells in figure_rows(result)]
    return "\n".join([*lines, "", _ratios(result), "", _origin(result)])


def demand_table(runs: Mapping[str, Result]) -> str:
    """Return what steeper demand does to each figure it touches, as a table over all stored runs.

    Args:
        runs: by experiment; those without an arm of classic demand are left out.
    """
    pairs = [(name, pair) for name, run in runs.items() if (pair := _two_demands(run["arms"]))]
    if not pairs:
        return "No stored run has both demands."
    head = f"| experiment, arm | figure | exponent {SHOPPERS_EXPONENT:g} | exponent 1 |\n|---|---|---|---|"
    return "\n".join([head, *(line for name, (usual, steep) in pairs for line in _demand_rows(name, usual, steep))])


def _two_demands(arms: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the arm with shoppers' demand and the one that differs from it in nothing but that."""
    named = {arm["name"]: arm for arm in arms}
    steep = named.get(CLASSIC)
    alike = [arm for arm in named.values() if steep and arm["switches"] == steep["switches"]]
    usual = next((arm for arm in alike if arm.get("exponent") == SHOPPERS_EXPONENT), None)
    return (usual, steep) if usual and steep else None


def _demand_rows(experiment: str, usual: dict[str, Any], steep: dict[str, Any]) -> list[str]:
    found = []
    for name, words, unit in DEMAND:
        values = [_cached(arm) if name == "cached" else value_of(arm, name) for arm in (usual, steep)]
        if any(values):
            cells = " | ".join(_cell(value, unit) for value in values)
            found.append(f"| `{experiment}`, {usual['title']} | {words} | {cells} |")
    return found


def _cached(arm: dict[str, Any]) -> float:
    return 1 - dict(layer_shares(arm)).get("store", 0.0)


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if unit == "%" else f"{format_number(value)}{unit}"


def _ratios(result: Result) -> str:
    return "; ".join(f"`{name}` {_with_spread(result, name)}" for name in result["ratios"]) + "."


def _with_spread(result: Result, name: str) -> str:
    middle, bounds = result["ratios"][name], result["spread"].get(name)
    if middle is None:
        return "not measured"
    return f"{middle:.2f}" + (f" ({bounds['min']:.2f} to {bounds['max']:.2f})" if bounds else "")


def _origin(result: Result) -> str:
    machine = result["machine"]
    return (
        f"Verdict: {result['verdict']}. `shop lab run {result['experiment']}`, {result['started_at'][:10]}, median of "
        f"{result['runs']} runs with the lowest and the highest; store, servers and load shared {machine['cpus']} "
        f"cores ({machine['architecture']}, {machine['system'].split()[0]}, Python {machine['python']})."
    )
