"""``bin/shop reference``: generates the parts of the docs that come from the code, the experiments and the stored runs.

Some pages are generated whole. In all other pages, only the text between a marker and its end is generated:
``<!-- effect: cache-aside p50_ms p99_ms most_rps -->`` shows three figures of the run stored in
``docs/figures/cache-aside.json``, ``<!-- code: shop/x.py Cache.get -->`` the code of definitions,
``<!-- table: calls -->`` a table from the code or over all stored runs, ``<!-- chapter: week -->`` and
``<!-- practice: cache-aside -->`` the exercises of a chapter and of a pattern, ``<!-- steps: read -->`` the steps of
the drawing ``docs/drawings/read.mmd``. A test compares, so the docs always agree with the code.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from shop.cli import reference_drawings, reference_tables
from shop.cli.reference_code import code_excerpt
from shop.cli.reference_exercises import chapter_table, practice_list
from shop.cli.reference_graphs import draw_graph
from shop.cli.reference_limits import limits_page
from shop.errors import ConfigurationError
from shop.exercises.definition import ExerciseDefinition, load_definitions
from shop.lab import markdown_table, report
from shop.lab.experiment import load_experiments
from shop.lab.reference import experiments_page
from shop.lab.result import Result, parse_result
from shop.lab_console.switch_guide import LINKS_FILE
from shop.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
FIGURES = DOCS / "figures"
PATTERNS = DOCS / "patterns"
DRAWINGS = DOCS / "drawings"
IMAGES = DOCS / "images"
REGION = re.compile(r"(<!-- (effect|code|table|chapter|practice|steps): ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A generated part: its first line, its kind, what the line names, the text and the last line."""
TABLES: Mapping[str, Callable[[Mapping[str, Result]], str]] = {
    "calls": lambda runs: reference_tables.api_calls_table(),
    "refusals": lambda runs: reference_tables.problems_table(),
    "demand": markdown_table.demand_table,
}


@click.command(hidden=True)
def reference() -> None:
    """Generate the generated parts of the docs."""
    for path, text in build_pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def build_pages() -> dict[Path, str]:
    """Return every file that is generated, whole or in part, with its new text.

    Raises:
        ConfigurationError: a marker names something that does not exist, or code of too many lines.
    """
    runs, experiments = load_runs(), load_experiments().values()
    whole = {
        DOCS / "reference" / "settings.md": reference_tables.settings_page(),
        DOCS / "reference" / "limits.md": limits_page(),
        DOCS / "reference" / "experiments.md": experiments_page(experiments),
        DOCS / "reference" / "measurements.md": markdown_table.measurements_page(runs),
        LINKS_FILE: reference_tables.switch_links(PATTERNS, experiments),
        DOCS / "reference" / "switches.md": reference_tables.switches_page(PATTERNS, experiments),
    }
    pictures = {IMAGES / f"{name}.svg": f"{report.draw_picture(run)}\n" for name, run in runs.items()}
    diagrams = load_drawings().items()
    drawings = {IMAGES / f"{name}.svg": f"{reference_drawings.draw(drawing, name)}\n" for name, drawing in diagrams}
    graphs = {source: IMAGES / f"{source.stem}.svg" for source in sorted(DRAWINGS.glob("*.dot"))}
    drawings |= {picture: draw_graph(source, picture) for source, picture in graphs.items()}
    pages = [PROJECT_ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    exercises = list(load_definitions().values())
    texts = {page: page.read_text(encoding="utf-8") for page in pages if page not in whole}
    in_part = {page: fill_regions(text, page, runs, exercises) for page, text in texts.items()}
    return {**whole, **pictures, **drawings, **in_part}


def load_runs() -> dict[str, Result]:
    """Return the stored runs of the docs, by name."""
    return {path.stem: parse_result(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob("*.json"))}


def load_drawings() -> dict[str, reference_drawings.SequenceDiagram]:
    """Return the drawings of the docs, by name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DRAWINGS.glob("*.mmd"))}
    return {name: reference_drawings.parse(text) for name, text in texts.items()}


def fill_regions(text: str, page: Path, runs: Mapping[str, Result], exercises: Sequence[ExerciseDefinition]) -> str:
    """Return a page with new text between its markers.

    Args:
        text: the page, as Markdown.
        page: its file.
        runs: the stored runs by name.
        exercises: all exercises.

    Raises:
        ConfigurationError: a part cannot be made; the message names the page and the marker.
    """

    def effect(choice: str) -> str:
        name, _, figures = choice.partition(" ")
        return markdown_table.effect_table(runs[name], figures)

    make: Mapping[str, Callable[[str], str]] = {
        "effect": effect,
        "code": lambda place: code_excerpt(place, page, PROJECT_ROOT),
        "table": lambda name: TABLES[name](runs),
        "chapter": lambda name: chapter_table(name, exercises),
        "practice": lambda name: practice_list(name, exercises),
        "steps": lambda name: reference_drawings.steps_table(load_drawings()[name], PROJECT_ROOT),
    }

    def generate(region: re.Match[str]) -> str:
        start, kind, name, end = region.groups()
        try:
            return f"{start}{make[kind](name)}\n{end}"
        except (KeyError, ValueError) as error:
            place = page.relative_to(PROJECT_ROOT).as_posix()
            raise ConfigurationError(f"{place}, {start.strip()}: {error}") from error

    return REGION.sub(generate, text)
