"""Things a home is furnished with."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape


def lamp(pen: PicturePen) -> str:
    """A table lamp."""
    spread = pen.between(64, 92)
    shade = shape(f"M{240 - spread} 104h{2 * spread - 80}l40 92h-{2 * spread}z", pen.main)
    dome = shape(f"M{200 - spread} 196a{spread} 84 0 0 1 {2 * spread} 0z", pen.main)
    return pen.pick(shade, dome) + line("M200 196v92", pen.dark, 9) + rect(156, 288, 88, 14, pen.dark, 7)


def candle(pen: PicturePen) -> str:
    """A candle in a glass with a label."""
    flame = shape("M200 128q26 32 0 50q-26-18 0-50z", "#f7b955") + ellipse(200, 168, 5, 9, "#fff0c2")
    glass = rect(142, 190, 116, 110, pen.main, 8) + rect(160, 222, 80, 46, pen.paper, 6)
    return flame + line("M200 190v-12", pen.dark, 4) + glass + line("M178 246h44", pen.accent, 6)


def cushion(pen: PicturePen) -> str:
    """A cushion."""
    pillow = shape("M100 120q100-26 200 0q26 90 0 180q-100 22-200 0q-26-90 0-180z", pen.main)
    stripes = "".join(line(f"M{x} 122q4 88 0 176", pen.light, 9) for x in (140, 180, 220, 260))
    diamond = shape("M200 146l58 64-58 64-58-64z", pen.light) + shape("M200 178l30 32-30 32-30-32z", pen.accent)
    dots = "".join(circle(140 + 40 * x, 160 + 34 * y, 8, pen.light) for x in range(4) for y in range(4))
    return pillow + pen.pick(
        stripes, diamond, dots, circle(200, 210, 13, pen.dark) + line("M150 170l50 40 50-40", pen.dark, 5)
    )


def bed(pen: PicturePen) -> str:
    """A bed, made."""
    head = pen.pick(rect(92, 110, 216, 130, pen.dark, 22), shape("M92 240v-70a108 70 0 0 1 216 0v70z", pen.dark))
    pillows = rect(112, 172, 82, 46, pen.paper, 18) + rect(206, 172, 82, 46, pen.paper, 18)
    cover = rect(86, 208, 228, 80, pen.main, 16) + rect(86, 208, 228, 24, pen.light, 12)
    return head + pillows + cover + rect(98, 284, 14, 20, pen.dark, 3) + rect(288, 284, 14, 20, pen.dark, 3)


def chair(pen: PicturePen) -> str:
    """A chair."""
    legs = line("M150 224l-12 76M250 224l12 76", pen.dark, 11)
    padded = rect(140, 96, 120, 92, pen.main, 18) + line("M152 186v24M248 186v24", pen.dark, 10)
    rails = rect(140, 104, 120, 26, pen.main, 8) + rect(140, 150, 120, 22, pen.main, 8)
    rails = line("M146 206v-110M254 206v-110", pen.dark, 10) + rails
    return pen.pick(padded, rails) + legs + rect(132, 206, 136, 24, pen.main, 10)


def table(pen: PicturePen) -> str:
    """A table with a vase."""
    top = pen.between(190, 226)
    board = rect(84, top, 232, 20, pen.main, 8)
    legs = pen.pick(
        line(f"M112 {top + 20}l-12 {280 - top}M288 {top + 20}l12 {280 - top}", pen.dark, 12),
        line(f"M200 {top + 20}v{268 - top}", pen.dark, 18) + ellipse(200, 298, 62, 9, pen.dark),
        line(
            "".join(
                f"M{x} {top + 20}l{lean} {278 - top}" for x, lean in ((124, 40), (164, -40), (276, -40), (236, 40))
            ),
            pen.dark,
            9,
        ),
    )
    x = pen.pick(140, 200, 256)
    vase = shape(f"M{x - 16} {top}q-10-26 6-48h20q16 22 6 48z", pen.accent) + line(
        f"M{x} {top - 48}q-4-30-20-40M{x} {top - 48}q4-36 22-46", "#7d9b6a", 6
    )
    return board + legs + vase


def sofa(pen: PicturePen) -> str:
    """A sofa."""
    back = rect(86, 148, 228, 104, pen.main, 30)
    seats = rect(104, 214, 96, 52, pen.light, 14) + rect(200, 214, 96, 52, pen.light, 14)
    arms = rect(62, 192, 50, 86, pen.dark, 22) + rect(288, 192, 50, 86, pen.dark, 22)
    pillow = f'<g transform="rotate(-10 140 200)">{rect(116, 172, 56, 50, pen.accent, 12)}</g>'
    return (
        back
        + seats
        + rect(92, 262, 216, 22, pen.dark, 8)
        + arms
        + pen.pick(pillow, "")
        + line("M96 284v16M304 284v16", pen.dark, 9)
    )


def shelf(pen: PicturePen) -> str:
    """A shelf with things on it."""
    frame = rect(106, 86, 188, 216, pen.main, 8) + "".join(rect(118, y, 164, 58, pen.light) for y in (98, 166, 234))
    colours = (pen.accent, pen.dark, pen.paper, pen.main)
    books = "".join(
        rect(124 + n * 15, 98 + row * 68 + (tall := pen.between(6, 22)), 12, 58 - tall, colours[(n + row) % 4], 2)
        for row in range(3)
        for n in range(pen.between(3, 7))
    )
    return frame + books + circle(262, pen.pick(140, 208, 276), 15, pen.accent)


def desk(pen: PicturePen) -> str:
    """A desk with a screen."""
    board = rect(76, 206, 248, 18, pen.main, 6)
    legs = line("M96 224v76M304 224v76", pen.dark, 10)
    drawers = rect(226, 224, 70, 60, pen.light, 4) + line("M250 244h22M250 268h22", pen.dark, 5)
    screen = (
        rect(120, 116, 100, 68, pen.dark, 8) + rect(128, 124, 84, 52, pen.accent, 4) + rect(162, 184, 16, 22, pen.dark)
    )
    lamp_arm = line("M280 206l-14-56 34-26", pen.dark, 6) + shape("M286 132l26-26 18 18z", pen.accent)
    return board + legs + pen.pick(drawers, "") + screen + pen.pick(lamp_arm, "")


def soap(pen: PicturePen) -> str:
    """A bar of soap on its dish."""
    bar = rect(110, 196, 180, 76, pen.main, 34) + rect(138, 214, 124, 34, pen.light, 17)
    bubbles = circle(132, 160, 20, pen.paper) + circle(172, 132, 13, pen.paper) + circle(268, 148, 24, pen.paper)
    return bar + ellipse(200, 284, 118, 16, pen.dark) + f'<g opacity=".8">{bubbles}</g>'
