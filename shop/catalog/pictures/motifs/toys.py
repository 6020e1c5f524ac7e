"""Toys and games, each with its own outline."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned
from shop.catalog.pictures.motifs.play import soft_toy


def train(pen: PicturePen) -> str:
    """An engine with a waggon."""
    engine = (
        rect(84, 200, 122, 66, pen.main, 12)
        + rect(150, 142, 60, 124, pen.dark, 8)
        + rect(164, 156, 32, 36, pen.paper, 4)
        + rect(100, 164, 26, 40, pen.dark, 6)
    )
    wheels = "".join(circle(x, 280, 22, pen.accent) + circle(x, 280, 8, pen.paper) for x in (112, 176, 256, 312))
    return engine + line("M206 258h30", pen.dark, 8) + rect(232, 210, 104, 56, pen.light, 8) + wheels


def shape_sorter(pen: PicturePen) -> str:
    """A box with holes, and blocks."""
    holes = (
        circle(146, 236, 22, pen.dark) + rect(182, 214, 42, 42, pen.dark, 4) + shape("M262 258l24-44 24 44z", pen.dark)
    )
    blocks = (
        circle(130, 148, 24, pen.accent)
        + rect(178, 126, 44, 44, pen.light, 5)
        + shape("M250 170l26-48 26 48z", pen.accent)
    )
    return blocks + rect(94, 184, 226, 118, pen.main, 12) + holes


def pull_along_dog(pen: PicturePen) -> str:
    """A dog on wheels with a cord."""
    body = (
        rect(124, 192, 140, 58, pen.main, 24)
        + rect(222, 140, 74, 72, pen.main, 24)
        + ellipse(236, 172, 15, 30, pen.dark)
    )
    legs = (
        rect(138, 238, 24, 40, pen.dark, 6)
        + rect(226, 238, 24, 40, pen.dark, 6)
        + line("M126 204q-24-16-18-40", pen.main, 13)
    )
    wheels = "".join(circle(x, 280, 22, pen.accent) + circle(x, 280, 8, pen.paper) for x in (150, 240))
    return (
        line("M294 190q40 20 70-30", pen.accent, 5)
        + legs
        + body
        + wheels
        + circle(264, 164, 6, pen.dark)
        + circle(294, 180, 9, pen.dark)
    )


def play_kitchen(pen: PicturePen) -> str:
    """A toy stove with an oven."""
    rings = (
        ellipse(150, 148, 34, 10, pen.dark)
        + ellipse(250, 148, 34, 10, pen.dark)
        + rect(126, 112, 48, 32, pen.accent, 6)
    )
    knobs = "".join(circle(136 + n * 43, 186, 10, pen.paper) for n in range(4))
    return (
        rect(96, 140, 208, 162, pen.main, 10)
        + rect(88, 132, 224, 24, pen.light, 8)
        + rings
        + knobs
        + rect(124, 212, 152, 72, pen.dark, 8)
        + rect(138, 232, 124, 40, "#f7b955", 6)
        + rect(150, 216, 100, 8, pen.paper, 4)
    )


def marble_run(pen: PicturePen) -> str:
    """Sloping rails with marbles."""
    rails = line("M112 124l152 32M288 184l-152 32M112 246l152 32", pen.main, 16)
    return (
        line("M98 96v206M302 96v206", pen.dark, 12)
        + rails
        + circle(150, 112, 15, pen.accent)
        + circle(214, 182, 15, pen.light)
        + circle(238, 256, 15, pen.accent)
    )


def rocking_horse(pen: PicturePen) -> str:
    """A horse on runners."""
    horse = shape("M108 232q-6-50 60-48q40 2 62-60l24-26 12 24 44 34-16 26-32-8q-14 24-18 68z", pen.main)
    mane = line("M236 112q-30 20-44 66", pen.dark, 13) + line("M110 206q-34 6-30 48", pen.dark, 12)
    return (
        line("M134 230l-12 52M226 236l22 48", pen.main, 17)
        + horse
        + mane
        + line("M76 270q124 58 256 0", pen.accent, 15)
        + circle(268, 134, 6, pen.dark)
        + rect(150, 176, 50, 26, pen.accent, 8)
    )


def rabbit(pen: PicturePen) -> str:
    """A rabbit of cloth."""
    ears = "".join(ellipse(x, 82, 19, 54, pen.main) + ellipse(x, 84, 9, 36, pen.light) for x in (166, 234))
    return soft_toy(pen, ears, ellipse(200, 174, 26, 20, pen.light) + shape("M192 164h16l-8 10z", pen.accent))


def fox(pen: PicturePen) -> str:
    """A fox of cloth."""
    ears = shape("M132 140l4-62 54 36zM268 140l-4-62-54 36z", pen.main)
    return soft_toy(
        pen,
        line("M262 282q70-10 54-74", pen.main, 30) + ears,
        shape("M140 160q60 20 120 0q-10 60-60 62q-50-2-60-62z", pen.paper) + circle(200, 206, 11, pen.dark),
    )


def elephant(pen: PicturePen) -> str:
    """An elephant of cloth."""
    ears = ellipse(126, 156, 46, 54, pen.dark) + ellipse(274, 156, 46, 54, pen.dark)
    return soft_toy(pen, ears, line("M200 168v44q0 34 34 28", pen.dark, 24))


def whale(pen: PicturePen) -> str:
    """A whale of cloth, asleep."""
    body = shape(
        "M70 230q10-92 120-92q100 4 116 76q14-4 20-40q30-2 34 18q-2 20-22 28q-10 74-110 78h-100q-58-8-58-68z", pen.main
    )
    return (
        line("M170 132q-4-30-24-34M170 132q2-32 24-36", pen.accent, 8)
        + body
        + shape("M74 244q60 40 150 22q-10 30-40 32h-56q-48-4-54-54z", pen.paper)
        + line("M112 214q12 10 24 0", pen.dark, 6)
    )


def comfort_blanket(pen: PicturePen) -> str:
    """A small blanket with a head."""
    cloth = shape("M200 172l128 60-44 64-42-18-42 24-42-24-42 18-44-64z", pen.main) + line(
        "M110 244l90-40 90 40", pen.light, 7
    )
    ears = circle(162, 96, 21, pen.accent) + circle(238, 96, 21, pen.accent)
    return (
        cloth
        + ears
        + circle(200, 138, 52, pen.accent)
        + line("M176 134q6 8 14 0M210 134q6 8 14 0", pen.dark, 5)
        + ellipse(200, 156, 9, 6, pen.dark)
    )


def hand_puppet(pen: PicturePen) -> str:
    """A puppet with open arms."""
    dress = shape("M164 166h72l84 30-12 40-62-14 14 80h-120l14-80-62 14-12-40z", pen.main)
    face = circle(200, 124, 54, "#f0cfae") + shape("M146 118q0-60 54-64q54 4 54 64q-54-34-108 0z", pen.accent)
    return (
        dress
        + face
        + circle(180, 130, 6, pen.dark)
        + circle(220, 130, 6, pen.dark)
        + line("M182 150q18 14 36 0", "#b4533f", 5)
        + circle(200, 210, 8, pen.paper)
        + circle(200, 246, 8, pen.paper)
    )


def puzzle_cube(pen: PicturePen) -> str:
    """A cube of many parts."""
    colours = (pen.main, pen.accent, pen.light, pen.dark)
    top = "".join(
        shape(f"M{200 + (x - y) * 36} {92 + (x + y) * 20}l36 20-36 20-36-20z", colours[(x + 2 * y) % 4])
        for x in range(3)
        for y in range(3)
    )
    left = "".join(
        shape(f"M{92 + x * 36} {154 + x * 20 + y * 42}l34 19v38l-34-19z", colours[(x + y) % 4])
        for x in range(3)
        for y in range(3)
    )
    right = "".join(
        shape(f"M{202 + x * 36} {213 - x * 20 + y * 42}l34-19v38l-34 19z", colours[(2 * x + y + 1) % 4])
        for x in range(3)
        for y in range(3)
    )
    return f'<g transform="translate(0 -34)">{top}{left}{right}</g>'


def board_game(pen: PicturePen) -> str:
    """A board with pawns."""
    squares = "".join(
        rect(94 + (n % 6) * 36, 178 + n // 6 * 36, 32, 32, (pen.light, pen.accent, pen.paper)[(n + n // 6) % 3], 4)
        for n in range(18)
    )
    pawn = circle(0, -46, 15, pen.dark) + shape("M-18 0q0-30 18-34q18 4 18 34z", pen.dark)
    return (
        rect(82, 166, 240, 132, pen.main, 10)
        + squares
        + "".join(f'<g transform="translate({x} {y})">{pawn}</g>' for x, y in ((146, 206), (256, 242)))
    )


def playing_cards(pen: PicturePen) -> str:
    """A hand of cards."""
    heart = shape("M200 226q-42-30-24-54q14-12 24 6q10-18 24-6q18 24-24 54z", pen.accent)
    backs = "".join(
        turned(rect(146, 104, 108, 160, colour, 10), angle, 200, 290)
        for angle, colour in ((-26, pen.main), (24, pen.light), (-2, pen.dark))
    )
    return backs + turned(
        rect(146, 112, 108, 160, pen.paper, 10) + heart + circle(162, 130, 7, pen.accent), 8, 200, 290
    )


def letter_tiles(pen: PicturePen) -> str:
    """Tiles with letters, on a rack."""
    # A picture may be mirrored: letters that stay the same.
    strokes = ("M14 16h34M31 16v36", "M31 15a15 18 0 1 0 .1 0z", "M16 52v-38l15 22 15-22v38")
    tiles = "".join(
        f'<g transform="translate({96 + n * 72} 184)">{rect(0, 0, 64, 68, pen.light, 8)}{line(stroke, pen.dark, 6)}</g>'
        for n, stroke in enumerate(strokes)
    )
    return tiles + shape("M76 250h248l16 50h-280z", pen.main) + rect(72, 244, 256, 14, pen.dark, 6)


def crayons(pen: PicturePen) -> str:
    """A box of crayons."""
    colours = ("#d8503f", "#f0b13c", "#6f9f6a", "#3f7fc1", "#8a6fb5")
    sticks = "".join(
        rect(104 + n * 39, 130, 32, 120, colour, 4) + shape(f"M{106 + n * 39} 130l14-34 14 34z", colour)
        for n, colour in enumerate(colours)
    )
    return (
        sticks
        + rect(92, 190, 216, 112, pen.main, 8)
        + rect(124, 222, 152, 48, pen.paper, 8)
        + line("M150 246q24-20 50 0t50 0", pen.accent, 7)
    )


def modelling_clay(pen: PicturePen) -> str:
    """Balls and rolls of clay with a tool."""
    balls = circle(136, 244, 54, pen.main) + circle(244, 256, 44, pen.accent) + line("M120 170h120", pen.light, 34)
    return (
        balls
        + turned(rect(262, 96, 20, 130, "#b98a5b", 8) + ellipse(272, 96, 20, 26, "#d8b98f"), 24, 272, 160)
        + line("M116 226q16-14 34-8", pen.light, 6)
    )


def sewing_kit(pen: PicturePen) -> str:
    """Reels of thread, a needle and a button."""
    reel = rect(-38, -58, 76, 16, "#b98a5b", 6) + rect(-38, 34, 76, 16, "#b98a5b", 6)
    reels = "".join(
        f'<g transform="translate({x} 250)">{reel}{rect(-30, -42, 60, 76, colour, 4)}</g>'
        for x, colour in ((142, pen.main), (232, pen.accent))
    )
    return (
        reels
        + line("M282 110l24 150", "#8e999f", 6)
        + line("M284 118q-80-50-140 60", pen.main, 4)
        + circle(316, 280, 22, pen.dark)
        + circle(309, 280, 4, pen.paper)
        + circle(323, 280, 4, pen.paper)
    )


def origami(pen: PicturePen) -> str:
    """A folded crane."""
    wings = shape("M200 220L70 120l110 20z", pen.main) + shape("M200 220L330 110 224 150z", pen.light)
    return (
        wings
        + shape("M120 250l80-30 60 20-70 60z", pen.dark)
        + shape("M200 220l110 50 24-40-14 66-90-40z", pen.main)
        + shape("M180 140l20 80 24-70z", pen.accent)
    )


def stamps(pen: PicturePen) -> str:
    """A stamp with its pad and a print."""
    star = "l12 26 28 3-21 19 6 28-25-14-25 14 6-28-21-19 28-3z"
    return (
        rect(84, 240, 130, 60, pen.dark, 10)
        + rect(96, 232, 106, 34, pen.accent, 6)
        + rect(246, 150, 34, 84, "#b98a5b", 14)
        + circle(263, 142, 28, "#b98a5b")
        + rect(222, 228, 82, 30, pen.main, 6)
        + rect(226, 258, 74, 12, pen.dark, 3)
        + shape("M140 110" + star, pen.main)
    )


def craft_kit(pen: PicturePen) -> str:
    """A box with scissors, a brush and paper."""
    scissors = line("M130 90l44 96M178 90l-44 96", "#b9c2c8", 9)
    brush = line("M240 196V92", "#c89b66", 11) + shape("M230 96q10-40 20 0z", pen.accent)
    paper = turned(rect(266, 112, 48, 90, pen.accent, 3), 8, 290, 160)
    return (
        scissors
        + brush
        + paper
        + rect(88, 184, 236, 116, pen.main, 10)
        + rect(88, 184, 236, 26, pen.dark, 8)
        + circle(206, 254, 26, pen.light)
    )
