"""Draws a picture of each product as SVG. The same slug always gives the same picture. Pure.

The noun in the product's slug decides the drawn object, else the motif of its category. The slug is the seed of
colours and variants. If one of the last three words of the slug is the name of a colour, the object has that colour.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from random import Random
from types import MappingProxyType

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, rect, shape
from shop.web.folder_hash import HASH_CHARS

Colour = tuple[float, float, float]
"""Hue in degrees, saturation and lightness in percent."""
NAMED: Mapping[str, Colour] = MappingProxyType(
    {
        "sage": (110, 18, 58), "chalk": (40, 25, 86), "white": (40, 20, 88), "ivory": (45, 45, 84),
        "oat": (38, 38, 76), "ecru": (42, 40, 78), "slate": (210, 14, 44), "terracotta": (14, 52, 55),
        "midnight": (222, 42, 32), "navy": (218, 46, 32), "ink": (226, 40, 30), "mustard": (44, 72, 52),
        "ochre": (36, 62, 52), "charcoal": (220, 8, 32), "graphite": (220, 7, 38), "black": (225, 10, 24),
        "moss": (85, 28, 42), "olive": (68, 34, 38), "forest": (150, 32, 34), "fern": (120, 32, 46),
        "green": (145, 34, 40), "pine": (160, 34, 32), "rust": (18, 60, 44), "sand": (36, 40, 72),
        "camel": (30, 45, 58), "honey": (38, 66, 56), "blush": (8, 58, 80), "rose": (345, 48, 70),
        "coral": (10, 76, 66), "burgundy": (345, 46, 34), "sky": (202, 60, 68), "blue": (214, 58, 52),
        "ocean": (196, 55, 46), "silver": (210, 10, 74), "grey": (210, 6, 58), "smoke": (215, 8, 52),
        "red": (4, 62, 52), "orange": (26, 82, 58), "lime": (78, 56, 52), "yellow": (48, 82, 58),
        "emerald": (156, 48, 40), "walnut": (24, 34, 38), "natural": (34, 44, 66), "brass": (42, 52, 54),
    }
)  # fmt: skip
HUES = (4, 14, 24, 34, 42, 90, 130, 150, 168, 184, 200, 212, 224, 250, 290, 335, 348)
"""Hues of common products, without harsh yellow-greens and magentas."""
PARTNERS = (180, 150, 210, 35, -35, 120)
"""Degrees between the colour of an object and its accent colour: complements, neighbours and a triad."""


PNG_PX = 600
"""The minimum size of a large link preview."""


def motifs() -> Sequence[str]:
    """Return the names of all motifs."""
    from shop.catalog.pictures.motifs.choice import MOTIFS

    return tuple(MOTIFS)


def picture_url(motif: str, slug: str) -> str:
    """Return the path of a product's picture. It has the version of the drawing code, so it can be cached forever."""
    return f"/pictures/{drawing_version()}/{motif}/{slug}.svg"


@cache
def drawing_version() -> str:
    """Return a hash of the drawing code."""
    here = Path(__file__)
    sources = (here, *sorted((here.parent / "motifs").glob("*.py")))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:HASH_CHARS]


def draw(motif: str, seed: str) -> str:
    """Draw a picture.

    Args:
        motif: one of :func:`motifs`; a parcel is drawn for any other name.
        seed: decides colours and variants; a product's slug.

    Returns:
        An SVG document of less than three kilobytes.
    """
    # Imported here, so that a process that only links pictures, such as the worker, does not load the drawings.
    from shop.catalog.pictures.motifs.choice import FALLBACK, MOTIFS, motif_for

    name = motif if motif in MOTIFS else FALLBACK
    random = Random(zlib.crc32(f"{name}/{seed}".encode()))
    free = (random.choice(HUES) + random.random() * 14, 32 + random.random() * 20, 48 + random.random() * 14)
    colour_words = [word for word in seed.split("-")[-3:] if word in NAMED]
    colour = NAMED[colour_words[-1]] if colour_words else free
    pen = _pen(colour, random)
    background = (colour[0] + random.choice((20, 40, -25, 160, 185, 200))) % 360
    top, bottom = _hsl(background, 34, 95), _hsl(background + 12, 28, 88)
    draw_motif = motif_for(name, seed)
    drawing = draw_motif(pen)
    if random.random() < 0.5:
        drawing = f'<g transform="translate(400 0) scale(-1 1)">{drawing}</g>'
    thing = draw_motif.__name__.replace("_", " ")
    article = "an" if thing[0] in "aeiou" else "a"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" role="img">'
        f"<title>{escape(f'Drawing of {article} {thing}')}</title>"
        f'<linearGradient id="g" x2=".3" y2="1"><stop stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        f'</linearGradient><rect width="400" height="400" fill="url(#g)"/>'
        f"{_backdrop(_hsl(background, 34, 80), random)}"
        f'<g opacity=".16">{ellipse(200, 305, 128, 13, _hsl(background, 40, 18))}</g>{drawing}</svg>'
    )


def png_of(url: str) -> bytes:
    """Render the picture of a URL of :func:`picture_url` as PNG, :data:`PNG_PX` wide and high."""
    import resvg_py  # imported here, so that a process without previews does not load the renderer

    *_, motif, file = url.split("/")
    svg = draw(motif, file.removesuffix(".svg"))
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=PNG_PX, skip_system_fonts=True))


def _pen(colour: Colour, random: Random) -> PicturePen:
    hue, saturation, lightness = colour
    partner = hue + random.choice(PARTNERS)
    # Light objects get clearly darker shade, dark objects clearly lighter highlights.
    return PicturePen(
        main=_hsl(hue, saturation, lightness),
        dark=_hsl(hue, saturation * 0.9, lightness - 20 if lightness > 40 else lightness - 10),
        light=_hsl(hue, saturation * 0.9, min(lightness + 24, 93)),
        accent=_hsl(partner, 44, 62),
        paper=_hsl(hue, 30, 96),
        random=random,
    )


def _backdrop(colour: str, random: Random) -> str:
    x = 200 + (random.random() - 0.5) * 60
    forms = (
        circle(x, 190, 130 + random.random() * 20, colour),
        shape(f"M{x - 120:.0f} 400v-190a120 120 0 0 1 240 0v190z", colour),
        rect(0, 305, 400, 95, colour),
        shape("M0 330q110-50 210-20t190-20v110h-400z", colour),
        rect(x - 125, 70, 250, 250, colour, 40),
    )
    return f'<g opacity=".5">{random.choice(forms)}</g>'


def _hsl(hue: float, saturation: float, lightness: float) -> str:
    """Return a colour as hexadecimal digits, which are shorter than ``hsl()`` and supported by every renderer."""
    strength = saturation / 100 * min(lightness, 100 - lightness) / 100

    def channel(offset: int) -> int:
        turn = (offset + hue / 30) % 12
        return round(255 * (lightness / 100 - strength * max(-1, min(turn - 3, 9 - turn, 1))))

    return f"#{channel(0):02x}{channel(8):02x}{channel(4):02x}"
