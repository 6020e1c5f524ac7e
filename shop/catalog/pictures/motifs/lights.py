"""Lamps, candles and scents."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape

GLOW, FLAME = "#fff4cf", "#f7b955"


def _glow(drawing: str) -> str:
    return f'<g opacity=".6">{drawing}</g>'


def floor_lamp(pen: PicturePen) -> str:
    """A lamp on a high post."""
    return (
        line("M200 130v166", pen.dark, 8)
        + ellipse(200, 298, 52, 9, pen.dark)
        + _glow(shape("M150 134h100l40 90h-180z", GLOW))
        + shape("M168 62h64l28 72h-120z", pen.main)
    )


def pendant_light(pen: PicturePen) -> str:
    """A lamp that hangs."""
    cord = line("M200 20v84", pen.dark, 5) + circle(200, 202, 19, "#ffe9a3")
    return _glow(shape("M120 196h160l46 106h-252z", GLOW)) + cord + shape("M120 196a80 92 0 0 1 160 0z", pen.main)


def desk_lamp(pen: PicturePen) -> str:
    """A lamp on a jointed arm."""
    arm = line("M150 288l-30-96 92-72", pen.dark, 9) + circle(120, 192, 10, pen.accent)
    return (
        _glow(shape("M226 150l74 22 20 128h-150z", GLOW))
        + arm
        + ellipse(156, 292, 56, 11, pen.dark)
        + shape("M196 108l42-24 66 62-78 44z", pen.main)
    )


def wall_light(pen: PicturePen) -> str:
    """A lamp on a plate."""
    return (
        rect(172, 168, 56, 96, pen.dark, 12)
        + line("M200 226v-40", pen.light, 9)
        + _glow(circle(200, 146, 88, GLOW))
        + shape("M156 98h88l-20 92h-48z", pen.main)
    )


def night_light(pen: PicturePen) -> str:
    """A moon that glows."""
    return (
        _glow(circle(200, 190, 116, GLOW))
        + shape("M232 100a96 96 0 1 0 58 138a78 78 0 1 1-58-138z", pen.main)
        + circle(262, 152, 8, FLAME)
        + rect(152, 288, 96, 14, pen.dark, 7)
    )


def pillar_candles(pen: PicturePen) -> str:
    """Three candles of different height."""
    sizes = ((150, 190, 52, pen.main), (212, 150, 52, pen.accent), (268, 226, 46, pen.light))
    return "".join(
        shape(f"M{x} {top - 62}q26 32 0 50q-26-18 0-50z", FLAME)
        + line(f"M{x} {top}v-12", pen.dark, 4)
        + rect(x - wide / 2, top, wide, 300 - top, colour, 8)
        for x, top, wide, colour in sizes
    )


def reed_diffuser(pen: PicturePen) -> str:
    """A small bottle with sticks."""
    reeds = line("M196 190l-44-110M200 190v-118M204 190l46-106M200 190l22-114", "#b98a5b", 6)
    return (
        reeds
        + rect(180, 158, 40, 34, pen.dark, 5)
        + shape("M150 206q0-16 24-16h52q24 0 24 16v94h-100z", pen.main)
        + rect(166, 230, 68, 42, pen.paper, 5)
    )


def tea_lights(pen: PicturePen) -> str:
    """Four low candles."""
    one = (
        shape("M0-46q16 20 0 32q-16-12 0-32z", FLAME)
        + ellipse(0, 0, 40, 11, pen.paper)
        + shape("M-40 0a40 11 0 0 0 80 0v20a40 11 0 0 1-80 0z", pen.main)
    )
    return "".join(
        f'<g transform="translate({x} {y})">{one}</g>'
        for x, y in ((148, 200), (252, 200), (112, 272), (200, 276), (288, 272))
    )


def incense(pen: PicturePen) -> str:
    """A stick on a holder, with smoke."""
    return (
        line("M118 284L262 150", pen.dark, 6)
        + line("M264 146q-26-22 0-44t0-44", pen.paper, 7)
        + rect(84, 280, 232, 20, pen.main, 10)
        + circle(118, 284, 12, pen.accent)
    )


def wax_melts(pen: PicturePen) -> str:
    """A tray of wax squares."""
    squares = "".join(
        rect(104 + x * 66, 190 + y * 52, 58, 44, (pen.main, pen.accent)[(x + y) % 2], 10)
        for x in range(3)
        for y in range(2)
    )
    return rect(90, 176, 220, 124, pen.paper, 12) + squares


def spray_bottle(pen: PicturePen) -> str:
    """A bottle with a spray head."""
    mist = "".join(circle(x, y, r, pen.paper) for x, y, r in ((116, 120, 8), (98, 104, 6), (96, 134, 6), (76, 118, 5)))
    return (
        mist
        + rect(150, 108, 92, 26, pen.dark, 8)
        + rect(182, 130, 36, 36, pen.dark, 4)
        + rect(142, 162, 116, 138, pen.main, 22)
        + rect(162, 202, 76, 62, pen.paper, 6)
        + circle(200, 233, 15, pen.accent)
    )
