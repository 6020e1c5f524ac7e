"""``shop reference``: writes what the docs draw from the code, the experiments' files and the stored runs.

Some pages are written whole. In all others, what stands between a marker and its end is:
``<!-- figure: cache-aside -->`` the run stored as ``docs/figures/cache-aside.json``, ``<!-- table: calls -->`` a table
out of the code or over all stored runs. A test compares, so the docs cannot drift from what they describe.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from shop.cli import reference_tables as tables
from shop.lab import markdown_table, report
from shop.lab.experiment import load_experiments
from shop.lab.reference import experiments_page as experiments_page
from shop.lab.result import Result
from shop.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
FIGURES = DOCS / "figures"
PATTERNS = DOCS / "patterns"
REGION = re.compile(r"(<!-- (figure|table): ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TABLES: Mapping[str, Callable[[Mapping[str, Result]], str]] = {
    "calls": lambda runs: tables.api_calls_table(),
    "refusals": lambda runs: tables.problems_table(),
    "demand": markdown_table.demand_table,
}


@click.command(hidden=True)
def reference() -> None:
    """Write anew what the docs draw from elsewhere."""
    for path, text in build_pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def build_pages() -> dict[Path, str]:
    """Return every file that is written here, whole or in part, and what belongs into it.

    Raises:
        KeyError: a marker names a figure or a table there is none of.
    """
    runs, experiments = load_runs(), load_experiments().values()
    whole = {
        DOCS / "reference" / "settings.md": tables.settings_page(),
        DOCS / "reference" / "experiments.md": experiments_page(experiments),
        DOCS / "reference" / "switches.md": tables.switches_page(PATTERNS, experiments),
    }
    pictures = {DOCS / "images" / f"{name}.svg": f"{report.draw_picture(run)}\n" for name, run in runs.items()}
    pages = [PROJECT_ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    in_part = {page: fill_regions(page.read_text(encoding="utf-8"), runs) for page in pages if page not in whole}
    return {**whole, **pictures, **in_part}


def load_runs() -> dict[str, Result]:
    """Return the runs kept for the docs, by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob("*.json"))}


def fill_regions(text: str, runs: Mapping[str, Result]) -> str:
    """Write anew what stands between the markers of a page.

    Args:
        text: the page, as Markdown.
        runs: the stored runs by name.
    """
    return REGION.sub(partial(_filled, runs), text)


def _filled(runs: Mapping[str, Result], found: re.Match[str]) -> str:
    start, kind, name, end = found.groups()
    return f"{start}{markdown_table.result_table(runs[name]) if kind == 'figure' else TABLES[name](runs)}\n{end}"
