"""The palette promises readable text in the light and in the dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

from shop.web import template_filters

CSS = (Path(template_filters.__file__).parent / "static" / "css" / "shop.css").read_text()
LIGHT, DARK, *_ = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
TEXT, CONTROL = 4.5, 3.0
GROUNDS = ("paper", "surface", "surface-sunk")
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "ink-soft") for ground in (*GROUNDS, "accent-soft")),
    *((ink, ground, TEXT) for ink in ("accent", "accent-strong", "danger", "success", "warning") for ground in GROUNDS),
    *((kind, f"{kind}-soft", TEXT) for kind in ("accent", "success", "info", "warning", "danger")),
    ("ink", "highlight", TEXT),
    ("paper", "ink", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    *((edge, ground, CONTROL) for edge in ("line-strong", "focus") for ground in (*GROUNDS, "accent-soft")),
    *(("star", ground, CONTROL) for ground in ("paper", "surface")),
]


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [colours(LIGHT), colours(LIGHT) | colours(DARK)], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_every_pair_of_colours_is_readable(scheme, ink, ground, least):
    assert contrast(scheme[ink], scheme[ground]) >= least


def test_the_dark_palette_replaces_every_colour_of_the_light_one():
    assert colours(DARK).keys() == colours(LIGHT).keys()


def test_contrast_is_counted_as_the_guideline_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
