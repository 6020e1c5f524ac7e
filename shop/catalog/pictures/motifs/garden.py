"""Things for garden and workshop, each with its own outline."""

from shop.catalog.pictures.motifs.outdoors import WOOD, packet, planter, short_handle
from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned

STEEL, LEAF, DEEP_LEAF = "#b9c2c8", "#6f9f6a", "#3f6f52"


def bladed_plant(pen: PicturePen) -> str:
    """A plant with long narrow leaves, in a pot."""
    blades = "".join(
        shape(
            f"M{160 + n * 14} 222q{-40 + n * 14}-80 {-30 + n * 12}-{pen.between(104, 150)}q20 60 24 150z",
            LEAF if n % 2 else DEEP_LEAF,
        )
        for n in range(6)
    )
    return blades + planter(pen)


def small_tree(pen: PicturePen) -> str:
    """A tree in a pot."""
    crown = circle(200, 116, 56, LEAF) + circle(156, 146, 34, DEEP_LEAF) + circle(244, 146, 34, DEEP_LEAF)
    fruits = "".join(ellipse(x, y, 7, 10, "#3d3a52") for x, y in ((176, 104), (220, 124), (196, 148), (232, 96)))
    return line("M200 216v-70", WOOD, 13) + crown + fruits + planter(pen)


def window_box(pen: PicturePen) -> str:
    """A long box with flowers."""
    flowers = "".join(
        line(f"M{96 + n * 42} 214v-{40 + 18 * (n % 2)}", LEAF, 7)
        + circle(96 + n * 42, 168 - 18 * (n % 2), 18, (pen.accent, pen.light)[n % 2])
        for n in range(6)
    )
    return flowers + rect(66, 208, 268, 90, pen.main, 8) + rect(58, 200, 284, 24, pen.dark, 8)


def hanging_basket(pen: PicturePen) -> str:
    """A basket on three chains, with trailing leaves."""
    chains = line("M200 40l-84 142M200 40l84 142M200 40v130", pen.dark, 5)
    leaves = "".join(ellipse(118 + n * 27, 190 + 16 * (n % 2), 22, 26, LEAF if n % 2 else DEEP_LEAF) for n in range(7))
    return (
        chains
        + shape("M104 200h192q-8 98-96 100q-88-2-96-100z", pen.main)
        + leaves
        + line("M118 212v52M284 212v44", LEAF, 8)
        + circle(166, 186, 11, pen.accent)
        + circle(236, 190, 11, pen.accent)
    )


def saucer(pen: PicturePen) -> str:
    """A flat dish for under a pot."""
    return (
        shape("M82 250h236q-14 46-50 46h-136q-36 0-50-46z", pen.main)
        + ellipse(200, 250, 118, 24, pen.dark)
        + ellipse(200, 252, 96, 17, pen.light)
    )


def watering_can(pen: PicturePen) -> str:
    """A watering can."""
    spout = line("M236 250l80-92", pen.dark, 16) + shape("M296 136l46 36 14-18-46-36z", pen.dark)
    handle = line("M128 190q-60 10-44 66q10 20 44 24M150 168q38-60 76 0", pen.dark, 12)
    return spout + handle + rect(120, 168, 124, 132, pen.main, 14) + rect(120, 196, 124, 16, pen.light)


def tomato_seeds(pen: PicturePen) -> str:
    """A packet with a tomato on it."""
    return packet(pen, circle(200, 220, 42, "#d8503f") + shape("M200 184l10 12 18-4-12 16h-32l-12-16 18 4z", LEAF))


def leaf_seeds(pen: PicturePen) -> str:
    """A packet with leaves on it."""
    leaves = turned(ellipse(200, 194, 20, 48, LEAF), -34, 200, 256) + turned(
        ellipse(200, 194, 20, 48, DEEP_LEAF), 34, 200, 256
    )
    return packet(pen, leaves + ellipse(200, 196, 18, 50, LEAF) + line("M200 208v72", DEEP_LEAF, 5))


def bean_seeds(pen: PicturePen) -> str:
    """A packet with a pod on it."""
    pod = shape("M152 268q-4-70 92-106q8 74-92 106z", LEAF) + "".join(
        circle(172 + n * 19, 244 - n * 20, 10, DEEP_LEAF) for n in range(4)
    )
    return packet(pen, pod)


def bulbs(pen: PicturePen) -> str:
    """Three bulbs with shoots."""
    one = shape("M0-70q50 40 36 84q-12 26-36 26t-36-26q-14-44 36-84z", "#b5793f") + line(
        "M0-66v-30M-8-62q-10-16-16-18", LEAF, 8
    )
    one += line("M-14 40q-4 10-10 14M0 40v16M14 40q4 10 10 14", "#8a5a2e", 4)
    return "".join(
        f'<g transform="translate({x} {y})">{one}</g>' for x, y in ((128, 238), (272, 238), (200, 250))
    ) + rect(150, 268, 100, 34, pen.main, 6)


def secateurs(pen: PicturePen) -> str:
    """A pair of secateurs."""
    blades = shape("M196 176q-30-60 4-100q34 40 22 100z", STEEL) + shape(
        "M180 176q-34-20-30-64q30 20 46 60z", "#8e999f"
    )
    handles = line("M190 190q-50 40-46 110M212 190q50 40 46 110", pen.main, 24)
    return turned(blades + handles + circle(200, 184, 15, pen.dark), 14)


def _long_tool(pen: PicturePen, head: str) -> str:
    return turned(rect(191, 60, 18, 170, WOOD, 8) + rect(188, 50, 24, 26, pen.dark, 8) + head, 12)


def spade(pen: PicturePen) -> str:
    """A spade."""
    return _long_tool(
        pen, rect(190, 206, 20, 30, pen.dark) + shape("M158 226h84v48q-8 30-42 40q-34-10-42-40z", pen.main)
    )


def rake(pen: PicturePen) -> str:
    """A rake."""
    teeth = line("".join(f"M{132 + n * 27} 250v44" for n in range(6)), pen.main, 10)
    return _long_tool(pen, line("M200 226v22M128 250h144", pen.main, 15) + teeth)


def hoe(pen: PicturePen) -> str:
    """A hoe."""
    return _long_tool(pen, line("M200 226v30h40", pen.dark, 13) + shape("M168 252h96v44h-110z", pen.main))


def hand_fork(pen: PicturePen) -> str:
    """A small fork."""
    prongs = line("M200 190v30M158 300v-60q0-20 42-20t42 20v60M200 220v84", pen.main, 13)
    return turned(short_handle(pen) + prongs, pen.between(-20, 20))


def spanner(pen: PicturePen) -> str:
    """A spanner."""
    jaws = shape("M160 84v40l40 32 40-32v-40l-20 34h-40z", pen.main)
    return turned(
        line("M200 150v120", pen.main, 30) + jaws + circle(200, 282, 32, pen.main) + circle(200, 282, 14, pen.paper),
        pen.between(-30, 30),
    )


def screwdriver(pen: PicturePen) -> str:
    """A screwdriver."""
    handle = rect(178, 80, 44, 104, pen.main, 18) + line("M190 96v70M210 96v70", pen.light, 5)
    return turned(handle + rect(193, 184, 14, 100, STEEL) + rect(188, 282, 24, 18, "#8e999f", 3), pen.between(-30, 30))


def saw(pen: PicturePen) -> str:
    """A hand saw."""
    blade = shape("M132 168L336 214v30" + "l-9 12-9-12" * 11 + "z", STEEL)
    handle = rect(64, 150, 84, 110, pen.main, 24) + rect(86, 176, 38, 58, pen.light, 16)
    return turned(blade + handle, -8)


def spirit_level(pen: PicturePen) -> str:
    """A spirit level."""
    vial = (
        rect(156, 198, 88, 40, pen.paper, 18)
        + rect(162, 204, 76, 28, "#b7d64a", 14)
        + ellipse(196, 216, 17, 9, pen.paper)
    )
    return turned(
        rect(50, 184, 300, 72, pen.main, 10)
        + rect(50, 236, 300, 20, pen.dark, 6)
        + vial
        + circle(96, 214, 15, pen.light)
        + circle(304, 214, 15, pen.light),
        -10,
    )


def pliers(pen: PicturePen) -> str:
    """A pair of pliers."""
    jaws = shape("M188 164q-22-44 4-86l6 86zM212 164q22-44-4-86l-6 86z", "#8e999f")
    return turned(
        line("M192 182q-48 40-40 120M208 182q48 40 40 120", pen.main, 24)
        + rect(176, 142, 48, 48, STEEL, 20)
        + jaws
        + circle(200, 168, 10, pen.dark),
        10,
    )


def chisel(pen: PicturePen) -> str:
    """Two chisels."""
    one = (
        rect(-20, -110, 40, 96, pen.main, 14)
        + rect(-22, -116, 44, 16, "#d8b35c", 5)
        + shape("M-14-16h28v96l-28 18z", STEEL)
    )
    return (
        f'<g transform="translate(158 202) rotate(-12)">{one}</g><g transform="translate(246 202) rotate(14)">{one}</g>'
    )
