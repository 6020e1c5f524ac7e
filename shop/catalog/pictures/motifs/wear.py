"""Things to wear and to carry, and cosmetics."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def shirt(pen: PicturePen) -> str:
    """A shirt, plain or patterned."""
    body = shape("M150 96l-70 44 26 56 34-18v122h120v-122l34 18 26-56-70-44q-50 40-100 0z", pen.main)
    collar = shape("M150 96q50 40 100 0l-10 30q-40 22-80 0z", pen.dark)
    detail = pen.pick(
        "".join(rect(140, y, 120, 14, pen.light) for y in (190, 222, 254)),
        line("M200 132v160", pen.light, 4) + "".join(circle(200, y, 5, pen.paper) for y in (160, 200, 240, 280)),
        rect(214, 170, 34, 36, pen.dark, 4),
        circle(200, 206, 30, pen.accent),
        "",
    )
    return body + collar + detail


def trousers(pen: PicturePen) -> str:
    """A pair of trousers."""
    legs = shape("M138 90h124l20 214h-58l-24-124-24 124h-58z", pen.main)
    belt = rect(136, 86, 128, 24, pen.dark, 4) + rect(190, 86, 20, 24, pen.accent, 3)
    pockets = line("M150 122q4 26-14 34M250 122q-4 26 14 34", pen.light, 5)
    return legs + belt + pockets + line("M200 112v40", pen.dark, 4)


def jumper(pen: PicturePen) -> str:
    """A knitted jumper."""
    body = shape("M148 100q52 34 104 0l50 32 22 132-44 8-18-80v104h-124v-104l-18 80-44-8 22-132z", pen.main)
    hem = rect(138, 282, 124, 20, pen.dark, 6) + line("M150 104q50 32 100 0", pen.dark, 13)
    zigzag = line("M138 190l16-18 16 18 16-18 16 18 16-18 16 18 16-18 12 14", pen.light, 8)
    hoops = "".join(rect(138, y, 124, 13, pen.light) for y in (168, 200, 232))
    return body + hem + pen.pick(zigzag, hoops, zigzag + line("M138 230h124", pen.accent, 9), "")


def shoe(pen: PicturePen) -> str:
    """A low shoe from the side."""
    low = shape("M92 208q34 14 62-20l24-4q44 56 112 66q24 6 24 34h-222z", pen.main)
    laces = line("M170 214l20-12M190 234l20-14M214 250l18-16", pen.paper, 7)
    return low + shape("M244 240q70 6 70 44h-60z", pen.accent) + laces + sole(pen)


def sole(pen: PicturePen) -> str:
    """The sole of a shoe or boot."""
    return rect(84, 278, 236, 24, pen.paper, 10) + rect(84, 290, 236, 12, pen.dark, 6)


def bag(pen: PicturePen) -> str:
    """A bag with two handles."""
    handles = line("M150 170q0-84 50-84t50 84", pen.dark, 11)
    pocket = pen.pick(rect(150, 210, 100, 64, pen.light, 8), circle(200, 228, 22, pen.accent))
    return handles + shape("M112 160h176l16 140h-208z", pen.main) + pocket


def backpack(pen: PicturePen) -> str:
    """A rucksack."""
    straps = line("M118 190q-28 40-8 96M282 190q28 40 8 96", pen.dark, 13) + line("M176 100q24-34 48 0", pen.dark, 9)
    body = rect(118, 98, 164, 204, pen.main, 50) + rect(136, 206, 128, 82, pen.light, 20)
    return (
        straps
        + body
        + line("M150 232h100", pen.dark, 6)
        + pen.pick(rect(136, 150, 128, 18, pen.accent, 8), line("M140 160q60 26 120 0", pen.accent, 9))
    )


def gem(pen: PicturePen) -> str:
    """A ring with a stone."""
    stone = shape("M160 120h80l30 36-70 76-70-76z", pen.main) + shape("M174 156h52l-26 76z", pen.accent)
    stone += shape("M160 120l14 36-44 0zM240 120l-14 36 44 0z", pen.light)
    ring = '<circle cx="200" cy="246" r="58" fill="none" stroke="#d8b35c" stroke-width="14"/>'
    return ring + f'<g transform="translate(50 40) scale(.75)">{stone}</g>'


def watch(pen: PicturePen) -> str:
    """A wristwatch."""
    strap = rect(168, 60, 64, 280, pen.main, 18) + line("M200 296v.1M200 276v.1M200 316v.1", pen.dark, 8)
    case = pen.pick(
        circle(200, 200, 74, pen.dark) + circle(200, 200, 60, pen.paper),
        rect(132, 132, 136, 136, pen.dark, 34) + rect(146, 146, 108, 108, pen.paper, 24),
    )
    marks = "".join(turned(rect(197, 150, 6, 12, pen.dark), n * 90) for n in range(4))
    hands = turned(line("M200 200v-32", pen.dark, 8), pen.between(0, 360)) + turned(
        line("M200 200v-42", pen.accent, 5), pen.between(0, 360)
    )
    return strap + rect(270, 190, 14, 20, pen.dark, 4) + case + marks + hands + circle(200, 200, 6, pen.dark)


def pump(pen: PicturePen) -> str:
    """A bottle with a pump."""
    head = rect(182, 136, 36, 32, pen.dark, 4) + line("M200 138v-24h-44", pen.dark, 13)
    label = pen.pick(rect(164, 206, 72, 66, pen.paper, 6), circle(200, 242, 32, pen.paper))
    return head + rect(146, 166, 108, 136, pen.main, 18) + label + shape("M186 254q0-36 34-38q0 38-34 38z", pen.accent)


def perfume(pen: PicturePen) -> str:
    """A flacon."""
    flacon = pen.pick(
        rect(124, 168, 152, 134, pen.main, 16),
        circle(200, 232, 72, pen.main),
        shape("M200 160l84 56-26 86h-116l-26-86z", pen.main),
    )
    neck = rect(180, 128, 40, 40, "#d8b35c", 4) + pen.pick(
        rect(172, 88, 56, 44, pen.dark, 8), circle(200, 108, 26, pen.dark)
    )
    return (
        neck
        + flacon
        + rect(160, 214, 80, 50, pen.paper, 6)
        + line("M178 240h44", pen.accent, 6)
        + rect(140, 200, 8, 70, pen.light, 4)
    )


def brush(pen: PicturePen) -> str:
    """A shaving brush."""
    hairs = line("M180 180l-8-66M200 180v-76M220 180l8-66", pen.dark, 3)
    handle = shape("M150 186h100l-16 40q30 40 10 76h-88q-20-36 10-76z", pen.main)
    return (
        shape("M146 190q-14-80 54-100q68 20 54 100z", pen.light)
        + hairs
        + handle
        + rect(150, 182, 100, 16, "#d8b35c", 6)
    )


def medicine(pen: PicturePen) -> str:
    """A bottle of tablets."""
    bottle = rect(136, 156, 128, 146, pen.main, 18) + rect(128, 108, 144, 52, pen.paper, 12)
    plus = (
        rect(150, 196, 100, 76, pen.paper, 8)
        + rect(190, 208, 20, 52, pen.accent, 3)
        + rect(174, 224, 52, 20, pen.accent, 3)
    )
    return bottle + plus + ellipse(304, 290, 26, 13, pen.light)
