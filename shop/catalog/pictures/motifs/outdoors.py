"""Things for the garden, the road and the workshop."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned

GREENS = ("#6f9f6a", "#4f8560", "#8bb174", "#5d9478")
WOOD = "#b98a5b"


def plant(pen: PicturePen) -> str:
    """A plant with broad leaves, in a pot."""
    green, deep, count = pen.pick(*GREENS), "#3f6f52", pen.between(4, 7)
    leaves = "".join(
        turned(
            ellipse(200, 150, pen.between(17, 27), 62, green if n % 2 else deep), -60 + n * 120 / (count - 1), 200, 222
        )
        for n in range(count)
    )
    return leaves + planter(pen)


def planter(pen: PicturePen) -> str:
    """The pot in which a plant stands."""
    return shape("M144 216h112l-14 86h-84z", pen.main) + rect(136, 204, 128, 24, pen.dark, 6)


def pot(pen: PicturePen) -> str:
    """A planter, with or without something in it."""
    top = pen.between(160, 200)
    body = pen.pick(
        shape(f"M112 {top}h176l-24 {302 - top}h-128z", pen.main),
        shape(f"M112 {top}h176q4 {302 - top}-60 {302 - top}h-56q-64 0-60-{302 - top}z", pen.main),
    )
    rim = rect(102, top - 14, 196, 30, pen.dark, 8)
    band = pen.pick(
        line("M130 250l18-18 18 18 18-18 18 18 18-18 18 18 18-18 14 14", pen.light, 6),
        rect(128, 246, 144, 14, pen.light, 6),
        "",
    )
    sprout = (
        line(f"M200 {top - 12}v-44", "#6f9f6a", 7)
        + ellipse(182, top - 62, 22, 11, "#6f9f6a")
        + ellipse(220, top - 70, 22, 11, "#8bb174")
    )
    return pen.pick(sprout, "") + body + rim + band


def seeds(pen: PicturePen) -> str:
    """A packet of seeds, with a flower on it."""
    petals = "".join(turned(ellipse(200, 176, 13, 26, pen.accent), n * 60, 200, 204) for n in range(6))
    return packet(pen, line("M200 210v74", "#6f9f6a", 7) + petals + circle(200, 204, 14, pen.main))


def packet(pen: PicturePen, picture: str) -> str:
    """A packet with a picture on it."""
    paper = rect(124, 84, 152, 218, pen.paper, 6) + rect(124, 84, 152, 46, pen.main, 6)
    return turned(paper + picture, pen.between(-8, 8))


def flower(pen: PicturePen) -> str:
    """A bunch of flowers."""
    heads = ((150, 140), (200, 104), (252, 138), (176, 182), (230, 186))[: pen.between(3, 5)]
    stems = "".join(line(f"M{x} {y}L200 290", "#6f9f6a", 6) for x, y in heads)
    around = ((0, -20), (19, -6), (12, 16), (-12, 16), (-19, -6))
    petals = "".join(f"M{x} {y}l{dx} {dy}" for x, y in heads for dx, dy in around)
    half = petals.index(f"M{heads[2][0]} ")
    blooms = line(petals[:half], pen.main, 19) + line(petals[half:], pen.accent, 19)
    blooms += "".join(circle(x, y, 10, "#f3cf6b") for x, y in heads)
    return stems + blooms + shape("M152 214q48 24 96 0l-24 90h-48z", pen.paper) + line("M176 262h48", pen.dark, 8)


def trowel(pen: PicturePen) -> str:
    """A trowel."""
    blade = shape("M152 194h96q4 70-48 116q-52-46-48-116z", pen.main) + line("M200 208v72", pen.light, 6)
    return turned(short_handle(pen) + blade, pen.between(-28, 28))


def short_handle(pen: PicturePen) -> str:
    """The handle of a tool for one hand."""
    return rect(184, 74, 32, 104, WOOD, 14) + rect(188, 168, 24, 26, pen.dark, 4)


def tool(pen: PicturePen) -> str:
    """A hammer."""
    head = rect(126, 90, 118, 50, pen.dark, 10) + shape("M244 96q44 4 54 38l-54-4z", pen.dark)
    return turned(rect(187, 130, 26, 176, pen.main, 10) + head, pen.between(-30, 30))


def tent(pen: PicturePen) -> str:
    """A tent."""
    ridge = (
        shape("M200 110l126 190h-252z", pen.main)
        + shape("M200 110l44 190h-88z", pen.dark)
        + shape("M200 130v170h-44z", pen.light)
    )
    dome = (
        shape("M72 300q10-150 128-154q118 4 128 154z", pen.main)
        + shape("M160 300q0-96 40-100q40 4 40 100z", pen.dark)
        + line("M200 146q-70 30-84 154M200 146q70 30 84 154", pen.light, 5)
    )
    return pen.pick(ridge, dome) + line("M74 298l-26 8M326 298l26 8", pen.accent, 6)


def bicycle(pen: PicturePen) -> str:
    """A bicycle."""
    wheels = "".join(
        f'<circle cx="{x}" cy="242" r="56" fill="none" stroke="{pen.dark}" stroke-width="10"/>'
        + circle(x, 242, 7, pen.dark)
        for x in (118, 282)
    )
    frame = line("M118 242l44-80h92l28 80M162 162l38 80h-82M200 242l54-80", pen.main, 10)
    bars = line(pen.pick("M254 162l-8-30h30", "M254 162l-8-30h-14q-18 2-14 20"), pen.dark, 9) + line(
        "M162 162l-6-24M138 136h36", pen.dark, 10
    )
    return wheels + frame + bars + circle(200, 242, 13, pen.accent)


def ball(pen: PicturePen) -> str:
    """A football."""
    seams = line("M200 158v-46M246 192l44-14M228 246l28 38M172 246l-28 38M154 192l-44-14", pen.dark, 7)
    return circle(200, 206, 96, pen.main) + shape("M200 158l46 34-18 54h-56l-18-54z", pen.dark) + seams


def dumbbell(pen: PicturePen) -> str:
    """A dumbbell."""
    inner = rect(92, 160, 36, 114, pen.main, 10) + rect(272, 160, 36, 114, pen.main, 10)
    outer = rect(74, 186, 22, 62, pen.accent, 8) + rect(304, 186, 22, 62, pen.accent, 8)
    return rect(130, 206, 140, 22, pen.dark, 8) + inner + outer
