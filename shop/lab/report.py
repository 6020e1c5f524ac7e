"""Renders a result: as one self-contained HTML file, and as one SVG picture."""

from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from shop.lab import charts
from shop.lab.anomalies import describe_anomalies
from shop.lab.charts import ChartBar
from shop.lab.figures import ANSWER_SOURCES, FIGURES
from shop.lab.headline import headline_figure, headline_sentence
from shop.lab.next_steps import next_steps
from shop.lab.result import Result, read_result
from shop.lab.unprotected_store import UNPROTECTED

PER_VISIT = ("calls_per_visit", "db_queries_per_visit")
"""These figures repeat others if each visit is one request."""


def write_report(home: Path) -> Path:
    """Write the report of the result in a folder into the same folder, and return its path."""
    path = home / "report.html"
    path.write_text(render_report(read_result(home)), encoding="utf-8")
    return path


def value_of(arm: dict[str, Any], name: str) -> float | None:
    """Return the median of a figure of an arm in a result, from the section that holds it."""
    layer = name.removeprefix("hit_rate_")
    value = arm["hit_rate"][layer] if layer in arm["hit_rate"] else arm.get(name, arm["measures"].get(name))
    return None if value is None else float(value)


def figure_rows(result: Result) -> list[tuple[str, list[str]]]:
    """Return the table that the terminal and the report show: a label, and one cell for each arm."""
    rows = []
    one_request = all(value_of(arm, "calls_per_visit") in (None, 1.0) for arm in result["arms"])
    for name, (label, unit) in shown_figures(result).items():
        if one_request and name in PER_VISIT:
            continue
        cells = [figure_cell(arm, name, unit) for arm in result["arms"]]
        if any(cells):
            rows.append((label, cells))
    return rows


def shown_figures(result: Result) -> dict[str, tuple[str, str]]:
    """Return label and unit of each figure that a report shows, by its name; the driver's measures come first."""
    measures = {name: (label, unit) for name, (label, unit) in result.get("words", {}).items()}
    return measures | {figure.name: (figure.label, figure.unit) for figure in FIGURES.values() if figure.label}


def figure_cell(arm: dict[str, Any], name: str, unit: str) -> str:
    """Return the median of a figure, with its lowest and its highest run; blank if it was not measured."""
    median = value_of(arm, name)
    if median is None:
        return ""
    bounds, write = arm["spread"][name], "{:.1%}".format if unit == "%" else charts.format_number
    spread = f" ({write(bounds['min'])} to {write(bounds['max'])})" if bounds["min"] < bounds["max"] else ""
    return f"{write(median)}{f' {unit}' if unit in ('ms', 's') else ''}{spread}"


def draw_picture(result: Result) -> str:
    """Draw the before-and-after comparison of a result as one SVG file."""
    machine = result["machine"]
    notes = (
        f"Median of {result['runs']} with the lowest and highest; store, servers and load on the same "
        f"{machine['cpus']} cores.",
        f"bin/shop lab run {result['experiment']}, {result['started_at'][:10]}",
    )
    chosen = [  # the first two charts that the experiment lists
        (chart["title"], "", chart["unit"], bars)
        for chart in result.get("charts", ())[:2]
        if (bars := _bars(result, chart["figure"], chart["unit"]))
    ]
    panels = chosen or [
        ("Median wait", _change(result, "p50_ms", less="quicker"), "ms", _bars(result, "p50_ms")),
        ("Most visits a second", _change(result, "most_rps", more="as many"), "/s", _bars(result, "most_rps")),
    ]
    return charts.summary_picture(
        result["title"] if len(result["arms"]) > 2 else f"{result['title']}: off, then on", panels, notes
    )


def render_report(result: Result) -> str:
    """Render a result as a self-contained HTML page."""
    arms = result["arms"]
    lines = [(arm["title"], arm["distribution_ms"]) for arm in arms if arm["distribution_ms"]]
    curves = [(arm["title"], arm.get("curve") or []) for arm in arms]
    # The charts escape their texts; the template marks the charts as safe.
    template = Environment(loader=PackageLoader("shop.lab"), autoescape=True).get_template("report.html")
    return template.render(
        result=result,
        rows=figure_rows(result),
        differences=[(arm["title"], _differences(arm, arms)) for arm in arms],
        protection=_protection(arms),
        charts=[
            (chart["title"], chart["says"], charts.bar_chart(bars, chart["unit"]))
            for chart in result.get("charts", ())
            if (bars := _bars(result, chart["figure"], chart["unit"]))
        ],
        curve=charts.responsive(partial(charts.curve_chart, curves)) if all(points for _, points in curves) else "",
        wait=_bar_chart(result, "p50_ms"),
        most=_bar_chart(result, "most_rps"),
        sentence=headline_sentence(result),
        figure=headline_figure(result),
        steps=next_steps(result),
        percentiles=charts.responsive(partial(charts.percentile_chart, lines)) if lines else "",
        anomalies=[text for arm in arms for text in describe_anomalies(arm["title"], arm.get("troubles") or {})],
        answered=charts.responsive(partial(charts.layer_chart, [(arm["title"], layer_shares(arm)) for arm in arms])),
        light=charts.LIGHT,
        dark=charts.DARK,
        chart_style=charts.STYLE,
        font=charts.FONT,
    )


def layer_shares(arm: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the share of an arm's requests that each layer answered, outermost first."""
    counted = {source: arm.get("measures", {}).get(f"share_{source}") for source in ANSWER_SOURCES}
    if any(counted.values()):
        return [("store" if source == "origin" else source, share) for source, share in counted.items() if share]
    # A result without counted shares has hit rates only. Each layer gets the requests that the outer layers missed.
    missed, shares = 1.0, []
    for layer in ("edge", "local", "shared"):
        if rate := arm["hit_rate"].get(layer):
            shares.append((layer, missed * rate))
            missed *= 1 - rate
    return [*shares, ("store", missed)]


def _bars(result: Result, name: str, unit: str = "") -> list[ChartBar]:
    scale = 100 if unit == "%" else 1  # figures are shares of one
    return [
        ChartBar(arm["title"], scale * median, scale * arm["spread"][name]["min"], scale * arm["spread"][name]["max"])
        for arm in result["arms"]
        if (median := value_of(arm, name)) is not None
    ]


def _bar_chart(result: Result, name: str) -> str:
    """Return a chart of a figure; empty if it was not measured, or the experiment lists a chart of it."""
    listed = {chart["figure"] for chart in result.get("charts", ())}
    bars = [] if name in listed else _bars(result, name)
    return charts.bar_chart(bars, "ms" if name.endswith("_ms") else "/s") if bars else ""


def _change(result: Result, name: str, less: str = "", more: str = "") -> str:
    first = result["arms"][0]
    second = [arm for arm in result["arms"] if arm.get("exponent") == first.get("exponent")][-1]  # the same demand
    before, after = value_of(first, name), value_of(second, name)
    if not before or not after:
        return ""
    over, under = (first, second) if less else (second, first)
    # The median of the ratios of the runs, as in the verdict; it differs from the ratio of the two medians.
    ratio = result["ratios"].get(f"{name.removesuffix('_ms')}_{over['name']}_over_{under['name']}")
    factor = ratio or (before / after if less else after / before)
    return f"{charts.format_number(factor)}× {less or more}" if factor >= 1 else f"÷ {charts.format_number(1 / factor)}"


def _differences(arm: dict[str, Any], arms: list[dict[str, Any]]) -> str:
    others = [other["switches"] for other in arms if other is not arm]
    settings = [
        f"{name}={value}"
        for name, value in arm["switches"].items()
        if any(other.get(name) != value for other in others)
    ]
    settings += [f"fault {name}={value}" for name, value in arm["faults"].items()]
    if len({other.get("exponent") for other in arms}) > 1:
        settings += [f"exponent {arm['exponent']:g}"]
    actions = arm.get("actions", ())
    settings += [f"fault {action['fault']}={action['value']} after {action['at_s']:g} s" for action in actions]
    return ", ".join(settings) or "the same"


def _protection(arms: list[dict[str, Any]]) -> str:
    """Return whether the store protected itself, alike in all arms; empty if the arms differ in it."""
    values = [[arm["switches"].get(name) for arm in arms] for name in UNPROTECTED]
    alike = [f"{name}={of[0]}" for name, of in zip(UNPROTECTED, values, strict=True) if of[0] and len({*of}) == 1]
    return ", ".join(alike)
