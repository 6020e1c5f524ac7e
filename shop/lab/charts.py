"""Charts as SVG text: small, sharp, and readable in light and dark themes, since the colours are CSS variables."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

LIGHT = (
    "--ink:#1c2430;--soft:#5b6675;--rule:#d9dee6;--card:#ffffff;--page:#f5f6f8;--without:#c2571a;--with:#0b7a75;"
    "--third:#6a4fb3;--fourth:#8a6d00;--fifth:#2f6fb5;--sixth:#a83a6c"
)
DARK = (
    "--ink:#e8ebf0;--soft:#9aa5b5;--rule:#343d4a;--card:#1a2029;--page:#11151b;--without:#f0965a;--with:#4cc9bf;"
    "--third:#b39df0;--fourth:#d8b63f;--fifth:#7db4ee;--sixth:#ee8ab5"
)
"""Orange and teal differ for every kind of colour vision, in both themes; labels distinguish the other arms."""
COLOURS = tuple(
    f"var(--{name})" for name in ("without", "with", "third", "fourth", "fifth", "sixth", "without", "with")
)
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
DESK, PHONE = 860, 340
"""Width of a wide chart, in pixels."""
ROW = 18
"""Height of a label with its space, in pixels."""
LATENCY = "Latency by percentile, logarithmic"
SHARE = "Share answered, by size"
LAYER_FADES = {"browser": 1.0, "edge": 0.9, "local": 0.8, "shared": 0.6, "store": 0.22}
LAYER_NAMES = {
    "browser": "browser",
    "edge": "edge",
    "local": "local memory",
    "shared": "Valkey",
    "store": "computed",
}


@dataclass(frozen=True)
class ChartBar:
    """One bar: its label, its value, and the lowest and the highest run."""

    label: str
    value: float
    low: float
    high: float


def format_number(value: float) -> str:
    """Return a figure with two or three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _duration(ms: float) -> str:
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def bar_chart(rows: Sequence[ChartBar], unit: str, width: int = 420) -> str:
    """Draw one bar for each arm, the arm without the pattern first; a whisker marks the lowest and the highest run."""
    span = width - 110
    top = max((row.high for row in rows), default=0.0) or 1.0
    parts = []
    for index, row in enumerate(rows):
        y, length = 8 + index * 56, max(2.0, row.value / top * span)
        low, high = row.low / top * span, row.high / top * span
        whisker = f"M{low:.1f} {y + 26}H{high:.1f}M{low:.1f} {y + 21}v10M{high:.1f} {y + 21}v10"
        parts.append(
            f'<text x="0" y="{y + 8}" class="soft">{escape(row.label)}</text>'
            f'<rect x="0" y="{y + 15}" width="{length:.1f}" height="22" rx="3" fill="{COLOURS[index]}"/>'
            + (f'<path d="{whisker}" class="whisker"/>' if high > low else "")
            + f'<text x="{max(length, high) + 9:.1f}" y="{y + 31}" class="figure">{format_number(row.value)} {unit}'
            "</text>"
        )
    return _svg(
        width, 8 + len(rows) * 56, parts, f"{unit}: " + ", ".join(f"{r.label} {format_number(r.value)}" for r in rows)
    )


def responsive(draw: Callable[[int], str]) -> str:
    """Draw a wide chart twice, for a wide and for a narrow screen; the page shows the one that fits.

    On a narrow screen, the letters of the wide chart would be too small, and scrolling would hide its labels.

    Args:
        draw: draws the chart in a given width, in pixels.
    """
    return f'<div class="at-a-desk">{draw(DESK)}</div><div class="on-a-phone">{draw(PHONE)}</div>'


def percentile_chart(
    arms: Sequence[tuple[str, Sequence[tuple[float, float]]]], width: int = DESK, height: int = 320
) -> str:
    """Draw each arm's latency by percentile, with both axes logarithmic to show the tail.

    Args:
        arms: label and (percent, milliseconds) pairs, rising.
        width: pixels.
        height: pixels.
    """
    values = [ms for _, points in arms for _, ms in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 0.02)
    left, right, top, bottom = 62, width - (_longest(arms) if width >= DESK else 16), 12, height - 46

    def x(percent: float) -> float:
        return left + math.log10(100 / (100 - percent)) / 3 * (right - left)

    def y(ms: float) -> float:
        return bottom - (math.log10(ms) - low) / (high - low) * (bottom - top)

    parts = []
    for decade in range(low, high + 1):
        at = y(10.0**decade)
        parts.append(f'<path d="M{left} {at:.1f}H{right}" class="rule"/>')
        parts.append(
            f'<text x="{left - 8}" y="{at + 4:.1f}" class="soft" text-anchor="end">{_duration(10.0**decade)}</text>'
        )
    for percent in (50, 75, 90, 95, 99, 99.9) if width >= DESK else (50, 90, 99, 99.9):
        at = x(percent)
        parts.append(f'<path d="M{at:.1f} {top}V{bottom}" class="rule"/>')
        anchor = "end" if percent > 99 else "middle"
        parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" class="soft" text-anchor="{anchor}">p{percent:g}</text>')
    parts.append(
        f'<text x="{right}" y="{bottom + 38}" class="soft" text-anchor="end">share of visits answered within</text>'
    )
    for index, (_, points) in enumerate(arms):
        line = "L".join(f"{x(percent):.1f} {y(ms):.1f}" for percent, ms in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{COLOURS[index]}" stroke-width="2.5"/>')
    ends = [(label, y(points[-1][1]) + 4) for label, points in arms]
    if width >= DESK:
        return _svg(width, height, [*parts, *_names(ends, right + 9, bottom)], LATENCY)
    return _svg(width, height + len(arms) * ROW, [*parts, *_legend(ends, left, height)], LATENCY)


def curve_chart(
    arms: Sequence[tuple[str, Sequence[tuple[float, float, float, float]]]], width: int = DESK, height: int = 320
) -> str:
    """Draw each arm's share by size, with a logarithmic size axis.

    Args:
        arms: label and points: size, share, and the lowest and highest share of the runs; sizes rise.
        width: pixels.
        height: pixels.
    """
    places = sorted({at for _, points in arms for at, *_ in points})
    left, right, top, bottom = 62, width - (_longest(arms) if width >= DESK else 26), 12, height - 30
    span = math.log2(places[-1] / places[0]) or 1.0

    def x(at: float) -> float:
        return left + math.log2(at / places[0]) / span * (right - left)

    def y(share: float) -> float:
        return bottom - share * (bottom - top)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<path d="M{left} {y(share):.1f}H{right}" class="rule"/>')
        parts.append(f'<text x="{left - 8}" y="{y(share) + 4:.1f}" class="soft" text-anchor="end">{share:.0%}</text>')
    parts += [
        f'<text x="{x(at):.1f}" y="{bottom + 20}" class="soft" text-anchor="middle">{at:g} MB</text>' for at in places
    ]
    for index, (_, points) in enumerate(arms):
        line = "L".join(f"{x(at):.1f} {y(share):.1f}" for at, share, *_ in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{COLOURS[index]}" stroke-width="2.5"/>')
        parts += [
            f'<path d="M{x(at):.1f} {y(low):.1f}V{y(high):.1f}" class="whisker"/>'
            for at, _, low, high in points
            if high > low
        ]
    ends = [(label, y(points[-1][1]) + 4) for label, points in arms]
    if width >= DESK:
        return _svg(width, height, [*parts, *_names(ends, right + 9, bottom)], SHARE)
    return _svg(width, height + len(arms) * ROW, [*parts, *_legend(ends, left, height)], SHARE)


def _longest(arms: Sequence[tuple[str, Sequence[object]]]) -> int:
    """Return the width of the longest label beside the lines, in pixels."""
    return 18 + 9 * max(len(label) for label, _ in arms)


def _names(ends: Sequence[tuple[str, float]], x: float, bottom: float) -> list[str]:
    """Draw each line's label at the end of the line, without overlaps."""
    by_height = sorted(range(len(ends)), key=lambda index: ends[index][1])
    heights: dict[int, float] = {}
    above = -math.inf
    for index in by_height:
        above = heights[index] = max(ends[index][1], above + ROW - 2)
    up = max(0.0, above - bottom)
    return [
        f'<text x="{x}" y="{heights[index] - up:.1f}" class="figure" '
        f'style="fill:{COLOURS[index]}">{escape(label)}</text>'
        for index, (label, _) in enumerate(ends)
    ]


def _legend(ends: Sequence[tuple[str, float]], x: float, top: float) -> list[str]:
    """Draw the labels below a narrow chart, where they would hide the lines; the line that ends highest comes first."""
    by_height = sorted(range(len(ends)), key=lambda index: ends[index][1])
    return [
        f'<rect x="{x}" y="{top + row * ROW + 3}" width="12" height="12" rx="3" fill="{COLOURS[index]}"/>'
        f'<text x="{x + 20}" y="{top + row * ROW + 14}" class="figure">{escape(ends[index][0])}</text>'
        for row, index in enumerate(by_height)
    ]


def layer_chart(arms: Sequence[tuple[str, Sequence[tuple[str, float]]]], width: int = DESK) -> str:
    """Draw where requests were answered: one bar for each arm, one part for each layer.

    Args:
        arms: label and (layer, share) pairs; the shares of an arm add up to 1.
        width: pixels.
    """
    parts = []
    for index, (label, shares) in enumerate(arms):
        y, start = 8 + index * 56, 0.0
        parts.append(f'<text x="0" y="{y + 8}" class="soft">{escape(label)}</text>')
        for layer, share in shares:
            length = share * width
            colour = f'fill="{COLOURS[index]}" fill-opacity="{LAYER_FADES[layer]}"'
            parts.append(f'<rect x="{start:.1f}" y="{y + 15}" width="{length:.1f}" height="22" {colour}/>')
            words = f"{LAYER_NAMES[layer]} {share:.0%}"
            if length > 8 * len(words):
                parts.append(f'<text x="{start + 9:.1f}" y="{y + 31}" class="figure">{words}</text>')
            start += length
    return _svg(width, 8 + len(arms) * 56, parts, "Where requests were answered")


def summary_picture(
    title: str, panels: Sequence[tuple[str, str, str, Sequence[ChartBar]]], notes: Sequence[str]
) -> str:
    """Draw the before-and-after comparison as one self-contained picture, for a README.

    Args:
        title: the title of the picture.
        panels: for each panel its heading, the change in a word or two, the unit, and the bars.
        notes: the origin of the figures, line by line.
    """
    width, each = 920, 440
    height = 154 + 56 * max(len(rows) for _, _, _, rows in panels) + 20 * len(notes)
    parts = [f'<rect width="{width}" height="{height}" rx="12" fill="var(--card)" stroke="var(--rule)"/>']
    parts.append(f'<text x="32" y="44" class="title">{escape(title)}</text>')
    for index, (heading, change, unit, rows) in enumerate(panels):
        inner = bar_chart(rows, unit, each - 70)
        body = inner[inner.index(">") + 1 : inner.rindex("</svg>")]
        at = 32 + index * each
        parts.append(
            f'<text x="{at}" y="84" class="heading">{escape(heading)}'
            f'<tspan dx="10" fill="var(--with)">{escape(change)}</tspan></text>'
            f'<g transform="translate({at},104)">{body}</g>'
        )
    for index, note in enumerate(reversed(notes)):
        parts.append(f'<text x="32" y="{height - 24 - 20 * index}" class="soft">{escape(note)}</text>')
    style = f"<style>svg{{{LIGHT}}}@media(prefers-color-scheme:dark){{svg{{{DARK}}}}}{STYLE}</style>"
    return _svg(width, height, [style, *parts], title)


STYLE = (
    f"text{{font-family:{FONT};fill:var(--ink)}}.soft{{font-size:13px;fill:var(--soft)}}"
    ".figure{font-size:14px;font-weight:600}.heading{font-size:15px;font-weight:600}.title{font-size:21px;font-weight:700}"
    ".rule{stroke:var(--rule);fill:none}.whisker{stroke:var(--ink);stroke-width:1.5;fill:none;opacity:.7}"
)


def _svg(width: int, height: int, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
