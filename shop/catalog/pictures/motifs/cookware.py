"""Pots and pans, each with its own outline: a wok is no saucepan."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape


def frying_pan(pen: PicturePen) -> str:
    """A shallow pan with a long handle."""
    body = shape("M70 246h216l-22 50h-172z", pen.main) + rect(64, 238, 228, 14, pen.light, 7)
    return line("M288 244l92-26", pen.dark, 16) + body + line("M120 222q18-16 0-34M176 222q18-16 0-34", pen.accent, 7)


def saucepan(pen: PicturePen) -> str:
    """A deep pan with a lid and one handle."""
    body = rect(90, 200, 180, 98, pen.main, 16) + rect(84, 194, 192, 18, pen.light, 8)
    lid = shape("M94 194a86 44 0 0 1 172 0z", pen.accent) + circle(180, 146, 12, pen.dark)
    return line("M272 220h96", pen.dark, 16) + body + lid


def casserole(pen: PicturePen) -> str:
    """A wide pot with two handles and a domed lid."""
    ears = line("M84 226h-26v28h26M316 226h26v28h-26", pen.dark, 13)
    body = shape("M84 204h232v58a36 36 0 0 1-36 36h-160a36 36 0 0 1-36-36z", pen.main)
    lid = shape("M84 204a116 62 0 0 1 232 0z", pen.light) + rect(182, 126, 36, 18, pen.accent, 9)
    return ears + body + lid + rect(76, 198, 248, 14, pen.dark, 7)


def stockpot(pen: PicturePen) -> str:
    """A pot that is higher than wide."""
    ears = line("M108 196h-24v24h24M292 196h24v24h-24", pen.dark, 12)
    body = rect(106, 150, 188, 148, pen.main, 16) + rect(106, 262, 188, 14, pen.light)
    lid = rect(98, 138, 204, 18, pen.light, 9) + shape("M116 138a84 32 0 0 1 168 0z", pen.accent)
    return ears + body + lid + circle(200, 102, 12, pen.dark)


def wok(pen: PicturePen) -> str:
    """A round bowl with a long handle, and a small one opposite."""
    bowl = shape("M62 206h248a124 96 0 0 1-248 0z", pen.main) + ellipse(186, 206, 124, 20, pen.dark)
    green = circle(150, 200, 11, pen.accent) + circle(196, 205, 13, pen.light) + circle(232, 199, 9, pen.accent)
    return line("M306 206l78-44", pen.dark, 16) + line("M64 208h-22", pen.dark, 14) + bowl + green


def griddle(pen: PicturePen) -> str:
    """A square ribbed plate, seen from above."""
    ribs = "".join(line(f"M96 {132 + n * 27}h176", pen.dark, 8) for n in range(6))
    return line("M286 200h88", pen.dark, 18) + rect(76, 98, 216, 204, pen.main, 24) + ribs


def roasting_tin(pen: PicturePen) -> str:
    """A low tin with a handle at each end."""
    ears = line("M74 226v-30h44M326 226v-30h-44", pen.dark, 10)
    tin = shape("M54 222h292l-26 74h-240z", pen.main) + rect(48, 214, 304, 16, pen.light, 8)
    return ears + tin + line("M96 262h208", pen.accent, 8)
