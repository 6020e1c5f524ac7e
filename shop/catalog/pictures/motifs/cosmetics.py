"""Bottles, pots and tools for skin and hair."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned

GOLD = "#d8b35c"


def cream_pot(pen: PicturePen) -> str:
    """A pot with a lid."""
    pot = rect(116, 196, 168, 106, pen.main, 20) + rect(110, 158, 180, 46, pen.dark, 10)
    return pot + circle(200, 250, 32, pen.paper) + shape("M186 266q0-32 30-34q0 34-30 34z", pen.accent)


def cap_bottle(pen: PicturePen) -> str:
    """A bottle that stands on its cap."""
    body = shape("M140 92h120q10 0 10 12l-14 156h-112l-14-156q0-12 10-12z", pen.main)
    return (
        rect(148, 258, 104, 44, pen.dark, 8)
        + body
        + rect(158, 130, 84, 88, pen.paper, 8)
        + circle(200, 174, 22, pen.accent)
    )


def dropper(pen: PicturePen) -> str:
    """A small bottle with a pipette."""
    top = rect(184, 80, 32, 52, pen.dark, 14) + rect(172, 126, 56, 34, GOLD, 4)
    body = shape("M176 158h48q30 8 30 36v92q0 16-16 16h-76q-16 0-16-16v-92q0-28 30-36z", pen.main)
    return top + body + rect(162, 210, 76, 60, pen.paper, 6) + shape("M200 218q26 34 0 44q-26-10 0-44z", pen.accent)


def tube(pen: PicturePen) -> str:
    """A tube."""
    body = shape("M136 92h128l-22 168h-84z", pen.main) + rect(130, 80, 140, 18, pen.dark, 4)
    return (
        rect(164, 258, 72, 44, pen.dark, 8)
        + body
        + rect(166, 136, 68, 76, pen.paper, 8)
        + line("M180 160h40M180 180h28", pen.accent, 7)
    )


def spray_can(pen: PicturePen) -> str:
    """A can with a spray head."""
    can = (
        rect(150, 132, 100, 170, pen.main, 12)
        + rect(162, 104, 76, 36, pen.dark, 16)
        + rect(186, 80, 28, 28, pen.accent, 6)
    )
    return can + rect(150, 186, 100, 66, pen.paper) + circle(200, 219, 20, pen.accent)


def round_tin(pen: PicturePen) -> str:
    """A flat tin, open, with its lid."""
    lid = ellipse(252, 200, 78, 62, pen.dark) + ellipse(252, 196, 64, 50, pen.main)
    base = ellipse(168, 262, 96, 38, pen.dark) + ellipse(168, 250, 96, 38, GOLD) + ellipse(168, 250, 80, 29, pen.light)
    return lid + base + ellipse(160, 246, 36, 11, pen.paper)


def vials(pen: PicturePen) -> str:
    """Five vials in a box."""
    glasses = "".join(
        rect(98 + n * 44, 132, 28, 120, (pen.main, pen.accent, pen.light, pen.dark, pen.main)[n], 8)
        + rect(102 + n * 44, 110, 20, 26, GOLD, 4)
        for n in range(5)
    )
    return glasses + rect(78, 210, 244, 90, pen.paper, 8) + line("M130 256h140", pen.dark, 7)


def razor(pen: PicturePen) -> str:
    """A razor."""
    head = rect(138, 98, 124, 34, pen.dark, 10) + rect(146, 128, 108, 10, pen.paper)
    return turned(head + rect(188, 138, 24, 164, pen.main, 12), pen.between(-18, 18))


def comb(pen: PicturePen) -> str:
    """A comb."""
    teeth = "".join(line(f"M{100 + n * 14} 200v72", pen.main, 6) for n in range(15))
    return turned(rect(86, 156, 228, 54, pen.main, 20) + teeth + rect(112, 174, 120, 10, pen.light, 5), -12)


def nail_kit(pen: PicturePen) -> str:
    """An open case with scissors, a file and clippers."""
    case = rect(84, 112, 232, 188, pen.main, 22) + rect(98, 126, 204, 160, pen.light, 14)
    scissors = (
        line("M136 150l34 88M170 150l-34 88", pen.paper, 8)
        + circle(134, 254, 15, pen.dark)
        + circle(172, 254, 15, pen.dark)
    )
    return (
        case
        + scissors
        + rect(206, 148, 18, 120, pen.accent, 9)
        + rect(246, 160, 30, 104, pen.paper, 8)
        + line("M261 160v-12", pen.dark, 7)
    )


def hair_clipper(pen: PicturePen) -> str:
    """A hair clipper."""
    blade = rect(152, 84, 96, 36, pen.paper, 4) + "".join(
        line(f"M{162 + n * 15} 84v-12", pen.paper, 7) for n in range(6)
    )
    return turned(
        blade
        + rect(148, 116, 104, 186, pen.main, 34)
        + rect(184, 150, 32, 60, pen.dark, 14)
        + circle(200, 250, 9, pen.accent),
        12,
    )
