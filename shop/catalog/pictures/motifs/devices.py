"""Things with a plug, and things to write and read with."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def headphones(pen: PicturePen) -> str:
    """Headphones."""
    band = line("M112 236v-30a88 88 0 0 1 176 0v30", pen.dark, 18)
    cups = rect(88, 214, 52, 84, pen.main, 22) + rect(260, 214, 52, 84, pen.main, 22)
    return band + cups + rect(128, 222, 18, 68, pen.light, 9) + rect(254, 222, 18, 68, pen.light, 9)


def phone(pen: PicturePen) -> str:
    """A telephone in its case."""
    body = rect(136, 72, 128, 232, pen.dark, 26) + rect(146, 84, 108, 208, pen.main, 18)
    back = circle(176, 118, 15, pen.dark) + circle(212, 118, 15, pen.dark) + circle(200, 210, 28, pen.light)
    front = "".join(
        rect(162 + 28 * x, 108 + 32 * y, 20, 20, (pen.light, pen.accent, pen.paper)[(x + y) % 3], 6)
        for x in range(3)
        for y in range(3)
    )
    return turned(body + pen.pick(back, front + rect(176, 262, 48, 8, pen.paper, 4)), pen.between(-10, 10))


def speaker(pen: PicturePen) -> str:
    """A loudspeaker."""
    woofer = circle(200, 226, 52, pen.dark) + circle(200, 226, 30, pen.light) + circle(200, 226, 12, pen.dark)
    tweeter = circle(200, 130, 26, pen.dark) + circle(200, 130, 11, pen.light)
    return rect(128, 84, 144, 218, pen.main, 18) + woofer + tweeter


def keyboard(pen: PicturePen) -> str:
    """A keyboard."""
    rows = line("".join(f"M{x} {y}h.1" for y in (188, 216, 244) for x in range(98, 316, 25)), pen.paper, 19)
    rows += line("M98 188h.1M273 244h.1", pen.accent, 19)
    return rect(72, 160, 256, 132, pen.main, 18) + rows + rect(140, 260, 120, 20, pen.paper, 4)


def camera(pen: PicturePen) -> str:
    """A camera."""
    body = rect(86, 148, 228, 150, pen.main, 22) + rect(86, 184, 228, 66, pen.dark)
    top = pen.pick(
        shape("M160 150l14-34h52l14 34z", pen.main),
        rect(112, 128, 54, 24, pen.dark, 6) + circle(262, 138, 16, pen.accent),
    )
    lens = (
        circle(200, 222, 62, pen.paper)
        + circle(200, 222, 50, pen.dark)
        + circle(200, 222, 30, pen.accent)
        + circle(188, 210, 9, pen.paper)
    )
    return top + body + lens + circle(286, 168, 8, pen.accent)


def book(pen: PicturePen) -> str:
    """A book, standing or in a pile."""
    cover = rect(124, 80, 152, 222, pen.main, 8) + rect(124, 80, 22, 222, pen.dark, 6)
    art = pen.pick(
        circle(212, 196, 40, pen.accent),
        shape("M162 250l34-74 26 44 18-26 28 56z", pen.accent) + circle(240, 160, 15, pen.light),
        "".join(rect(162, y, 94, 12, pen.light, 3) for y in (180, 208, 236)),
        shape("M212 154l14 32 34 3-26 23 8 34-30-18-30 18 8-34-26-23 34-3z", pen.accent),
    )
    title = rect(164, 104, 92, 14, pen.paper, 4) + rect(176, 128, 68, 8, pen.paper, 4)
    pile = "".join(
        rect(96 + n * 9, 254 - n * 46, 200 - n * 14, 42, (pen.main, pen.accent, pen.dark)[n], 6)
        + rect(110 + n * 9, 264 - n * 46, 40, 22, pen.paper, 3)
        for n in range(3)
    )
    return pen.pick(cover + art + title, cover + art + title, pile)


def notebook(pen: PicturePen) -> str:
    """A notebook with a band or rings."""
    cover = rect(124, 82, 156, 220, pen.paper, 10) + rect(118, 78, 156, 220, pen.main, 12)
    rings = "".join(rect(106, 98 + n * 26, 28, 9, pen.dark, 4) for n in range(8))
    band = rect(242, 78, 12, 220, pen.dark) + line("M176 298v30", pen.accent, 8)
    label = pen.pick(
        rect(154, 120, 78, 46, pen.paper, 6) + line("M168 144h50", pen.dark, 5), circle(190, 190, 30, pen.light), ""
    )
    return turned(cover + pen.pick(rings, band) + label, pen.between(-8, 8))


def pen(pen: PicturePen) -> str:
    """A pen across a sheet of paper."""
    sheet = turned(rect(110, 80, 180, 224, pen.paper, 6), -6) + line(
        "M140 150q26-18 40 0t40 0 40 0M140 190q26-18 40 0t40 0", pen.light, 6
    )
    barrel = (
        rect(186, 96, 30, 130, pen.main, 8) + rect(186, 186, 30, 12, pen.accent) + rect(212, 104, 8, 70, pen.accent, 4)
    )
    tip = shape("M186 226h30l-15 52z", pen.dark)
    return sheet + turned(barrel + tip, pen.between(24, 52), 200, 210)


def card(pen: PicturePen) -> str:
    """A card and its envelope."""
    envelope = rect(84, 184, 232, 118, pen.light, 8) + shape("M84 190l116 66 116-66v-6h-232z", pen.main)
    art = pen.pick(
        circle(200, 130, 28, pen.accent),
        shape("M200 166q-52-36-30-62q18-14 30 8q12-22 30-8q22 26-30 62z", pen.accent),
        shape("M200 92l12 26 28 3-21 19 6 28-25-14-25 14 6-28-21-19 28-3z", pen.accent),
    )
    return rect(116, 72, 168, 160, pen.paper, 6) + art + envelope


def paint(pen: PicturePen) -> str:
    """A palette and a brush."""
    palette = shape("M90 210q0-92 112-96q112 4 110 88q-8 42-60 30q-32-2-28 30q2 34-42 32q-88-14-92-84z", pen.light)
    dabs = (
        circle(140, 186, 18, pen.main)
        + circle(188, 156, 18, pen.accent)
        + circle(244, 166, 18, pen.dark)
        + circle(146, 240, 18, pen.paper)
    )
    stick = line("M226 278l86-128", "#c89b66", 11) + line("M226 278l-18 26", pen.main, 17)
    return palette + dabs + stick


def parcel(pen: PicturePen) -> str:
    """A parcel; drawn for an unknown motif."""
    box = rect(110, 150, 180, 150, "#d6a874", 6) + shape("M110 150l24-40h132l24 40z", "#e2bd90")
    tape = rect(184, 110, 32, 190, pen.main) + ellipse(148, 270, 18, 6, "#c4935d")
    return box + tape + rect(232, 244, 42, 36, pen.paper, 4)
