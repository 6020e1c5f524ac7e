"""Things to cook with, and to eat and drink from."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def mug(pen: PicturePen) -> str:
    """A mug with a handle, sometimes banded, sometimes steaming."""
    wide, top = pen.between(120, 150), pen.between(150, 180)
    left = 190 - wide / 2
    handle = line(f"M{left + wide - 4} {top + 30}h20a34 34 0 0 1 0 68h-20", pen.dark, 15)
    cup = shape(f"M{left} {top}h{wide}v{250 - top}a50 50 0 0 1-50 50h{100 - wide}a50 50 0 0 1-50-50z", pen.main)
    band = pen.pick(
        rect(left, top + 45, wide, 22, pen.light),
        "".join(circle(left + 24 + n * (wide - 48) / 3, top + 60, 8, pen.light) for n in range(4)),
        rect(left, top, wide, 34, pen.accent),
        "",
    )
    steam = line(
        f"M{left + wide / 2 - 20} {top - 20}q-14-16 0-32t0-32M{left + wide / 2 + 20} {top - 20}q-14-16 0-32",
        pen.paper,
        7,
    )
    return handle + cup + band + ellipse(left + wide / 2, top, wide / 2, 13, pen.dark) + pen.pick(steam, "")


def plate(pen: PicturePen) -> str:
    """A plate seen from above."""
    ring = pen.pick(
        circle(200, 195, 92, pen.light),
        circle(200, 195, 86, pen.accent),
        "".join(turned(ellipse(200, 92, 9, 15, pen.accent), n * 30, 200, 195) for n in range(12)),
    )
    return circle(200, 201, 122, pen.dark) + circle(200, 195, 122, pen.main) + ring + circle(200, 195, 70, pen.paper)


def pan(pen: PicturePen) -> str:
    """A pan or pot from the side."""
    handle = line("M290 222h78", pen.dark, 16)
    deep = pen.between(50, 110)
    body = rect(90, 292 - deep, 205, deep, pen.main, 18) + rect(90, 292 - deep, 205, 20, pen.light, 8)
    lid = shape(f"M96 {290 - deep}a96 52 0 0 1 192 0z", pen.accent) + circle(192, 234 - deep, 13, pen.dark)
    return turned(handle, 0) + body + (lid if deep > 75 else line(f"M130 {270 - deep}q62-26 124 0", pen.accent, 9))


def knife(pen: PicturePen) -> str:
    """A knife on a board."""
    board = rect(95, 90, 210, 220, pen.light, 26) + circle(270, 122, 12, pen.paper)
    blade = shape("M190 96c26 22 32 60 30 112h-40v-112z", pen.paper)
    handle = rect(180, 208, 30, 92, pen.main, 12) + circle(195, 232, 4, pen.light) + circle(195, 270, 4, pen.light)
    return board + turned(shape("M193 99c26 22 32 60 30 112h-40z", pen.accent) + blade + handle, pen.between(12, 40))


def towel(pen: PicturePen) -> str:
    """Folded towels, or one on a rail."""
    hanging = line("M90 120h220", pen.dark, 12) + rect(130, 116, 140, pen.between(150, 180), pen.main, 8)
    hanging += rect(130, 225, 140, 16, pen.light) + rect(130, 248, 140, 8, pen.accent)
    colours = (pen.main, pen.accent, pen.light, pen.dark)
    folded = "".join(
        rect(105 + n * 6, 256 - n * 44, 190 - n * 12, 42, colours[n], 18) for n in range(pen.between(3, 4))
    )
    return pen.pick(hanging, folded)


def teapot(pen: PicturePen) -> str:
    """A pot for tea."""
    spout = line("M272 240q40-6 52-62", pen.dark, 20)
    handle = line("M132 186q-60 8-48 62q8 26 50 30", pen.dark, 14)
    body = ellipse(200, 232, 88, 70, pen.main) + rect(150, 288, 100, 14, pen.dark, 7)
    lid = shape("M142 180a58 34 0 0 1 116 0z", pen.accent) + circle(200, 142, 13, pen.dark)
    dots = "".join(circle(160 + n * 27, 236 + (n % 2) * 16, 8, pen.light) for n in range(4))
    return spout + handle + body + lid + pen.pick(dots, line("M126 240q74 44 148 0", pen.light, 9), "")


def flask(pen: PicturePen) -> str:
    """A bottle for the way."""
    wide = pen.between(76, 100)
    left = 200 - wide / 2
    body = rect(left, 130, wide, 172, pen.main, 24) + rect(left, pen.between(190, 235), wide, 26, pen.light)
    lid = rect(left + 14, 84, wide - 28, 52, pen.dark, 10)
    loop = line(f"M{left + 24} 86a{wide / 2 - 24} 26 0 0 1 {wide - 48} 0", pen.accent, 9)
    return loop + lid + body + rect(left + 12, 146, 9, 120, pen.paper, 4)
