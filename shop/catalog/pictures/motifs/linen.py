"""Things of cloth for bed, bath and table."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, line, rect, shape


def bath_mat(pen: PicturePen) -> str:
    """A mat with fringes."""
    fringe = "".join(line(f"M{88 + n * 16} 150v-14M{88 + n * 16} 290v14", pen.dark, 5) for n in range(15))
    return (
        fringe
        + rect(76, 150, 248, 140, pen.main, 14)
        + rect(98, 172, 204, 96, pen.light, 8)
        + rect(124, 196, 152, 48, pen.main, 6)
    )


def bathrobe(pen: PicturePen) -> str:
    """A bathrobe with a belt."""
    robe = shape("M158 84h84l66 56-24 100-30-14 8 76h-124l8-76-30 14-24-100z", pen.main)
    collar = shape("M158 84l42 120 42-120-24 0-18 64-18-64z", pen.dark)
    return robe + collar + rect(142, 200, 116, 18, pen.accent, 6) + line("M206 214l16 56", pen.accent, 9)


def tablecloth(pen: PicturePen) -> str:
    """A table under a cloth."""
    cloth = shape(
        "M76 164h248l14 96q-22 26-44 0q-22 26-46 0q-24 26-48 0q-24 26-48 0q-24 26-46 0q-22 26-44 0z", pen.main
    )
    return (
        line("M112 250v50M288 250v50", pen.dark, 11)
        + cloth
        + rect(76, 156, 248, 18, pen.light, 8)
        + line("M84 230h232", pen.accent, 6)
    )


def napkins(pen: PicturePen) -> str:
    """Folded napkins in a ring."""
    fan = "".join(
        shape(f"M200 232l{-110 + n * 44} -{96 + 24 * (2 - abs(n - 2))}l44 0z", (pen.main, pen.light)[n % 2])
        for n in range(5)
    )
    return fan + shape("M200 226l-62 74h124z", pen.main) + rect(172, 214, 56, 28, pen.accent, 14)


def table_runner(pen: PicturePen) -> str:
    """A long strip of cloth over a table."""
    board = rect(56, 186, 288, 24, "#b98a5b", 8) + line("M84 210v90M316 210v90", "#8f6840", 12)
    return (
        board
        + shape("M140 182h120v92l-60 26-60-26z", pen.main)
        + rect(140, 182, 120, 26, pen.light)
        + line("M152 256l48 22 48-22", pen.accent, 7)
    )


def tea_towel(pen: PicturePen) -> str:
    """A striped cloth on a rail."""
    stripes = (
        rect(132, 216, 136, 10, pen.light) + rect(132, 234, 136, 10, pen.accent) + rect(132, 252, 136, 10, pen.light)
    )
    return line("M90 120h220", pen.dark, 12) + rect(132, 116, 136, 170, pen.main, 6) + stripes


def apron(pen: PicturePen) -> str:
    """An apron with a pocket."""
    ties = line("M162 96q38-52 76 0", pen.dark, 9) + line("M118 198l-46 22M282 198l46 22", pen.dark, 9)
    bib = shape("M160 92h80l10 84q34 10 34 34v92h-168v-92q0-24 34-34z", pen.main)
    return ties + bib + rect(154, 222, 92, 50, pen.light, 8) + line("M200 222v50", pen.dark, 4)


def oven_glove(pen: PicturePen) -> str:
    """A thick mitten."""
    glove = shape("M150 300v-120q0-88 62-88t56 88v24q34-40 52-14q10 22-52 74v36z", pen.main)
    return (
        glove
        + rect(144, 270, 130, 34, pen.dark, 8)
        + line("M176 150l52 52M176 202l52-52", pen.light, 7)
        + line("M152 288q-24-6-20-34", pen.accent, 7)
    )


def placemats(pen: PicturePen) -> str:
    """Mats in a pile, with a fork and a knife."""
    pile = (
        rect(92, 262, 216, 36, pen.dark, 14)
        + rect(86, 246, 228, 36, pen.accent, 14)
        + rect(80, 150, 240, 116, pen.main, 18)
    )
    fork = line("M150 180v66M138 180v18q0 12 12 12t12-12v-18", pen.paper, 6)
    return pile + rect(98, 166, 204, 84, pen.light, 10) + fork + line("M250 246v-66q14 16 0 40", pen.paper, 7)


def blanket(pen: PicturePen) -> str:
    """A folded blanket with fringes."""
    folds = (
        rect(96, 214, 208, 46, pen.main, 20)
        + rect(96, 168, 208, 50, pen.light, 22)
        + rect(96, 256, 208, 44, pen.dark, 18)
    )
    fringe = "".join(line(f"M{112 + n * 20} 216v22", pen.paper, 5) for n in range(10))
    return folds + fringe + line("M118 186h164", pen.accent, 9)


def bolster(pen: PicturePen) -> str:
    """A round long cushion."""
    return (
        rect(72, 190, 256, 96, pen.main, 46)
        + circle(118, 238, 48, pen.light)
        + circle(118, 238, 9, pen.dark)
        + line("M118 206v64M86 238h64", pen.main, 4)
        + rect(226, 190, 22, 96, pen.accent)
    )


def pillow(pen: PicturePen) -> str:
    """Two pillows."""
    one = "M0 10q100-26 200 0q16 52 0 104q-100 24-200 0q-16-52 0-104z"
    under = f'<g transform="translate(112 184)">{shape(one, pen.dark)}</g>'
    return (
        under
        + f'<g transform="translate(92 138)">{shape(one, pen.main)}</g>'
        + line("M120 172q70-16 144-2", pen.light, 8)
    )


def mattress(pen: PicturePen) -> str:
    """A quilted mattress."""
    quilt = "".join(line(f"M{96 + n * 44} 204l22 22 22-22", pen.light, 5) for n in range(5))
    return (
        rect(62, 190, 276, 52, pen.main, 20)
        + quilt
        + rect(62, 238, 276, 58, pen.paper, 16)
        + line("M80 268h240", pen.accent, 6)
    )
