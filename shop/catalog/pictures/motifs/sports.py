"""Things for camp, road, gymnasium and playing field."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned

STEEL = "#b9c2c8"


def sleeping_bag(pen: PicturePen) -> str:
    """A sleeping bag, half open."""
    bag = (
        shape("M132 108q68-44 136 0l14 150q-82 68-164 0z", pen.main)
        + ellipse(200, 134, 52, 34, pen.dark)
        + ellipse(200, 138, 38, 22, pen.paper)
    )
    return bag + "".join(line(f"M126 {y}q74 28 148 0", pen.light, 6) for y in (188, 218, 248))


def rolled_mat(pen: PicturePen) -> str:
    """A rolled mat with a strap."""
    roll = (
        rect(96, 214, 208, 78, pen.main, 39)
        + circle(136, 253, 39, pen.dark)
        + circle(136, 253, 25, pen.main)
        + circle(136, 253, 11, pen.dark)
    )
    return roll + rect(226, 214, 20, 78, pen.accent)


def camping_stove(pen: PicturePen) -> str:
    """A burner on a gas cartridge, with a flame."""
    flame = shape("M200 92q46 50 22 84h-44q-24-34 22-84z", "#f7b955") + shape(
        "M200 124q22 28 10 52h-20q-12-24 10-52z", "#fff0c2"
    )
    return (
        flame
        + line("M130 176h140M152 176l28 34M248 176l-28 34", pen.dark, 10)
        + rect(184, 184, 32, 34, STEEL, 4)
        + rect(136, 214, 128, 88, pen.main, 26)
        + rect(136, 240, 128, 26, pen.light)
    )


def lantern(pen: PicturePen) -> str:
    """A lantern with a handle."""
    glass = rect(148, 148, 104, 110, "#fff0c2", 14) + shape("M200 176q26 34 0 62q-26-28 0-62z", "#f7b955")
    return (
        line("M146 142q0-74 54-74t54 74", pen.dark, 8)
        + glass
        + line("M148 160v90M252 160v90", pen.dark, 7)
        + rect(136, 128, 128, 26, pen.main, 10)
        + rect(130, 254, 140, 46, pen.main, 12)
    )


def camp_chair(pen: PicturePen) -> str:
    """A folding chair."""
    return (
        line("M122 218l150 84M278 218L128 302M126 96v110M274 96v110", pen.dark, 9)
        + rect(122, 98, 156, 80, pen.main, 12)
        + shape("M114 206h172l-16 32h-140z", pen.light)
        + line("M104 178h40M256 178h40", pen.accent, 12)
    )


def hammock(pen: PicturePen) -> str:
    """A hammock between two posts."""
    posts = line("M62 110v192M338 110v192", "#8f6840", 15)
    ropes = line("M66 132l44 62M66 132l56 44M334 132l-44 62M334 132l-56 44", pen.dark, 5)
    return (
        posts
        + ropes
        + shape("M104 184q96 60 192 0q-16 96-96 98q-80-2-96-98z", pen.main)
        + shape("M104 184q96 60 192 0l-4 18q-92 56-184 0z", pen.light)
    )


def trekking_poles(pen: PicturePen) -> str:
    """A pair of poles."""
    one = (
        line("M0 40v196", pen.main, 10)
        + rect(-11, 0, 22, 58, pen.dark, 10)
        + line("M-2 56q-30 20-8 44", pen.accent, 6)
        + ellipse(0, 220, 22, 6, pen.dark)
        + line("M0 236v10", STEEL, 6)
    )
    return f'<g transform="translate(160 58) rotate(7)">{one}</g><g transform="translate(240 58) rotate(-7)">{one}</g>'


def map_case(pen: PicturePen) -> str:
    """A map in a case with a cord."""
    paper = (
        rect(112, 138, 176, 140, pen.paper, 6)
        + line("M124 236q40-70 70-30t84-54", pen.accent, 7)
        + line("M132 164h40M220 250h50", pen.light, 7)
    )
    return (
        line("M112 126q20-74 88-74t88 74", pen.dark, 7)
        + rect(94, 112, 212, 188, pen.main, 18)
        + paper
        + circle(230, 190, 9, "#d8503f")
    )


def kettlebell(pen: PicturePen) -> str:
    """A kettlebell."""
    return (
        line("M160 186q-16-80 40-80t40 80", pen.dark, 22)
        + circle(200, 234, 68, pen.main)
        + circle(200, 234, 28, pen.light)
    )


def resistance_bands(pen: PicturePen) -> str:
    """Three loops of rubber."""
    return "".join(
        f'<ellipse cx="{150 + n * 50}" cy="{208 + 8 * (n % 2)}" rx="54" ry="86" fill="none"'
        f' stroke="{colour}" stroke-width="18"/>'
        for n, colour in enumerate((pen.main, pen.accent, pen.dark))
    )


def foam_roller(pen: PicturePen) -> str:
    """A grooved cylinder."""
    grooves = "".join(line(f"M{160 + n * 34} 204v88", pen.dark, 7) for n in range(5))
    return (
        rect(84, 200, 240, 98, pen.main, 48)
        + grooves
        + ellipse(126, 249, 44, 49, pen.light)
        + ellipse(126, 249, 22, 25, pen.dark)
    )


def skipping_rope(pen: PicturePen) -> str:
    """A rope with two handles."""
    rope = line("M128 170q-60 130 72 126t72-126M150 290q50-110 100 0", pen.accent, 9)
    handle = rect(-13, -84, 26, 92, pen.main, 12) + rect(-13, -18, 26, 12, pen.dark)
    return (
        rope
        + f'<g transform="translate(128 168) rotate(-12)">{handle}</g>'
        + f'<g transform="translate(272 168) rotate(12)">{handle}</g>'
    )


def yoga_block(pen: PicturePen) -> str:
    """A block of foam."""
    return (
        shape("M88 196l60-52h176l-60 52z", pen.light)
        + shape("M264 196l60-52v96l-60 56z", pen.dark)
        + rect(88, 196, 176, 100, pen.main, 4)
    )


def food_flask(pen: PicturePen) -> str:
    """A wide flask for food."""
    return (
        rect(130, 160, 140, 142, pen.main, 26)
        + rect(122, 112, 156, 54, pen.dark, 14)
        + rect(130, 206, 140, 34, pen.light)
        + rect(180, 96, 40, 20, pen.accent, 8)
    )


def hip_flask(pen: PicturePen) -> str:
    """A flat flask."""
    return (
        rect(184, 76, 32, 46, pen.dark, 6)
        + shape("M132 150q0-32 32-32h72q32 0 32 32v118q0 34-34 34h-68q-34 0-34-34z", pen.main)
        + rect(150, 190, 100, 78, pen.light, 10)
        + line("M172 228h56", pen.dark, 6)
    )


def travel_cup(pen: PicturePen) -> str:
    """A cup with a lid and a sleeve."""
    return (
        shape("M134 138h132l-18 164h-96z", pen.main)
        + rect(122, 108, 156, 34, pen.dark, 10)
        + rect(146, 88, 60, 24, pen.dark, 8)
        + shape("M140 190h120l-6 58h-108z", pen.light)
    )


def bike_light(pen: PicturePen) -> str:
    """A lamp with a beam."""
    beam = f'<g opacity=".7">{shape("M214 190l134-70v160l-134-46z", "#fff4cf")}</g>'
    return (
        beam
        + rect(96, 160, 108, 100, pen.main, 28)
        + rect(186, 154, 34, 112, pen.dark, 12)
        + rect(128, 256, 44, 46, pen.dark, 8)
        + circle(132, 194, 9, pen.accent)
    )


def saddle(pen: PicturePen) -> str:
    """A saddle on its post."""
    return (
        line("M170 236l30 22 46-22M200 256v46", STEEL, 11)
        + shape("M70 176q6-30 60-24q60 14 150 20q54 2 52 18q-4 16-70 18q-40 38-110 34q-70-6-82-66z", pen.main)
        + line("M100 182q60 30 190 12", pen.light, 6)
    )


def helmet(pen: PicturePen) -> str:
    """A helmet with slots."""
    slots = line("M150 176q20-36 50-40M206 176q12-30 40-36M256 190q8-14 20-18", pen.dark, 13)
    return (
        line("M132 246q18 62 70 54q50 6 66-54", pen.dark, 7)
        + shape("M82 244q0-140 122-144q122 6 124 122q0 24-60 22q-90-4-186 0z", pen.main)
        + slots
        + rect(84, 232, 240, 16, pen.accent, 8)
    )


def pannier(pen: PicturePen) -> str:
    """A bag for a carrier."""
    return (
        rect(96, 104, 208, 16, pen.dark, 6)
        + rect(110, 116, 180, 186, pen.main, 20)
        + rect(110, 116, 180, 64, pen.dark, 16)
        + rect(140, 176, 20, 40, pen.accent, 5)
        + rect(240, 176, 20, 40, pen.accent, 5)
        + rect(146, 232, 108, 44, pen.light, 8)
    )


def multi_tool(pen: PicturePen) -> str:
    """A folding tool with keys and blades."""
    keys = line("M130 196l-52-92h-24M176 196l-12-116M230 196l26-112", STEEL, 12) + line("M270 200l72-60", STEEL, 18)
    return (
        keys
        + rect(96, 190, 208, 84, pen.main, 34)
        + circle(130, 232, 13, pen.dark)
        + circle(270, 232, 13, pen.dark)
        + rect(160, 218, 80, 28, pen.light, 10)
    )


def track_pump(pen: PicturePen) -> str:
    """A floor pump."""
    hose = line("M222 272q92 8 84-84t-66-58", pen.dark, 8)
    return (
        hose
        + rect(132, 72, 136, 26, pen.dark, 12)
        + rect(192, 96, 16, 60, STEEL)
        + rect(176, 148, 48, 136, pen.main, 8)
        + rect(128, 280, 144, 20, pen.dark, 8)
        + circle(200, 268, 22, pen.paper)
        + line("M200 268l10-10", pen.accent, 5)
    )


def basketball(pen: PicturePen) -> str:
    """A basketball."""
    return circle(200, 206, 96, pen.main) + line(
        "M104 206h192M200 110v192M132 138q50 68 0 136M268 138q-50 68 0 136", pen.dark, 7
    )


def volleyball(pen: PicturePen) -> str:
    """A volleyball."""
    seams = "M200 206q-60-30-64-78M200 206q-60-12-96 6M200 206q4 66-46 84M200 206q-22 60-6 96"
    seams += "M200 206q56-32 92-4M200 206q58-6 82 48M200 206q10-62 66-76M200 206q-6-60 4-96"
    return circle(200, 206, 96, pen.light) + line(seams, pen.dark, 6) + circle(200, 206, 8, pen.accent)


def boules(pen: PicturePen) -> str:
    """Three boules and the jack."""
    one = (
        circle(0, 0, 52, STEEL)
        + line("M-46 20q46 20 92 0M-46-16q46 20 92 0", pen.main, 6)
        + circle(-16, -22, 10, "#eef1f3")
    )
    return "".join(
        f'<g transform="translate({x} {y})">{one}</g>' for x, y in ((138, 248), (262, 248), (200, 158))
    ) + circle(200, 284, 18, pen.accent)


def badminton(pen: PicturePen) -> str:
    """A racket and a shuttlecock."""
    net = line("M126 110v108M152 100v128M178 110v108M106 140h92M104 166h96M106 192h92", pen.paper, 3)
    head = f'<ellipse cx="152" cy="164" rx="56" ry="70" fill="none" stroke="{pen.main}" stroke-width="11"/>'
    cock = (
        shape("M270 236l-26-64h72l-26 64z", pen.paper)
        + circle(280, 246, 17, pen.accent)
        + line("M256 196h48", pen.light, 4)
    )
    return turned(net + head + line("M152 234v68", pen.dark, 13), -14, 152, 200) + cock


def frisbee(pen: PicturePen) -> str:
    """A flying disc."""
    return turned(
        ellipse(200, 216, 136, 52, pen.dark)
        + ellipse(200, 204, 136, 50, pen.main)
        + ellipse(200, 200, 94, 31, pen.light)
        + ellipse(200, 200, 44, 14, pen.accent),
        -10,
    )


def skittles(pen: PicturePen) -> str:
    """Three skittles and a ball."""
    one = shape("M-16-90q0-24 16-24t16 24q0 22-6 40q24 40 18 100h-56q-6-60 18-100q-6-18-6-40z", pen.main) + rect(
        -15, -66, 30, 10, pen.accent, 4
    )
    return "".join(
        f'<g transform="translate({x} {y})">{one}</g>' for x, y in ((130, 250), (270, 250), (196, 234))
    ) + circle(240, 272, 28, pen.dark)
