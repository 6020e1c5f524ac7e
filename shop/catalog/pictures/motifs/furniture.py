"""Furniture: seats, tables, shelves, and what stands on a desk."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape


def bar_stool(pen: PicturePen) -> str:
    """A high stool."""
    legs = line("M168 150l-26 152M232 150l26 152M152 250h96", pen.dark, 11)
    return legs + rect(142, 128, 116, 28, pen.main, 12)


def armchair(pen: PicturePen) -> str:
    """An armchair."""
    back = rect(116, 110, 168, 130, pen.main, 40) + rect(132, 206, 136, 66, pen.light, 16)
    arms = rect(92, 180, 48, 92, pen.dark, 22) + rect(260, 180, 48, 92, pen.dark, 22)
    return back + arms + line("M122 272v28M278 272v28", pen.dark, 11)


def office_chair(pen: PicturePen) -> str:
    """A chair on castors."""
    star = line("M200 240v36M200 276l-66 18M200 276l66 18M200 276v20", pen.dark, 11)
    wheels = "".join(circle(x, 298, 9, pen.dark) for x in (132, 200, 268))
    arms = line("M128 206v-40h26M272 206v-40h-26", pen.dark, 9)
    return (
        star
        + wheels
        + arms
        + rect(140, 82, 120, 110, pen.main, 26)
        + rect(188, 186, 24, 24, pen.dark)
        + rect(130, 206, 140, 34, pen.main, 16)
    )


def rocking_chair(pen: PicturePen) -> str:
    """A chair on two runners."""
    back = line("M150 220l-18-128M250 220l18-128", pen.dark, 11)
    rails = "".join(line(f"M{x} 112v94", pen.main, 9) for x in (164, 188, 212, 236)) + line(
        "M134 100h132", pen.main, 18
    )
    runners = line("M92 278q108 44 216 0", pen.dark, 13) + line("M146 224v68M254 224v68", pen.dark, 10)
    return back + rails + runners + rect(126, 204, 148, 24, pen.main, 10)


def step_stool(pen: PicturePen) -> str:
    """Two steps."""
    sides = line("M146 150l-24 152M254 150l24 152", pen.dark, 13)
    return sides + rect(130, 138, 140, 24, pen.main, 6) + rect(112, 222, 176, 24, pen.main, 6)


def bench(pen: PicturePen) -> str:
    """A long seat."""
    legs = line("M92 226v74M308 226v74M92 270h216", pen.dark, 12)
    return legs + rect(64, 204, 272, 28, pen.main, 8) + line("M84 218h232", pen.light, 5)


def coffee_table(pen: PicturePen) -> str:
    """A low table with a book and a cup."""
    legs = line("M98 252l-10 48M302 252l10 48", pen.dark, 13)
    things = rect(118, 212, 84, 16, pen.accent, 4) + rect(236, 198, 36, 30, pen.paper, 6)
    return legs + things + rect(66, 228, 268, 26, pen.main, 10)


def pedestal_table(pen: PicturePen) -> str:
    """A small round table on one foot."""
    foot = line("M200 190v96", pen.dark, 15) + line("M200 282l-58 18M200 282l58 18", pen.dark, 11)
    cup = rect(184, 146, 32, 28, pen.paper, 6) + line("M216 154h10v12h-10", pen.paper, 5)
    return foot + cup + rect(112, 174, 176, 20, pen.main, 10)


def bedside_table(pen: PicturePen) -> str:
    """A small table with drawers and a lamp."""
    lamp = shape("M172 104h56l16 42h-88z", pen.accent) + line("M200 146v34", pen.dark, 7)
    box = rect(122, 184, 156, 98, pen.main, 8) + rect(114, 178, 172, 16, pen.dark, 6)
    drawers = rect(136, 204, 128, 32, pen.light, 4) + rect(136, 242, 128, 32, pen.light, 4)
    return (
        lamp
        + line("M136 280v20M264 280v20", pen.dark, 11)
        + box
        + drawers
        + circle(200, 220, 6, pen.dark)
        + circle(200, 258, 6, pen.dark)
    )


def nest_of_tables(pen: PicturePen) -> str:
    """Three tables, one under another."""
    sizes = ((78, 150, 244, pen.main), (104, 196, 192, pen.light), (130, 240, 140, pen.accent))
    return "".join(
        line(f"M{x + 12} {y}V300M{x + wide - 12} {y}V300", pen.dark, 8) + rect(x, y - 10, wide, 20, colour, 7)
        for x, y, wide, colour in sizes
    )


def three_seater(pen: PicturePen) -> str:
    """A sofa with three cushions."""
    seats = "".join(rect(82 + n * 80, 216, 76, 50, pen.light, 12) for n in range(3))
    arms = rect(40, 194, 46, 84, pen.dark, 20) + rect(314, 194, 46, 84, pen.dark, 20)
    return (
        rect(62, 150, 276, 104, pen.main, 26)
        + seats
        + rect(66, 262, 268, 22, pen.dark, 8)
        + arms
        + line("M74 284v16M326 284v16", pen.dark, 9)
    )


def corner_sofa(pen: PicturePen) -> str:
    """A sofa with a long end."""
    back = rect(56, 146, 288, 96, pen.main, 24) + rect(84, 204, 120, 46, pen.light, 12)
    return (
        back
        + shape("M206 204h110q22 0 22 22v62h-132z", pen.light)
        + rect(56, 246, 150, 40, pen.dark, 8)
        + rect(206, 266, 134, 24, pen.dark, 8)
        + rect(44, 188, 44, 98, pen.dark, 20)
        + line("M66 286v14M330 290v10", pen.dark, 9)
    )


def footstool(pen: PicturePen) -> str:
    """An upholstered stool."""
    return (
        line("M124 266v34M276 266v34", pen.dark, 13)
        + rect(100, 192, 200, 78, pen.main, 26)
        + rect(100, 192, 200, 34, pen.light, 17)
        + circle(200, 210, 6, pen.dark)
    )


def daybed(pen: PicturePen) -> str:
    """A couch with one high end."""
    end = shape("M64 270v-98q0-26 28-26q26 0 30 26l12 60v38z", pen.dark)
    return (
        line("M86 276v24M314 276v24", pen.dark, 10)
        + end
        + rect(92, 222, 252, 40, pen.main, 18)
        + rect(78, 258, 268, 20, pen.dark, 8)
        + rect(118, 194, 84, 34, pen.accent, 16)
    )


def wall_shelf(pen: PicturePen) -> str:
    """A board on the wall, with things on it."""
    things = (
        rect(112, 124, 22, 76, pen.accent, 3)
        + rect(138, 138, 18, 62, pen.dark, 3)
        + rect(160, 130, 20, 70, pen.light, 3)
    )
    vase = shape("M240 200q-14-30 8-58h24q22 28 8 58z", pen.accent) + line("M260 142q-2-30 12-44", "#7d9b6a", 6)
    return (
        things + vase + rect(78, 200, 244, 20, pen.main, 4) + line("M116 220v36l32-36M284 220v36l-32-36", pen.dark, 8)
    )


def ladder_shelf(pen: PicturePen) -> str:
    """A shelf that leans like a ladder."""
    boards = "".join(rect(146 - n * 14, 128 + n * 54, 108 + n * 28, 14, pen.main, 4) for n in range(4))
    things = (
        circle(200, 164, 16, pen.accent) + rect(150, 188, 18, 46, pen.light, 3) + rect(172, 198, 18, 36, pen.accent, 3)
    )
    return line("M158 82l-58 220M242 82l58 220", pen.dark, 11) + boards + things + rect(216, 262, 40, 26, pen.light, 4)


def sideboard(pen: PicturePen) -> str:
    """A low cupboard with doors."""
    doors = "".join(
        rect(74 + n * 86, 196, 80, 76, pen.light, 4) + circle(142 + n * 86 - 60 * (n == 2), 234, 6, pen.dark)
        for n in range(3)
    )
    return (
        line("M86 282v18M314 282v18", pen.dark, 12)
        + rect(62, 184, 276, 100, pen.main, 8)
        + doors
        + ellipse(120, 172, 26, 12, pen.accent)
    )


def shoe_rack(pen: PicturePen) -> str:
    """Two boards with shoes."""
    one = shape("M0 0q16 6 28-10q22 26 44 28q6 4 4 12h-76z", pen.accent)
    shoes = "".join(f'<g transform="translate({x} {y})">{one}</g>' for y in (148, 228) for x in (104, 212))
    return (
        line("M84 130v172M316 130v172", pen.dark, 11)
        + shoes
        + rect(76, 178, 248, 14, pen.main, 4)
        + rect(76, 258, 248, 14, pen.main, 4)
    )


def coat_stand(pen: PicturePen) -> str:
    """A post with hooks, a coat and a hat."""
    hooks = line("M200 100l-46-26M200 100l46-26M200 124l-52-8M200 124l52-8", pen.main, 9)
    coat = shape("M222 132h52l14 100h-78z", pen.accent)
    return (
        line("M200 80v208", pen.main, 13)
        + line("M200 284l-54 18M200 284l54 18", pen.main, 11)
        + hooks
        + coat
        + ellipse(148, 112, 34, 10, pen.dark)
        + rect(130, 90, 36, 22, pen.dark, 9)
    )


def storage_box(pen: PicturePen) -> str:
    """A box with a lid and a handle."""
    return (
        rect(96, 176, 208, 124, pen.main, 10)
        + rect(86, 150, 228, 34, pen.dark, 8)
        + rect(164, 218, 72, 22, pen.light, 11)
        + rect(120, 258, 60, 24, pen.paper, 4)
    )


def monitor_stand(pen: PicturePen) -> str:
    """A screen on a low board."""
    screen = (
        rect(108, 92, 184, 122, pen.dark, 10)
        + rect(120, 104, 160, 98, pen.accent, 4)
        + rect(186, 212, 28, 26, pen.dark)
    )
    return (
        screen
        + rect(156, 232, 88, 10, pen.dark, 4)
        + rect(72, 240, 256, 18, pen.main, 6)
        + line("M92 258v42M308 258v42", pen.main, 16)
    )


def drawer_unit(pen: PicturePen) -> str:
    """A chest of drawers on castors."""
    drawers = "".join(
        rect(136, 122 + n * 58, 128, 50, pen.light, 4) + rect(178, 140 + n * 58, 44, 10, pen.dark, 5) for n in range(3)
    )
    return (
        circle(144, 300, 9, pen.dark) + circle(256, 300, 9, pen.dark) + rect(122, 106, 156, 188, pen.main, 10) + drawers
    )


def desk_organiser(pen: PicturePen) -> str:
    """A box for pens and paper."""
    pens = line("M128 210l-10-86M150 210v-104M172 210l12-80", pen.accent, 9) + line("M150 110v-6", pen.dark, 9)
    sheets = rect(206, 132, 96, 90, pen.paper, 4) + line("M222 160h60M222 180h44", pen.light, 5)
    return (
        pens
        + sheets
        + rect(96, 196, 96, 104, pen.main, 8)
        + rect(192, 216, 120, 84, pen.dark, 8)
        + rect(208, 250, 88, 34, pen.light, 4)
    )
