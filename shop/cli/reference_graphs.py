"""Draws the graphs of the docs with Graphviz: boxes and arrows, ``docs/drawings/NAME.dot``.

The picture has the hash of its text. It is drawn anew only if the text has changed, so neither the tests nor most
changes of the docs need Graphviz.
"""

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from shop.errors import ConfigurationError

OPENING = re.compile(r"<svg .*?>\n", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


def draw_graph(source: Path, picture: Path) -> str:
    """Return the SVG of a graph: the present picture if it is of this text, otherwise a new one.

    Args:
        source: the graph in Graphviz's notation.
        picture: the SVG that was drawn last; it may be missing.

    Raises:
        ConfigurationError: the text has changed, and Graphviz is not installed or refuses the text.
    """
    mark = f"<metadata>sha256:{sha256(source.read_bytes()).hexdigest()}</metadata>\n"
    present = picture.read_text(encoding="utf-8") if picture.exists() else ""
    if mark in present:
        return present
    if shutil.which("dot") is None:
        raise ConfigurationError(f"{source.name} has changed: install Graphviz (on Debian: apt install graphviz).")
    run = subprocess.run(["dot", "-Tsvg", str(source)], capture_output=True, text=True, check=False)
    if run.returncode:
        raise ConfigurationError(f"{source.name}: {run.stderr.strip()}")
    svg = COMMENT.sub("", run.stdout[run.stdout.index("<svg ") :])
    return OPENING.sub(lambda opening: opening[0] + mark, svg, count=1)
