"""Cups, bowls and knives for the set table."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape


def cup_and_saucer(pen: PicturePen) -> str:
    """A cup on its saucer."""
    handle = line("M262 198h16a26 26 0 0 1 0 52h-24", pen.dark, 13)
    return (
        ellipse(200, 284, 122, 18, pen.dark)
        + ellipse(200, 278, 122, 16, pen.light)
        + handle
        + shape("M134 184h132q0 92-66 92t-66-92z", pen.main)
        + ellipse(200, 184, 66, 13, pen.dark)
        + ellipse(200, 186, 52, 8, "#6b4230")
    )


def tea_bowl(pen: PicturePen) -> str:
    """A bowl for tea, without a handle."""
    return (
        rect(160, 280, 80, 22, pen.dark, 6)
        + shape("M112 178h176q0 110-88 110t-88-110z", pen.main)
        + ellipse(200, 178, 88, 18, pen.dark)
        + ellipse(200, 182, 70, 11, "#a8b36a")
        + line("M128 226q72 30 144 0", pen.light, 8)
    )


def bowl(pen: PicturePen) -> str:
    """A bowl from the side."""
    return (
        rect(158, 282, 84, 20, pen.dark, 6)
        + shape("M78 186h244q-6 104-122 104t-122-104z", pen.main)
        + ellipse(200, 186, 122, 24, pen.dark)
        + ellipse(200, 190, 102, 16, pen.paper)
        + line("M98 236q102 50 204 0", pen.light, 9)
    )


def dip_dish(pen: PicturePen) -> str:
    """A small low dish."""
    return (
        shape("M108 232h184q-6 68-92 68t-92-68z", pen.main)
        + ellipse(200, 232, 92, 20, pen.dark)
        + ellipse(200, 234, 76, 14, pen.accent)
    )


def platter(pen: PicturePen) -> str:
    """A long dish, seen from above."""
    return (
        ellipse(200, 210, 150, 88, pen.dark)
        + ellipse(200, 204, 150, 86, pen.main)
        + ellipse(200, 204, 112, 58, pen.paper)
        + f'<ellipse cx="200" cy="204" rx="130" ry="72" fill="none" stroke="{pen.light}" stroke-width="7"/>'
    )


def knife_set(pen: PicturePen) -> str:
    """Four knives side by side."""
    one = shape("M-11-90q18 10 22 90h-22z", pen.paper) + rect(-12, 0, 24, 92, pen.main, 9)
    rivets = circle(0, 26, 3, pen.light) + circle(0, 64, 3, pen.light)
    board = rect(84, 92, 232, 212, pen.light, 14)
    return board + "".join(f'<g transform="translate({122 + n * 52} 202)">{one}{rivets}</g>' for n in range(4))
