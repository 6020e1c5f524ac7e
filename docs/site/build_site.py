"""Builds the documentation site; a warning is an error, such as a broken link or a page that the index does not list.

``make docs`` writes it into ``var/docs``. The new site replaces the old one only if it is without a fault.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Build the site, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "var" / "docs", help="the folder to write")
    site = parser.parse_args().site
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent) as folder:
        built = Path(folder) / "site"
        options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(Path(__file__).parent), "-d", f"{folder}/read"]
        if sphinx_build([*options, str(ROOT / "docs"), str(built)]):
            return 1
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(built, site)
    print(f"{site}: {len(list(site.rglob('*.html')))} pages.")  # noqa: T201 - a command prints
    return 0


if __name__ == "__main__":
    sys.exit(main())
