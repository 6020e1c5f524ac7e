"""Jewellery and watches."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, line, rect, shape, turned

GOLD = "#d8b35c"


def necklace(pen: PicturePen) -> str:
    """A pendant on a chain."""
    stone = shape("M200 212l34 34-34 44-34-44z", pen.main) + shape("M200 212l34 34h-68z", pen.light)
    return line("M110 60q14 130 90 146q76-16 90-146", GOLD, 6) + circle(200, 206, 9, GOLD) + stone


def hoop_earrings(pen: PicturePen) -> str:
    """Two hoops."""
    one = (
        f'<circle cx="0" cy="0" r="58" fill="none" stroke="{GOLD}" stroke-width="13"/>'
        + line("M0-58v-22", GOLD, 6)
        + circle(0, 58, 13, pen.main)
    )
    return f'<g transform="translate(128 216)">{one}</g><g transform="translate(272 216)">{one}</g>'


def stud_earrings(pen: PicturePen) -> str:
    """Two studs on a card."""
    one = circle(0, 0, 27, GOLD) + circle(0, 0, 19, pen.main) + circle(-6, -6, 6, pen.paper)
    return (
        rect(104, 96, 192, 204, pen.paper, 12)
        + line("M160 136h80", pen.light, 8)
        + f'<g transform="translate(156 214)">{one}</g><g transform="translate(244 214)">{one}</g>'
    )


def bracelet(pen: PicturePen) -> str:
    """A bracelet of beads."""
    beads = "".join(
        turned(circle(200, 118, 19, (pen.main, pen.accent, pen.light)[n % 3]), n * 30, 200, 208) for n in range(12)
    )
    return f'<circle cx="200" cy="208" r="90" fill="none" stroke="{GOLD}" stroke-width="6"/>' + beads


def pocket_watch(pen: PicturePen) -> str:
    """A watch on a chain."""
    chain = line("M200 96q40-50 90-26t50 70", GOLD, 7)
    hands = line("M200 214v-44M200 214l32 18", pen.dark, 7)
    return (
        chain
        + rect(188, 94, 24, 34, GOLD, 6)
        + circle(200, 212, 90, GOLD)
        + circle(200, 212, 74, pen.paper)
        + "".join(turned(rect(197, 144, 6, 13, pen.main), n * 30, 200, 212) for n in range(12))
        + hands
    )


def digital_watch(pen: PicturePen) -> str:
    """A watch with digits."""
    digits = (
        line("M166 184h20v36h-20zM166 202h20M214 184h22v36h-22z", pen.dark, 6)
        + circle(200, 194, 3, pen.dark)
        + circle(200, 210, 3, pen.dark)
    )
    return (
        rect(164, 60, 72, 280, pen.main, 16)
        + rect(126, 136, 148, 130, pen.dark, 24)
        + rect(144, 158, 112, 86, "#cfd8b8", 10)
        + digits
        + rect(272, 180, 14, 30, pen.accent, 5)
    )
