#!/bin/sh
# resvg-py: text in sans-serif is not drawn although a font is given, and nothing says so.
#
# Software: resvg-py 0.5.0, matplotlib 3.11.2 (for its DejaVu Sans), Pillow 13.0.0, PyPI. Needs: python3 with venv.
# Expected before running: with one font at hand, text in "sans-serif", or in no family at all, is drawn with it, as each
#   browser does, or is an error.
# Seen: the picture has the right size and no text. The generic names stand for fonts of Windows (Arial, Times New Roman);
#   a machine without those draws nothing, until sans_serif_family, or font_family for text that names none, is given.
# What follows: whoever draws pictures with a price on them names the families, and tests that a glyph is there.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install resvg-py==0.5.0 matplotlib==3.11.2 Pillow==13.0.0
cat >"$home/probe.py" <<'PY'
"""Draw one word in several families with DejaVu Sans as the only font; count the dark dots."""
import io
import pathlib
import sys

import matplotlib
import resvg_py
from PIL import Image

FONT = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="200" height="60">
<rect width="200" height="60" fill="white"/><text x="10" y="40" font-size="30" {family}>mug 12</text></svg>"""


def dark(family="", **options):
    svg = SVG.format(family=family)
    png = resvg_py.svg_to_bytes(svg_string=svg, font_files=[str(FONT)], skip_system_fonts=True, **options)
    return sum(dot < 128 for dot in Image.open(io.BytesIO(png)).convert("L").tobytes())


SANS = 'font-family="sans-serif"'
seen = {
    "DejaVu Sans": dark('font-family="DejaVu Sans"'),
    "sans-serif": dark(SANS),
    "no family": dark(),
    "sans-serif, sans_serif_family given": dark(SANS, sans_serif_family="DejaVu Sans"),
    "no family, font_family given": dark(font_family="DejaVu Sans"),
}
for name, dots in seen.items():
    print(f"{name:36} {dots} dark dots")
named, sans, none, sans_given, none_given = seen.values()
sys.exit(0 if named == sans_given == none_given > 0 == sans == none else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
