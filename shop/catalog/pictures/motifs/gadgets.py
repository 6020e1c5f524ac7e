"""Small electronics: sound, telephones, computers, optics."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned


def earbuds(pen: PicturePen) -> str:
    """Two earbuds."""
    bud = circle(150, 190, 36, pen.main) + rect(136, 196, 28, 92, pen.main, 14) + circle(150, 190, 17, pen.dark)
    return bud + f'<g transform="translate(400 0) scale(-1 1)">{bud}</g>'


def headset(pen: PicturePen) -> str:
    """Headphones with a microphone."""
    band = line("M112 222v-24a88 88 0 0 1 176 0v24", pen.dark, 16)
    cups = rect(90, 200, 48, 80, pen.main, 20) + rect(262, 200, 48, 80, pen.main, 20)
    return line("M114 270q4 36 66 32", pen.dark, 8) + band + cups + ellipse(192, 300, 20, 12, pen.accent)


def charger(pen: PicturePen) -> str:
    """A plug with a socket for a cable."""
    pins = rect(168, 96, 14, 50, pen.dark, 4) + rect(218, 96, 14, 50, pen.dark, 4)
    body = rect(134, 140, 132, 160, pen.main, 24) + rect(152, 160, 96, 60, pen.light, 12)
    return pins + body + rect(176, 252, 48, 18, pen.dark, 9) + circle(200, 190, 9, pen.accent)


def cable(pen: PicturePen) -> str:
    """A coiled cable with a plug at each end."""
    coil = "".join(
        f'<ellipse cx="200" cy="{206 + n * 14}" rx="92" ry="54" fill="none" stroke="{pen.main}" stroke-width="13"/>'
        for n in range(3)
    )
    plug = rect(-18, 0, 36, 50, pen.dark, 8) + rect(-11, -22, 22, 24, pen.paper, 4)
    ends = f'<g transform="translate(120 122)">{plug}</g><g transform="translate(280 122)">{plug}</g>'
    return coil + line("M120 172q-8 16-12 34M280 172q8 16 12 34", pen.main, 13) + ends


def power_bank(pen: PicturePen) -> str:
    """A flat battery with lights and a short cable."""
    body = rect(128, 110, 144, 190, pen.main, 26) + rect(140, 122, 120, 166, pen.light, 18)
    lights = "".join(circle(170 + n * 20, 258, 6, pen.accent if n < 3 else pen.paper) for n in range(4))
    bolt = shape("M208 150l-38 52h26l-8 36 40-54h-26z", pen.dark)
    return line("M200 112q0-34 44-32t46 40", pen.dark, 9) + rect(276, 116, 28, 34, pen.dark, 5) + body + lights + bolt


def car_mount(pen: PicturePen) -> str:
    """A telephone in a holder on an arm with a suction foot."""
    arm = line("M200 218v44l-26 22", pen.dark, 16) + ellipse(166, 292, 54, 14, pen.dark)
    telephone = rect(92, 110, 216, 106, pen.dark, 18) + rect(104, 120, 192, 86, pen.accent, 10)
    way = line("M130 190l40-40 34 22 62-36", pen.paper, 8) + circle(266, 136, 9, pen.light)
    grips = (
        rect(78, 134, 24, 58, pen.main, 8) + rect(298, 134, 24, 58, pen.main, 8) + rect(168, 206, 64, 22, pen.main, 8)
    )
    return arm + telephone + way + grips


def screen_protector(pen: PicturePen) -> str:
    """A pane of glass in front of a telephone."""
    telephone = rect(112, 84, 118, 218, pen.dark, 22) + rect(122, 96, 98, 194, pen.main, 14)
    glass = rect(176, 92, 112, 206, pen.paper, 16)
    shine = line("M200 190l56-66M200 232l64-76", pen.light, 7)
    return telephone + f'<g opacity=".75">{glass}{shine}</g>'


def wireless_charger(pen: PicturePen) -> str:
    """A round pad with a telephone on it."""
    pad = (
        ellipse(200, 276, 118, 28, pen.dark)
        + ellipse(200, 268, 118, 28, pen.main)
        + ellipse(200, 268, 70, 15, pen.light)
    )
    telephone = turned(rect(138, 108, 104, 150, pen.dark, 16) + rect(147, 118, 86, 130, pen.accent, 10), 8)
    return (
        line("M316 276q40 4 60 24", pen.dark, 8)
        + pad
        + telephone
        + shape("M206 146l-28 42h20l-8 34 32-46h-20z", pen.paper)
    )


def soundbar(pen: PicturePen) -> str:
    """A long flat loudspeaker."""
    bar = rect(50, 216, 300, 70, pen.main, 22) + rect(66, 228, 268, 46, pen.dark, 14)
    holes = "".join(circle(88 + n * 25, 251, 7, pen.light) for n in range(10))
    return bar + holes + rect(92, 286, 34, 14, pen.dark, 4) + rect(274, 286, 34, 14, pen.dark, 4)


def radio(pen: PicturePen) -> str:
    """A radio with an aerial."""
    body = line("M250 150l44-72", pen.dark, 6) + rect(84, 150, 232, 152, pen.main, 24) + circle(152, 226, 46, pen.dark)
    grille = "".join(line(f"M124 {y}h56", pen.light, 4) for y in (208, 226, 244))
    return body + grille + rect(222, 186, 72, 26, pen.paper, 6) + circle(258, 252, 22, pen.accent)


def turntable(pen: PicturePen) -> str:
    """A record player, seen from above."""
    record = circle(178, 204, 78, "#26282b") + circle(178, 204, 58, "#34373b") + circle(178, 204, 26, pen.accent)
    arm = line("M296 134v60l-52 40", pen.paper, 9) + circle(296, 132, 16, pen.dark) + circle(296, 272, 11, pen.light)
    return rect(72, 104, 256, 196, pen.main, 18) + record + circle(178, 204, 5, pen.paper) + arm


def subwoofer(pen: PicturePen) -> str:
    """A cube with one large driver."""
    box = rect(98, 112, 204, 190, pen.main, 16)
    return box + circle(200, 206, 80, pen.dark) + circle(200, 206, 62, pen.light) + circle(200, 206, 26, pen.dark)


def amplifier(pen: PicturePen) -> str:
    """A low case with knobs and a meter."""
    case = (
        rect(62, 186, 276, 104, pen.main, 10) + rect(86, 288, 40, 14, pen.dark, 4) + rect(274, 288, 40, 14, pen.dark, 4)
    )
    meter = rect(84, 208, 92, 54, pen.paper, 6) + line("M130 256l26-34", pen.accent, 5)
    knobs = circle(282, 236, 32, pen.dark) + line("M282 236l14-20", pen.paper, 6)
    return case + meter + knobs + circle(216, 222, 10, pen.light) + circle(216, 252, 10, pen.light)


def mouse(pen: PicturePen) -> str:
    """A computer mouse."""
    body = rect(144, 126, 112, 176, pen.main, 56) + line("M200 126v70", pen.dark, 5)
    return line("M200 126q0-50 50-60", pen.dark, 6) + body + rect(192, 150, 16, 36, pen.accent, 8)


def webcam(pen: PicturePen) -> str:
    """A camera on a clip."""
    eye = circle(200, 174, 44, pen.dark) + circle(200, 174, 24, pen.accent) + circle(190, 164, 8, pen.paper)
    foot = rect(184, 226, 32, 34, pen.dark) + shape("M124 258h152l20 44h-192z", pen.light)
    return foot + rect(92, 118, 216, 112, pen.main, 52) + eye + circle(272, 174, 7, pen.light)


def docking_station(pen: PicturePen) -> str:
    """A flat box with sockets."""
    box = rect(70, 212, 260, 84, pen.main, 16) + rect(70, 212, 260, 24, pen.light, 12)
    sockets = (
        rect(96, 252, 44, 20, pen.dark, 4) + rect(156, 252, 44, 20, pen.dark, 4) + rect(216, 254, 30, 16, pen.dark, 8)
    )
    return (
        line("M300 214q0-70 60-84", pen.dark, 10)
        + box
        + sockets
        + circle(286, 262, 11, pen.dark)
        + circle(96, 224, 5, pen.accent)
    )


def laptop_stand(pen: PicturePen) -> str:
    """A laptop on a raised stand."""
    laptop = (
        rect(106, 84, 188, 122, pen.dark, 10)
        + rect(118, 96, 164, 98, pen.accent, 4)
        + rect(84, 204, 232, 14, pen.paper, 7)
    )
    return line("M124 222l-18 72h188l-18-72", pen.main, 15) + laptop + rect(92, 290, 216, 14, pen.main, 7)


def monitor_light(pen: PicturePen) -> str:
    """A bar with light on top of a screen."""
    screen = (
        rect(88, 136, 224, 130, pen.dark, 10)
        + rect(100, 148, 200, 106, pen.light, 4)
        + rect(184, 266, 32, 34, pen.dark)
    )
    beam = f'<g opacity=".6">{shape("M112 118h176l30 96h-236z", "#fff4cf")}</g>'
    return (
        screen
        + rect(140, 296, 120, 10, pen.dark, 5)
        + beam
        + rect(96, 102, 208, 20, pen.main, 10)
        + rect(184, 112, 32, 28, pen.main, 6)
    )


def external_drive(pen: PicturePen) -> str:
    """A small box with a cable."""
    box = turned(
        rect(126, 128, 148, 176, pen.main, 18)
        + rect(142, 146, 116, 84, pen.light, 10)
        + circle(200, 268, 8, pen.accent),
        6,
    )
    return line("M206 134q4-56 54-50t56 44", pen.dark, 9) + rect(302, 124, 28, 38, pen.dark, 6) + box


def lens(pen: PicturePen) -> str:
    """A lens, standing."""
    rings = (
        rect(122, 126, 156, 56, pen.dark, 8) + rect(132, 182, 136, 46, pen.main) + rect(126, 228, 148, 40, pen.dark, 4)
    )
    ribs = "".join(line(f"M{140 + n * 15} 238v20", pen.light, 4) for n in range(9))
    glass = (
        ellipse(200, 126, 78, 22, pen.main)
        + ellipse(200, 126, 60, 15, pen.accent)
        + ellipse(182, 122, 16, 5, pen.paper)
    )
    return rings + ribs + rect(144, 268, 112, 34, pen.paper, 4) + glass


def tripod(pen: PicturePen) -> str:
    """Three legs with a head."""
    legs = line("M200 160l-82 142M200 160l82 142M200 160v142", pen.main, 13)
    feet = "".join(circle(x, 300, 9, pen.dark) for x in (118, 200, 282))
    return (
        legs
        + feet
        + line("M158 232h84", pen.dark, 7)
        + rect(186, 112, 28, 60, pen.dark, 8)
        + rect(154, 94, 92, 22, pen.accent, 6)
        + line("M214 132l58 22", pen.dark, 9)
    )


def binoculars(pen: PicturePen) -> str:
    """Binoculars."""
    tubes = shape("M112 122h62l18 176h-106z", pen.main) + shape("M226 122h62l26 176h-106z", pen.main)
    eyes = rect(116, 98, 54, 30, pen.dark, 8) + rect(230, 98, 54, 30, pen.dark, 8)
    fronts = rect(82, 272, 112, 30, pen.dark, 8) + rect(206, 272, 112, 30, pen.dark, 8)
    return rect(176, 160, 48, 56, pen.light, 8) + circle(200, 152, 18, pen.accent) + tubes + eyes + fronts


def action_camera(pen: PicturePen) -> str:
    """A small square camera on a foot."""
    body = rect(108, 128, 184, 132, pen.main, 26) + circle(238, 184, 42, pen.dark) + circle(238, 184, 24, pen.accent)
    return (
        rect(180, 256, 40, 44, pen.dark, 6)
        + body
        + rect(130, 152, 52, 44, pen.paper, 8)
        + circle(150, 226, 10, pen.light)
        + circle(230, 176, 7, pen.paper)
    )


def telescope(pen: PicturePen) -> str:
    """A telescope on three legs."""
    tube = (
        rect(92, 136, 176, 54, pen.main, 10) + rect(262, 128, 56, 70, pen.dark, 8) + rect(64, 150, 32, 26, pen.dark, 6)
    )
    legs = line("M196 208l-62 94M196 208l62 94M196 208v94", pen.light, 11)
    return legs + circle(196, 206, 17, pen.dark) + turned(tube + rect(120, 116, 60, 14, pen.accent, 7), -22, 196, 180)
