"""The drawing tools of every motif: harmonious colours, random variants, and basic shapes.

The canvas is 400 by 400. The ground is at y = 300, and objects stand on it around x = 200.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class PicturePen:
    """Colours and random variants of one picture.

    Args:
        main: the colour of the object.
        dark: the colour of shade and outlines.
        light: the colour of highlights and inlays.
        accent: a second colour in harmony with the first.
        paper: nearly white.
        random: chooses the variants; seeded by the picture.
    """

    main: str
    dark: str
    light: str
    accent: str
    paper: str
    random: Random

    def pick(self, *options: T) -> T:
        """Choose one of several variants."""
        return options[int(self.random.random() * len(options))]

    def between(self, low: int, high: int) -> int:
        """Choose a length between two limits."""
        return low + int(self.random.random() * (high - low + 1))


Motif = Callable[[PicturePen], str]
"""Draws a thing: the elements of an SVG document."""


def rect(x: float, y: float, width: float, height: float, fill: str, corner: float = 0) -> str:
    """Return a rectangle, with round corners if ``corner`` is set."""
    rounded = f' rx="{corner:g}"' if corner else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{rounded} fill="{fill}"/>'


def circle(x: float, y: float, radius: float, fill: str) -> str:
    """Return a filled circle."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str) -> str:
    """Return a filled ellipse."""
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{rx:g}" ry="{ry:g}" fill="{fill}"/>'


def shape(path: str, fill: str) -> str:
    """Return a filled outline."""
    return f'<path d="{path}" fill="{fill}"/>'


def line(path: str, colour: str, width: float = 8) -> str:
    """Return a stroke with round ends."""
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def turned(drawing: str, degrees: float, x: float = 200, y: float = 200) -> str:
    """Return the drawing, rotated around a point."""
    return f'<g transform="rotate({degrees:g} {x:g} {y:g})">{drawing}</g>'
