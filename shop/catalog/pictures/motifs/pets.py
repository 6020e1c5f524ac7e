"""Things for dogs and cats."""

from shop.catalog.pictures.motifs.pen import PicturePen, circle, ellipse, line, rect, shape, turned

GOLD = "#d8b35c"


def collar(pen: PicturePen) -> str:
    """A collar with a tag."""
    band = f'<circle cx="200" cy="192" r="84" fill="none" stroke="{pen.main}" stroke-width="26"/>'
    return band + rect(180, 262, 40, 34, GOLD, 6) + circle(200, 312, 20, pen.accent)


def lead(pen: PicturePen) -> str:
    """A coiled lead with a hook."""
    coil = "".join(
        f'<ellipse cx="200" cy="{190 + n * 18}" rx="86" ry="52" fill="none" stroke="{pen.main}" stroke-width="14"/>'
        for n in range(3)
    )
    return (
        coil
        + line("M120 200q-40-40-20-90", pen.main, 14)
        + line("M100 106v-18a16 16 0 1 1 30 6", GOLD, 9)
        + line("M284 230q30 26 24 62", pen.dark, 14)
    )


def pet_bed(pen: PicturePen) -> str:
    """A round bed with a cushion."""
    return (
        ellipse(200, 256, 140, 48, pen.dark)
        + ellipse(200, 236, 140, 52, pen.main)
        + ellipse(200, 232, 100, 34, pen.light)
        + shape("M148 270q52 24 104 0v18q-52 22-104 0z", pen.accent)
    )


def bone(pen: PicturePen) -> str:
    """A bone."""
    ends = "".join(circle(x, y, 32, pen.main) for x in (126, 274) for y in (182, 230))
    return turned(rect(132, 184, 136, 44, pen.main, 12) + ends, pen.between(-30, 30), 200, 206)


def dog_treats(pen: PicturePen) -> str:
    """A bag with a bone on it."""
    ends = "".join(circle(x, y, 13, pen.accent) for x in (164, 236) for y in (194, 214))
    return _treat_bag(pen) + rect(166, 194, 68, 20, pen.accent, 8) + ends


def cat_treats(pen: PicturePen) -> str:
    """A bag with a fish on it."""
    fish = shape("M150 204q36-44 70-6l26-20v52l-26-20q-34 38-70-6z", pen.accent)
    return _treat_bag(pen) + fish + circle(174, 200, 5, pen.paper)


def _treat_bag(pen: PicturePen) -> str:
    bag = shape("M124 104h152l10 196h-172z", pen.main) + rect(118, 84, 164, 30, pen.dark, 6)
    return bag + rect(140, 156, 120, 96, pen.paper, 12)


def dog_coat(pen: PicturePen) -> str:
    """A dog that wears a coat."""
    dog = (
        rect(110, 186, 160, 62, "#b98a5b", 26)
        + rect(236, 128, 70, 66, "#b98a5b", 24)
        + ellipse(246, 158, 14, 30, "#8f6840")
    )
    legs = "".join(rect(x, 236, 22, 66, "#b98a5b", 8) for x in (122, 152, 216, 246))
    return (
        line("M114 200q-30-14-26-46", "#b98a5b", 13)
        + legs
        + dog
        + shape("M124 178h112q14 30 2 76h-114q-12-40 0-76z", pen.main)
        + rect(170, 178, 20, 76, pen.light)
        + circle(278, 154, 6, "#3a2c20")
        + circle(304, 170, 8, "#3a2c20")
    )


def scratching_post(pen: PicturePen) -> str:
    """A post on a board, with a ball on a cord."""
    rope = "".join(line(f"M172 {128 + n * 20}h56", "#c9a46e", 9) for n in range(8))
    return (
        rect(110, 280, 180, 22, pen.main, 8)
        + rect(168, 116, 64, 166, "#dfc08f", 8)
        + rope
        + rect(146, 94, 108, 26, pen.main, 10)
        + line("M250 112v56", pen.dark, 4)
        + circle(250, 182, 17, pen.accent)
    )


def feather_toy(pen: PicturePen) -> str:
    """A rod with a feather on a cord."""
    feather = shape("M0 0q44 30 20 104q-40-40-20-104z", pen.accent) + shape("M0 0q-36 36-4 100q28-50 4-100z", pen.light)
    return (
        line("M92 300L254 92", pen.main, 11)
        + line("M254 92q56 10 46 80", pen.dark, 4)
        + f'<g transform="translate(298 168)">{feather}</g>'
        + circle(298, 170, 10, pen.dark)
    )


def cat_tree(pen: PicturePen) -> str:
    """Platforms on posts, with a den."""
    posts = rect(124, 130, 26, 160, "#dfc08f", 6) + rect(244, 96, 26, 120, "#dfc08f", 6)
    den = rect(206, 206, 116, 84, pen.main, 14) + circle(264, 250, 27, pen.dark)
    return (
        posts
        + den
        + rect(88, 118, 98, 20, pen.main, 8)
        + rect(212, 84, 92, 20, pen.main, 8)
        + rect(78, 286, 252, 16, pen.dark, 6)
        + line("M106 138v34", pen.dark, 4)
        + circle(106, 184, 13, pen.accent)
    )


def toy_mouse(pen: PicturePen) -> str:
    """A mouse of cloth."""
    return (
        line("M104 262q-60-10-40-70q10-30-14-44", pen.accent, 8)
        + shape("M96 284q-4-92 88-96q90 4 136 84q4 14-14 14z", pen.main)
        + circle(206, 178, 32, pen.dark)
        + circle(206, 180, 18, pen.light)
        + circle(264, 236, 7, pen.dark)
        + circle(320, 276, 10, pen.accent)
    )
