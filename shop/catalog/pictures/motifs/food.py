"""Things to eat and drink."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def beans(pen: PicturePen) -> str:
    """A bag of coffee, and a few beans."""
    bag = shape("M130 120h140l14 180h-168z", pen.main) + rect(124, 96, 152, 34, pen.dark, 6)
    label = pen.pick(rect(150, 168, 100, 84, pen.paper, 8), circle(200, 212, 46, pen.paper))
    bean = ellipse(200, 212, 18, 26, pen.accent) + line("M200 190q-10 22 0 44", pen.paper, 4)
    spilt = "".join(turned(ellipse(x, 294, 13, 9, pen.dark), x, x, 294) for x in (96, 306, 330))
    return bag + label + turned(bean, pen.between(-30, 30), 200, 212) + spilt


def chocolate(pen: PicturePen) -> str:
    """A bar of chocolate, half unwrapped."""
    squares = "".join(
        rect(138 + x * 43, 84 + y * 40, 37, 34, "#7a4a35" if (x + y) % 2 else "#8a5740", 5)
        for x in range(3)
        for y in range(3)
    )
    wrapper = shape("M126 196l26 14 24-14 24 14 24-14 24 14 26-14v112h-148z", pen.main)
    label = pen.pick(rect(146, 234, 108, 46, pen.light, 6), ellipse(200, 256, 48, 28, pen.light))
    return turned(rect(130, 76, 140, 140, "#5f3828", 8) + squares + wrapper + label, pen.between(-10, 10))


def jar(pen: PicturePen) -> str:
    """A jar with a lid and a label."""
    wide = pen.between(120, 160)
    left = 200 - wide / 2
    glass = rect(left, 136, wide, 166, pen.light, 30) + rect(
        left + 8, pen.between(158, 190), wide - 16, 104, pen.main, 18
    )
    lid = rect(left + 12, 100, wide - 24, 38, pen.dark, 8)
    cloth = shape(f"M{left + 4} 132l16-40h{wide - 40}l16 40q-{wide / 2 - 4} 18-{wide - 8} 0z", pen.accent)
    label = pen.pick(rect(left + 24, 200, wide - 48, 58, pen.paper, 8), ellipse(200, 230, wide / 2 - 22, 32, pen.paper))
    return glass + lid + pen.pick(cloth, "") + label + line(f"M{left + 40} 230h{wide - 80}", pen.accent, 6)


def bottle(pen: PicturePen) -> str:
    """A bottle with a label."""
    wide = pen.between(74, 104)
    left = 200 - wide / 2
    neck = rect(182, 84, 36, 90, pen.main, 6) + rect(178, 76, 44, 26, pen.dark, 6)
    body = shape(
        f"M{left} 302v-120q0-26 {wide / 2}-46q{wide / 2} 20 {wide / 2} 46v120q0 4-4 4h{8 - wide}q-4 0-4-4z", pen.main
    )
    label = rect(left, 206, wide, pen.between(44, 70), pen.paper) + circle(200, 230, 14, pen.accent)
    return neck + body + label + rect(left + 9, 180, 7, 112, pen.light, 3)


def fruit(pen: PicturePen) -> str:
    """An apple or an orange."""
    leaf = shape("M204 128q20-46 66-38q-10 44-66 38z", "#6fa55f")
    stem = line("M200 150q-2-26 10-40", "#6b4a34", 9)
    apple = shape("M200 150q-92-40-96 46q6 98 72 106q24-8 48 0q66-8 72-106q-4-86-96-46z", pen.main)
    round_one = circle(200, 222, 84, pen.main) + line("M150 180q14-24 38-30", pen.light, 10)
    return pen.pick(apple + line("M132 190q4-20 20-24", pen.light, 10), round_one) + stem + leaf


def vegetable(pen: PicturePen) -> str:
    """A carrot or a pepper."""
    greens = line("M200 140q-4-34-30-52M200 140v-64M200 140q6-34 34-50", "#6fa55f", 12)
    carrot = shape("M160 144q40-24 80 0q-4 96-40 164q-36-68-40-164z", "#e58b48")
    carrot += line("M170 186h28M214 214h18M182 246h20", "#c66f33", 6)
    pepper = shape("M200 150q-34-30-74-8q-28 60 14 138q28 30 60 10q32 20 60-10q42-78 14-138q-40-22-74 8z", pen.main)
    return pen.pick(turned(greens + carrot, pen.between(10, 30)), line("M200 152q0-36 20-48", "#6fa55f", 16) + pepper)


def bread(pen: PicturePen) -> str:
    """A loaf."""
    loaf = shape("M96 220q0-76 104-76t104 76v60q0 20-20 20h-168q-20 0-20-20z", "#d9a066")
    crust = shape("M96 220q0-76 104-76t104 76q-24-22-104-22t-104 22z", "#b97b45")
    cuts = "".join(line(f"M{x} 172l22-18", "#f0d2a4", 9) for x in (140, 188, 236))
    return loaf + crust + cuts + rect(96, pen.between(236, 250), 208, 26, pen.main)


def cheese(pen: PicturePen) -> str:
    """A wedge of cheese."""
    wedge = shape("M90 236l190-92q30 40 30 92z", "#f3cf6b") + rect(90, 236, 220, 62, "#e8b94a", 4)
    holes = "".join(
        circle(x, y, r, "#d29f33") for x, y, r in ((140, 266, 13), (206, 272, 9), (262, 260, 15), (246, 202, 11))
    )
    return wedge + holes + rect(90, 290, 220, 10, pen.main, 4)


def fish(pen: PicturePen) -> str:
    """A fish on a plate."""
    body = shape("M96 210q70-86 166-14l52-36q-14 46 0 94l-52-34q-96 78-166-10z", pen.main)
    return (
        ellipse(200, 262, 140, 34, pen.paper)
        + body
        + circle(138, 204, 8, pen.paper)
        + line("M176 184q16 26 0 52", pen.dark, 6)
    )


def meat(pen: PicturePen) -> str:
    """A steak."""
    steak = shape("M110 190q20-76 110-60q90 10 84 86q-10 76-90 68q-50-6-70-22q-50-18-34-72z", "#c7605a")
    fat = line("M110 190q20-76 110-60q90 10 84 86", "#f1d9cf", 16)
    return steak + fat + ellipse(190, 220, 26, 17, "#f1d9cf") + rect(90, 296, 220, 10, pen.main, 5)


def carton(pen: PicturePen) -> str:
    """A carton of milk or juice."""
    box = (
        rect(136, 170, 128, 132, pen.paper)
        + shape("M136 170l28-54h72l28 54z", pen.light)
        + rect(160, 92, 80, 26, pen.main)
    )
    return (
        box
        + rect(136, 204, 128, 60, pen.main)
        + pen.pick(circle(200, 234, 20, pen.paper), circle(200, 234, 20, pen.accent))
    )


def can(pen: PicturePen) -> str:
    """A tin."""
    tall = pen.between(130, 180)
    top = 300 - tall
    tin = rect(136, top, 128, tall, "#c9d1d6", 10) + rect(136, top + 20, 128, tall - 40, pen.main)
    return (
        tin
        + ellipse(200, top + 4, 64, 14, "#e4e9ec")
        + pen.pick(circle(200, top + tall / 2, 32, pen.paper), rect(136, top + tall / 2 - 16, 128, 32, pen.paper))
    )


def cake(pen: PicturePen) -> str:
    """A cake on a stand."""
    stand = ellipse(200, 276, 120, 14, pen.paper) + rect(188, 276, 24, 28, pen.paper)
    layers = rect(116, 196, 168, 78, pen.main, 10) + rect(116, 226, 168, 14, pen.light)
    icing = shape(
        "M110 204q0-34 30-34h120q30 0 30 34q-14 26-28 0q-16 34-32 0q-14 24-30 0q-18 32-32 0q-14 24-30 0q-14 26-28 0z",
        pen.paper,
    )
    return stand + layers + icing + circle(200, 158, 16, pen.accent)
