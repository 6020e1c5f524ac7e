"""Things of paper, and pencils."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def pencils(pen: PicturePen) -> str:
    """Pencils side by side."""
    colours = (pen.main, pen.accent, pen.dark, pen.light, pen.main)
    return "".join(
        rect(100 + n * 42, 140, 32, 162, colour, 3)
        + shape(f"M{100 + n * 42} 140l16-44 16 44z", "#ecd3ad")
        + shape(f"M{110 + n * 42} 112l6-16 6 16z", "#34373b")
        for n, colour in enumerate(colours)
    )


def postcards(pen: PicturePen) -> str:
    """Postcards in a pile."""
    view = (
        rect(98, 148, 204, 130, pen.paper, 6)
        + rect(108, 158, 184, 110, pen.light)
        + shape("M108 268l60-70 44 46 30-28 50 52z", pen.main)
        + circle(250, 186, 16, pen.accent)
    )
    return turned(rect(98, 142, 204, 130, pen.dark, 6), -9) + turned(rect(98, 146, 204, 130, pen.accent, 6), 6) + view


def wrapping_paper(pen: PicturePen) -> str:
    """Two rolls of paper."""
    dots = "".join(circle(x, y, 9, pen.paper) for y in (-80, -30, 20, 70) for x in (-12, 14))
    one = dots + ellipse(0, -110, 30, 9, pen.dark)
    return "".join(
        f'<g transform="translate({x} 196) rotate({angle})">{rect(-30, -110, 60, 220, colour, 8)}{one}</g>'
        for x, angle, colour in ((150, -10, pen.main), (248, 12, pen.accent))
    )


def gift_tags(pen: PicturePen) -> str:
    """Three tags with cords."""
    cord = line("M0-44q-30-48-10-78", pen.dark, 4)
    tags = "".join(
        f'<g transform="translate({x} 230) rotate({angle})">{shape("M-44-40l44-40 44 40v104h-88z", colour)}'
        f"{circle(0, -44, 9, pen.paper)}{cord}</g>"
        for x, angle, colour in ((126, -14, pen.main), (274, 14, pen.accent), (200, 0, pen.light))
    )
    return tags + line("M178 232h44M178 254h30", pen.dark, 6)


def advent_calendar(pen: PicturePen) -> str:
    """A house with little doors."""
    doors = "".join(
        rect(112 + x * 48, 166 + y * 44, 36, 34, (pen.light, pen.accent, pen.paper)[(x + y) % 3], 4)
        + circle(140 + x * 48, 184 + y * 44, 3, pen.dark)
        for x in range(4)
        for y in range(3)
    )
    return (
        shape("M82 158L200 74l118 84z", pen.dark)
        + rect(98, 152, 204, 150, pen.main, 4)
        + doors
        + shape("M200 96l6 14 15 1-12 10 4 15-13-8-13 8 4-15-12-10 15-1z", "#f3cf6b")
    )


def sticker_sheet(pen: PicturePen) -> str:
    """A sheet of stickers."""
    star, heart = (
        "l9 20 22 2-16 15 5 22-20-11-20 11 5-22-16-15 22-2z",
        "q-36-26-20-48q12-10 20 6q8-16 20-6q16 22-20 48z",
    )
    return turned(
        rect(108, 76, 184, 228, pen.paper, 8)
        + circle(156, 128, 26, pen.main)
        + shape("M246 102" + star, pen.accent)
        + shape("M156 228" + heart, pen.accent)
        + rect(220, 182, 52, 44, pen.main, 10)
        + shape("M156 246" + star, pen.dark)
        + circle(246, 266, 22, pen.light),
        5,
    )
