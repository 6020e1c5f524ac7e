"""Toys, and pets with their things."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def blocks(pen: PicturePen) -> str:
    """Building blocks, stacked this way or that."""
    base = rect(112, 230, 72, 72, pen.main, 8) + rect(192, 230, 96, 72, pen.accent, 8)
    second = pen.pick(
        rect(146, 156, 72, 72, pen.light, 8),
        shape("M196 228l48-76 48 76z", pen.dark),
        rect(128, 180, 144, 48, pen.dark, 8),
    )
    top = pen.pick(
        shape("M150 156l34-58 34 58z", pen.dark), circle(184, 124, 32, pen.main), rect(152, 92, 62, 62, pen.paper, 8)
    )
    marks = circle(148, 266, 18, pen.paper) + shape("M240 244l24 44h-48z", pen.paper)
    return base + second + top + marks


def bear(pen: PicturePen) -> str:
    """A bear of cloth."""
    ears = "".join(circle(x, 106, 27, pen.main) + circle(x, 106, 14, pen.light) for x in (146, 254))
    nose = ellipse(200, 174, 32, 24, pen.light) + ellipse(200, 164, 10, 7, pen.dark) + line("M200 172v10", pen.dark, 4)
    bow = shape("M200 218l-30-16v32zM200 218l30-16v32z", pen.accent)
    return soft_toy(pen, ears, nose) + pen.pick(bow, "")


def soft_toy(pen: PicturePen, ears: str, nose: str) -> str:
    """An animal of cloth with ears and a nose of its own."""
    body = ellipse(200, 254, 70, 54, pen.main) + ellipse(200, 262, 38, 34, pen.light)
    feet = circle(140, 290, 22, pen.main) + circle(260, 290, 22, pen.main)
    eyes = circle(174, 142, 7, pen.dark) + circle(226, 142, 7, pen.dark)
    return ears + body + feet + circle(200, 154, 66, pen.main) + nose + eyes


def puzzle(pen: PicturePen) -> str:
    """Pieces of a jigsaw."""
    piece = "M0 0h32q-10-26 14-26t14 26h32v32q26-10 26 14t-26 14v32h-92v-32q-26 10-26-14t26-14z"
    places = ((96, 108, pen.main), (206, 108, pen.accent), (96, 212, pen.light), (206, 212, pen.dark))
    missing = pen.between(0, 4)
    drawn = ""
    for place, (x, y, colour) in enumerate(places):
        apart = place == missing
        drawn += f'<g transform="translate({x + 10 * apart} {y - 14 * apart})">{shape(piece, colour)}</g>'
    return drawn


def dice(pen: PicturePen) -> str:
    """A die and a pawn."""
    spots = {
        1: ((1, 1),),
        2: ((0, 0), (2, 2)),
        3: ((0, 0), (1, 1), (2, 2)),
        5: ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2)),
    }
    shown = spots[pen.pick(1, 2, 3, 5)]
    die = rect(104, 172, 124, 124, pen.main, 24) + "".join(
        circle(136 + 30 * x, 204 + 30 * y, 11, pen.paper) for x, y in shown
    )
    pawn = circle(272, 176, 29, pen.accent) + shape("M272 190q8 66 40 112h-80q32-46 40-112z", pen.accent)
    cards = turned(rect(150, 84, 96, 140, pen.paper, 10), -14) + turned(
        rect(190, 84, 96, 140, pen.light, 10) + circle(238, 154, 22, pen.dark), 10
    )
    return pen.pick(turned(die, pen.between(-12, 12), 166, 234) + pawn, cards + die)


def paw(pen: PicturePen) -> str:
    """A bowl with a paw on it."""
    toes = "".join(circle(x, y, 11, pen.paper) for x, y in ((166, 222), (188, 206), (212, 206), (234, 222)))
    print_ = ellipse(200, 246, 28, 22, pen.paper) + toes
    bowl = shape("M92 204h216l-26 98h-164z", pen.main) + ellipse(200, 204, 108, 22, pen.dark)
    return bowl + ellipse(200, 200, 84, 16, pen.accent) + f'<g transform="translate(50 68) scale(.75)">{print_}</g>'


def cat(pen: PicturePen) -> str:
    """A cat, sitting, or only its head."""
    tail = line("M262 290q60-10 44-74", pen.main, 20)
    body = shape("M140 302q-6-120 60-124q66 4 60 124z", pen.main)
    head = (
        circle(200, 150, 56, pen.main)
        + shape("M150 136l-2-62 48 30zM250 136l2-62-48 30z", pen.main)
        + shape("M156 112l-1-24 20 12zM244 112l1-24-20 12z", pen.light)
    )
    face = (
        circle(180, 146, 8, pen.dark)
        + circle(220, 146, 8, pen.dark)
        + shape("M192 162h16l-8 10z", pen.accent)
        + line("M142 158l-26-6M142 168l-26 4M258 158l26-6M258 168l26 4", pen.dark, 3)
    )
    return (
        tail
        + body
        + pen.pick(ellipse(200, 262, 30, 40, pen.light), line("M150 234q50 20 100 0", pen.accent, 13), "")
        + head
        + face
    )
