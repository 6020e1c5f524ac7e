"""Things to eat and drink, as they are packed."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape

GOLD = "#d8b35c"


def coffee_pods(pen: PicturePen) -> str:
    """Three pods."""
    lid = ellipse(0, -38, 52, 13, GOLD) + ellipse(0, -38, 38, 8, pen.paper)
    return "".join(
        f'<g transform="translate({x} {y})">{shape("M-46-38h92l-18 72h-56z", colour)}{lid}</g>'
        for x, y, colour in ((200, 170, pen.light), (136, 266, pen.main), (264, 266, pen.accent))
    )


def tea_box(pen: PicturePen) -> str:
    """A box of tea with a bag on its string."""
    leaf = shape("M168 236q-6-62 60-72q4 66-60 72z", "#6f9f6a") + line("M174 232l40-50", "#3f6f52", 5)
    bag = (
        line("M262 128q50-6 50 60", pen.dark, 4)
        + shape("M288 192h46v56h-46z", pen.paper)
        + rect(298, 212, 26, 26, "#a9794d", 3)
    )
    return (
        rect(112, 132, 168, 170, pen.main, 8)
        + shape("M112 132l20-34h128l20 34z", pen.dark)
        + rect(136, 162, 120, 96, pen.paper, 10)
        + leaf
        + bag
    )


def pralines(pen: PicturePen) -> str:
    """A box of chocolates."""
    pieces = "".join(
        circle(126 + x * 50, 196 + y * 48, 19, ("#6b4230", "#8a5740", "#e9d9c2")[(x + 2 * y) % 3])
        + line(f"M{116 + x * 50} {192 + y * 48}q10 10 20 0", "#c99a72", 4)
        for x in range(4)
        for y in range(2)
    )
    return (
        shape("M86 168l20-60h208l-20 60z", pen.light)
        + rect(86, 166, 228, 134, pen.main, 10)
        + rect(98, 174, 204, 96, pen.paper, 8)
        + pieces
        + rect(184, 276, 32, 24, pen.accent, 4)
    )


def cocoa_tin(pen: PicturePen) -> str:
    """A tin of powder with a lid."""
    return (
        rect(128, 132, 144, 170, pen.main, 12)
        + rect(120, 104, 160, 38, pen.dark, 10)
        + rect(144, 172, 112, 92, pen.paper, 12)
        + rect(170, 200, 44, 36, "#7a4a35", 8)
        + line("M214 208h14v16h-14", "#7a4a35", 6)
    )


def sweets_bag(pen: PicturePen) -> str:
    """A bag tied with a ribbon."""
    bits = "".join(
        ellipse(x, y, 15, 11, "#7a4a35") for x, y in ((168, 236), (204, 226), (236, 242), (184, 266), (222, 270))
    )
    return (
        shape("M160 140q-60 60-50 140q4 20 24 20h132q20 0 24-20q10-80-50-140z", pen.light)
        + shape("M152 86h96l-20 52h-56z", pen.light)
        + bits
        + rect(158, 128, 84, 20, pen.main, 10)
        + shape("M200 138l-44-20v44zM200 138l44-20v44z", pen.accent)
    )


def oil_bottle(pen: PicturePen) -> str:
    """A square bottle of oil."""
    return (
        rect(186, 76, 28, 30, pen.dark, 5)
        + rect(184, 100, 32, 54, "#c9b04a")
        + shape("M184 150h32q40 10 40 40v112h-112v-112q0-30 40-40z", "#c9b04a")
        + rect(144, 206, 112, 66, pen.paper)
        + ellipse(200, 238, 15, 20, "#6f8b3f")
        + rect(154, 182, 8, 112, "#e6d68a", 4)
    )


def passata_bottle(pen: PicturePen) -> str:
    """A wide bottle with something red in it."""
    return (
        rect(166, 84, 68, 30, pen.dark, 8)
        + shape("M172 110h56v26q36 14 36 48v102q0 16-16 16h-96q-16 0-16-16v-102q0-34 36-48z", "#c8432f")
        + rect(136, 200, 128, 66, pen.paper)
        + circle(200, 234, 20, "#d8503f")
        + shape("M190 214h20l-10 10z", "#6f9f6a")
    )


def pasta_bag(pen: PicturePen) -> str:
    """A bag of pasta with a window."""
    spirals = line(
        "".join(f"M{152 + x * 36} {196 + y * 26}q4-10 8 0t8 0 8 0" for x in range(3) for y in range(3)), "#c98f3a", 6
    )
    return (
        shape("M120 108h160l12 192h-184z", pen.main)
        + rect(112, 84, 176, 32, pen.dark, 6)
        + rect(140, 172, 120, 104, "#f3d79a", 14)
        + spirals
        + rect(152, 132, 96, 18, pen.paper, 6)
    )
