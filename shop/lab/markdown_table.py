"""Writes stored results as Markdown tables for the docs, so that no measured figure is typed by hand."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shop.lab.arrivals import SHOPPERS_EXPONENT
from shop.lab.charts import format_number
from shop.lab.machine import machine_words
from shop.lab.report import figure_cell, figure_rows, layer_shares, shown_figures, value_of
from shop.lab.result import Result

CLASSIC = "classic"
"""The arm with the exponent of the textbooks, in each experiment whose figures depend on it."""
EFFECT_FIGURES = 3
"""On a pattern's page: a reader remembers three."""
MEASUREMENTS_HEADER = """# Measurements

All figures of the runs that are stored in `docs/figures`: the median of the runs, with the lowest and the highest. A
pattern's page shows three of them. The hypothesis of each run is in [Experiments](experiments.md), the method in
[Measuring](../explanation/measuring.md). `bin/shop reference` writes this page.
"""
DEMAND: Sequence[tuple[str, str, str]] = (
    ("hit_rate_least", "hit rate with the least memory", "%"),
    ("hit_rate_most", "hit rate with the most memory", "%"),
    ("cached", "answered by a cache", "%"),
    ("share_local", "answered by local memory", "%"),
    ("db_queries_per_request", "queries a request", ""),
    ("p50_ms", "median wait", " ms"),
    ("most_rps", "most visits a second", ""),
)
"""Name, label and unit of the figures that depend on how steep demand is."""


def result_table(result: Result) -> str:
    """Return a result as a table, with its ratios and the origin of the figures.

    Args:
        result: a document as ``bin/shop lab run`` writes it.
    """
    titles = " | ".join(arm["title"] for arm in result["arms"])
    lines = [f"| | {titles} |", "|---" * (len(result["arms"]) + 1) + "|"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in figure_rows(result)]
    ratios = []
    for name, median in result["ratios"].items():
        bounds = result["spread"].get(name)
        spread = f" ({bounds['min']:.2f} to {bounds['max']:.2f})" if bounds else ""
        ratios.append(f"`{name}` " + ("not measured" if median is None else f"{median:.2f}{spread}"))
    return "\n".join([*lines, "", f"{'; '.join(ratios)}.", "", _origin(result)])


def effect_table(result: Result, choice: str) -> str:
    """Return three figures of a result as a table, with their origin and a link to all figures.

    Args:
        result: a document as ``bin/shop lab run`` writes it.
        choice: the names of the figures, then perhaps ``of`` and the names of the arms; otherwise all arms are shown.

    Raises:
        ValueError: there are not three figures, or the result has no such figure or arm.
    """
    figures, _, chosen = (part.split() for part in f"{choice} ".partition(" of "))
    shown, every = shown_figures(result), result["arms"]
    measured = [name for name in shown if any(value_of(arm, name) is not None for arm in every)]
    names = [arm["name"] for arm in every]
    if len(figures) != EFFECT_FIGURES or not set(figures) <= set(measured) or not set(chosen) <= set(names):
        raise ValueError(f"name {EFFECT_FIGURES} of the figures {', '.join(measured)}; of the arms {', '.join(names)}")
    arms = [arm for arm in every if arm["name"] in chosen or not chosen]
    rows = [(shown[name][0], [figure_cell(arm, name, shown[name][1]) for arm in arms]) for name in figures]
    lines = [f"| | {' | '.join(arm['title'] for arm in arms)} |", "|---" * (len(arms) + 1) + "|"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in rows]
    link = f"[All figures of this run](../reference/measurements.md#{result['experiment']})."
    return "\n".join([*lines, "", f"{_origin(result)} {link}"])


def measurements_page(runs: Mapping[str, Result]) -> str:
    """Return the page with all figures of all stored runs, as Markdown.

    Args:
        runs: by experiment.
    """
    sections = [f"\n## {name}\n\n{run['title']}.\n\n{result_table(run)}\n" for name, run in sorted(runs.items())]
    return MEASUREMENTS_HEADER + "".join(sections)


def _origin(result: Result) -> str:
    return (
        f"Verdict: {result['verdict']}. `bin/shop lab run {result['experiment']}`, {result['started_at'][:10]}, median "
        f"of {result['runs']} runs with the lowest and the highest; store, servers and load shared "
        f"{machine_words(result)}."
    )


def demand_table(runs: Mapping[str, Result]) -> str:
    """Return the effect of steeper demand on each figure, as a table over all stored runs.

    Args:
        runs: by experiment; runs without an arm of classic demand are left out.
    """
    rows = []
    for experiment, run in runs.items():
        if not (arms := _arms_of_both_demands(run["arms"])):
            continue
        for name, label, unit in DEMAND:
            values = [
                1 - dict(layer_shares(arm)).get("store", 0.0) if name == "cached" else value_of(arm, name)
                for arm in arms
            ]
            if any(values):
                cells = " | ".join(_cell(value, unit) for value in values)
                rows.append(f"| `{experiment}`, {arms[0]['title']} | {label} | {cells} |")
    if not rows:
        return "No stored run has both demands."
    head = f"| experiment, arm | figure | exponent {SHOPPERS_EXPONENT:g} | exponent 1 |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def _arms_of_both_demands(arms: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the arm with real demand and the classic arm, which differs from it in the exponent only."""
    by_name = {arm["name"]: arm for arm in arms}
    classic = by_name.get(CLASSIC)
    alike = [arm for arm in by_name.values() if classic and arm["switches"] == classic["switches"]]
    usual = next((arm for arm in alike if arm.get("exponent") == SHOPPERS_EXPONENT), None)
    return (usual, classic) if usual and classic else None


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if unit == "%" else f"{format_number(value)}{unit}"
