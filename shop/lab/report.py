"""The report of a result: one HTML file that needs nothing else, and the one picture of it."""

from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from shop.lab import charts
from shop.lab.anomalies import describe_anomalies
from shop.lab.charts import ChartBar
from shop.lab.figures import ANSWER_SOURCES, FIGURES
from shop.lab.result import Result, read_result

PER_VISIT = ("calls_per_visit", "db_queries_per_visit")
"""Say nothing new where a visit is one request."""


def write_report(home: Path) -> Path:
    """Render the report of the result in a folder, beside it, and return its path."""
    path = home / "report.html"
    path.write_text(render_report(read_result(home)), encoding="utf-8")
    return path


def value_of(arm: dict[str, Any], name: str) -> float | None:
    """Return the median of a figure of an arm in a result, wherever the contract puts it."""
    layer = name.removeprefix("hit_rate_")
    found = arm["hit_rate"][layer] if layer in arm["hit_rate"] else arm.get(name, arm["measures"].get(name))
    return None if found is None else float(found)


def figure_rows(result: Result) -> list[tuple[str, list[str]]]:
    """Return the table both the terminal and the report show: words, and one cell an arm."""
    table = []
    alone = all(value_of(arm, "calls_per_visit") in (None, 1.0) for arm in result["arms"])
    told = [(name, words, unit) for name, (words, unit) in result.get("words", {}).items()]
    for name, words, unit in (*told, *((each.name, each.label, each.unit) for each in FIGURES.values() if each.label)):
        if alone and name in PER_VISIT:
            continue
        cells = [figure_cell(arm, name, unit) for arm in result["arms"]]
        if any(text != "–" for text in cells):
            table.append((words, cells))
    return table


def figure_cell(arm: dict[str, Any], name: str, unit: str) -> str:
    """Write a figure with the lowest and highest run beside it."""
    middle = value_of(arm, name)
    if middle is None:
        return "–"
    bounds, write = arm["spread"][name], _percent if unit == "%" else charts.format_number
    spread = f" ({write(bounds['min'])} to {write(bounds['max'])})" if bounds["min"] < bounds["max"] else ""
    return f"{write(middle)}{f' {unit}' if unit in ('ms', 's') else ''}{spread}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def draw_picture(result: Result) -> str:
    """Draw the before-and-after of a result as an SVG that stands alone."""
    machine = result["machine"]
    note = (
        f"Median of {result['runs']} with the lowest and highest; store, servers and load on the same "
        f"{machine['cpus']} cores. shop lab run {result['experiment']}, {result['started_at'][:10]}."
    )
    panels = _panels(result) or [
        ("Median wait", _change(result, "p50_ms", less="quicker"), "ms", _bars(result, "p50_ms")),
        ("Most visits a second", _change(result, "most_rps", more="as many"), "/s", _bars(result, "most_rps")),
    ]
    return charts.summary_picture(
        result["title"] if len(result["arms"]) > 2 else f"{result['title']}: off, then on", panels, note
    )


def render_report(result: Result) -> str:
    """Render a result as a page that needs nothing from elsewhere."""
    arms = result["arms"]
    lines = [(arm["title"], arm["distribution_ms"]) for arm in arms if arm["distribution_ms"]]
    curves = [(arm["title"], arm.get("curve") or []) for arm in arms]
    # The charts escape what they draw; the template marks them as safe.
    template = Environment(loader=PackageLoader("shop.lab"), autoescape=True).get_template("report.html")
    return template.render(
        result=result,
        rows=figure_rows(result),
        flipped=[(arm["title"], _flipped(arm, arms)) for arm in arms],
        charts=[
            (chart["title"], chart["says"], charts.bar_chart(found, chart["unit"]))
            for chart in result.get("charts", ())
            if (found := _bars(result, chart["figure"], chart["unit"]))
        ],
        curve=charts.responsive(partial(charts.curve_chart, curves)) if all(points for _, points in curves) else "",
        wait=_bar_chart(result, "p50_ms"),
        most=_bar_chart(result, "most_rps"),
        percentiles=charts.responsive(partial(charts.percentile_chart, lines)) if lines else "",
        troubles=[words for arm in arms for words in describe_anomalies(arm["title"], arm.get("troubles") or {})],
        answered=charts.responsive(partial(charts.layer_chart, [(arm["title"], layer_shares(arm)) for arm in arms])),
        light=charts.LIGHT,
        dark=charts.DARK,
        chart_style=charts.STYLE,
        font=charts.FONT,
    )


def layer_shares(arm: dict[str, Any]) -> list[tuple[str, float]]:
    """Return where an arm's requests were answered, outermost first; each layer sees what the one before let pass."""
    shares = {who: arm.get("measures", {}).get(f"share_{who}") for who in (*ANSWER_SOURCES[:-1], "origin")}
    if any(shares.values()):  # counted one by one; results from before that have only rates
        return [("store" if who == "origin" else who, share) for who, share in shares.items() if share]
    left, found = 1.0, []
    for layer in ("edge", "local", "shared"):
        if rate := arm["hit_rate"].get(layer):
            found.append((layer, left * rate))
            left *= 1 - rate
    return [*found, ("store", left)]


def _bars(result: Result, name: str, unit: str = "") -> list[ChartBar]:
    scale = 100 if unit == "%" else 1  # figures are shares of one
    return [
        ChartBar(arm["title"], scale * middle, scale * arm["spread"][name]["min"], scale * arm["spread"][name]["max"])
        for arm in result["arms"]
        if (middle := value_of(arm, name)) is not None
    ]


def _bar_chart(result: Result, name: str) -> str:
    found = _bars(result, name)
    return charts.bar_chart(found, "ms" if name.endswith("_ms") else "/s") if found else ""


def _change(result: Result, name: str, less: str = "", more: str = "") -> str:
    first = result["arms"][0]
    second = [arm for arm in result["arms"] if arm.get("exponent") == first.get("exponent")][-1]  # the same demand
    before, after = value_of(first, name), value_of(second, name)
    if not before or not after:
        return ""
    over, under = (first, second) if less else (second, first)
    # The median of the runs' own ratios, as the verdict has it; it is not the ratio of the two medians.
    stated = result["ratios"].get(f"{name.removesuffix('_ms')}_{over['name']}_over_{under['name']}")
    factor = stated or (before / after if less else after / before)
    return f"{charts.format_number(factor)}× {less or more}" if factor >= 1 else f"÷ {charts.format_number(1 / factor)}"


def _panels(result: Result) -> list[tuple[str, str, str, list[ChartBar]]]:
    """Return what an experiment says should be drawn, the first two of it."""
    return [
        (chart["title"], "", chart["unit"], found)
        for chart in result.get("charts", ())[:2]
        if (found := _bars(result, chart["figure"], chart["unit"]))
    ]


def _flipped(arm: dict[str, Any], arms: list[dict[str, Any]]) -> str:
    others = [other["switches"] for other in arms if other is not arm]
    apart = {k: v for k, v in arm["switches"].items() if any(other.get(k) != v for other in others)}
    stands = [f"{name}={value}" for name, value in apart.items()]
    stands += [f"fault {name}={value}" for name, value in arm["faults"].items()]
    if len({other.get("exponent") for other in arms}) > 1:
        stands += [f"exponent {arm['exponent']:g}"]
    acts = arm.get("actions", ())
    stands += [f"fault {one['fault']}={one['value']} after {one['at_s']:g} s" for one in acts]
    return ", ".join(stands) or "the same"
