"""Things to wear, each with its own outline."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape
from shop.catalog.pictures.motifs.wear import sole

SLEEVES = "M148 96q52 30 104 0l48 34 24 150-42 8-20-96v110h-124v-110l-20 96-42-8 24-150z"


def long_sleeves(pen: PicturePen) -> str:
    """A top with long sleeves and buttons."""
    buttons = line("M200 116v64", pen.light, 4) + "".join(circle(200, y, 5, pen.paper) for y in (132, 152, 172))
    return shape(SLEEVES, pen.main) + shape("M148 96q52 30 104 0l-10 22q-42 18-84 0z", pen.dark) + buttons


def vest(pen: PicturePen) -> str:
    """A top without sleeves."""
    body = shape("M144 92h28q28 56 56 0h28q-4 60 22 84v126h-156v-126q26-24 22-84z", pen.main)
    return body + line("M172 94q28 54 56 0", pen.dark, 9) + rect(122, 286, 156, 14, pen.light, 6)


def shorts(pen: PicturePen) -> str:
    """A pair of shorts."""
    legs = shape("M130 128h140l30 150h-80l-20-70-20 70h-80z", pen.main)
    return (
        legs
        + rect(128, 122, 144, 24, pen.dark, 4)
        + line("M188 146l-10 40M212 146l10 40", pen.paper, 5)
        + line("M112 262h74M214 262h74", pen.light, 6)
    )


def cardigan(pen: PicturePen) -> str:
    """A knitted jacket with buttons."""
    front = shape("M162 98l38 72 38-72v4l-30 78v122h-16v-122l-30-78z", pen.dark)
    buttons = "".join(circle(210, y, 6, pen.accent) for y in (196, 226, 256, 284))
    return shape(SLEEVES, pen.main) + front + buttons + rect(138, 288, 124, 14, pen.dark, 6)


def knitted_vest(pen: PicturePen) -> str:
    """A knitted top without sleeves."""
    body = shape("M142 92h30l28 60 28-60h30q-4 58 20 82v128h-156v-128q24-24 20-82z", pen.main)
    zigzag = line("M124 216l19-20 19 20 19-20 19 20 19-20 19 20 19-20 19 20", pen.light, 8)
    return body + line("M170 92l30 64 30-64", pen.dark, 10) + zigzag + rect(122, 282, 156, 20, pen.dark, 6)


def hooded_jumper(pen: PicturePen) -> str:
    """A jumper with a hood and a pocket."""
    hood = shape("M146 112q-8-56 54-60q62 4 54 60q-54 40-108 0z", pen.dark) + ellipse(200, 102, 32, 24, pen.light)
    cords = line("M186 126v40M214 126v40", pen.paper, 5)
    return shape(SLEEVES, pen.main) + hood + cords + shape("M156 222h88l14 54h-116z", pen.dark)


def slip_on_shoe(pen: PicturePen) -> str:
    """A loafer or slipper, without laces."""
    body = shape("M86 226q20-22 66-20q34 32 78 34q80 6 84 46h-228z", pen.main)
    return (
        body
        + ellipse(128, 218, 46, 13, pen.dark)
        + rect(196, 236, 66, 18, pen.accent, 8)
        + rect(80, 282, 240, 18, pen.dark, 8)
    )


def boot(pen: PicturePen) -> str:
    """A boot from the side."""
    leg = shape("M96 120h86q-4 70 34 102q50 10 86 26q14 8 12 36h-218z", pen.main) + rect(92, 112, 94, 22, pen.dark, 8)
    return leg + line("M150 170l30-8M156 196l32-10M172 220l30-14", pen.paper, 7) + sole(pen)


def sandal(pen: PicturePen) -> str:
    """A sandal from the side."""
    straps = line("M126 268q16-60 52-84M226 268q-8-44-52-84M250 268q20-34 50-4M150 206q-40 0-52 58", pen.main, 15)
    return (
        straps
        + rect(82, 264, 240, 20, pen.light, 10)
        + rect(82, 280, 240, 20, pen.dark, 10)
        + circle(178, 188, 9, pen.accent)
    )


def scarf(pen: PicturePen) -> str:
    """A knotted scarf."""
    loop = f'<ellipse cx="200" cy="148" rx="78" ry="46" fill="none" stroke="{pen.main}" stroke-width="40"/>'
    ends = shape("M176 182h44l-20 104h-48z", pen.dark) + shape("M208 178h44l34 110h-50z", pen.main)
    fringe = line("M158 290v14M176 290v14M194 290v14M244 292v14M262 292v14M280 290v14", pen.light, 6)
    return loop + ends + fringe + rect(180, 170, 60, 42, pen.accent, 14)


def beanie(pen: PicturePen) -> str:
    """A knitted cap."""
    ribs = "".join(line(f"M{116 + n * 24} 252v32", pen.light, 6) for n in range(8))
    return (
        circle(200, 108, 24, pen.accent)
        + shape("M104 250q0-126 96-132q96 6 96 132z", pen.main)
        + rect(92, 240, 216, 56, pen.dark, 18)
        + ribs
    )


def belt(pen: PicturePen) -> str:
    """A rolled belt."""
    roll = "".join(
        f'<circle cx="190" cy="214" r="{r}" fill="none" stroke="{colour}" stroke-width="15"/>'
        for r, colour in ((80, pen.main), (60, pen.dark), (40, pen.main))
    )
    return (
        roll
        + rect(176, 276, 150, 24, pen.main, 4)
        + rect(296, 262, 46, 52, "#d8b35c", 8)
        + rect(306, 274, 26, 28, pen.main, 3)
        + circle(250, 288, 4, pen.paper)
        + circle(272, 288, 4, pen.paper)
    )


def wallet(pen: PicturePen) -> str:
    """A wallet with cards."""
    cards = rect(120, 128, 150, 70, pen.accent, 8) + rect(132, 146, 150, 70, pen.paper, 8)
    return (
        cards
        + rect(90, 170, 220, 130, pen.main, 16)
        + rect(238, 212, 84, 46, pen.dark, 14)
        + circle(262, 235, 9, pen.light)
        + line("M108 186h184", pen.light, 4)
    )


def satchel(pen: PicturePen) -> str:
    """A bag with a flap and a long strap."""
    flap = shape("M100 182q0-22 22-22h156q22 0 22 22v26q-100 50-200 0z", pen.dark)
    return (
        line("M112 176q10-104 88-104t88 104", pen.dark, 9)
        + rect(100, 160, 200, 140, pen.main, 22)
        + flap
        + rect(188, 216, 24, 30, pen.accent, 5)
    )


def jacket(pen: PicturePen) -> str:
    """A jacket with a hood and a zip."""
    hood = shape("M148 104q0-52 52-54q52 2 52 54q-52 32-104 0z", pen.dark)
    zipped = line("M200 118v182", pen.paper, 5) + line("M154 226l22 26M246 226l-22 26", pen.dark, 7)
    return (
        shape(SLEEVES, pen.main)
        + hood
        + ellipse(200, 98, 30, 20, pen.light)
        + zipped
        + rect(138, 286, 124, 14, pen.dark, 5)
    )


def socks(pen: PicturePen) -> str:
    """A pair of socks."""
    one = shape("M0 0h64v96q50 22 62 46q6 30-30 30q-70-2-96-54z", pen.main) + rect(-4, -6, 72, 28, pen.dark, 6)
    one += shape("M96 172q36 0 30-30l-22-18q-24 14-8 48z", pen.accent) + rect(0, 44, 64, 14, pen.light)
    return f'<g transform="translate(176 96)">{one}</g><g transform="translate(96 126)">{one}</g>'


def gaiters(pen: PicturePen) -> str:
    """A pair of gaiters."""
    one = shape("M0 0h76q4 70 20 130l20 44h-120q-4-90 4-174z", pen.main) + rect(-4, -4, 84, 22, pen.dark, 6)
    one += line("M36 18q2 80 14 154", pen.light, 6) + line("M-2 174q54 22 116 0", pen.dark, 9)
    return f'<g transform="translate(84 120)">{one}</g><g transform="translate(208 120)">{one}</g>'


def sun_hat(pen: PicturePen) -> str:
    """A hat with a wide brim."""
    return (
        ellipse(200, 258, 148, 40, pen.dark)
        + ellipse(200, 250, 148, 38, pen.main)
        + shape("M122 246q0-112 78-116q78 4 78 116q-78 30-156 0z", pen.main)
        + shape("M122 222q78 34 156 0v26q-78 30-156 0z", pen.accent)
    )


def gloves(pen: PicturePen) -> str:
    """A pair of gloves."""
    one = shape(
        "M0 166v-64l-6-62q0-14 13-14t15 14l4 36 2-56q2-16 16-16t15 16l2 54 8-50q4-13 16-10t12 16l-4 64"
        "q10-14 22-10t4 22l-22 44-8 16z",
        pen.main,
    )
    one += rect(-4, 150, 92, 34, pen.dark, 8) + rect(14, 100, 52, 20, pen.light, 8)
    return f'<g transform="translate(96 100)">{one}</g><g transform="translate(308 116) scale(-1 1)">{one}</g>'
