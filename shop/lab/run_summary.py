"""One page about many runs: each verdict with the one figure that its experiment is about; as one HTML file, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, PackageLoader

from shop.lab import charts
from shop.lab.headline import headline_figure, verdict_line
from shop.lab.result import Result

VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "confirmed": "The problem showed, and every claim held in every run.",
        "refuted": "A result was wrong, or a claim held in no run.",
        "look": "A single run, which claims nothing.",
        "invalid": "The figures prove nothing.",
        "could not run": "",
        "not run": "The command was ended before.",
    }
)
"""The groups of the page in their order, and what each means."""
COULD_NOT_RUN, NOT_RUN = list(VERDICTS)[-2:]


@dataclass(frozen=True)
class SummaryRow:
    """One experiment on the page.

    Args:
        experiment: its name.
        verdict: one of :data:`VERDICTS`.
        figure: the figure that it is about; empty if it was not measured.
        sentence: the verdict with the figure, or why there is none.
        took_s: how long the run took, in seconds; ``None`` if there was none.
    """

    experiment: str
    verdict: str
    figure: str = ""
    sentence: str = ""
    took_s: float | None = None


@dataclass(frozen=True)
class RunSummary:
    """The page.

    Args:
        rows: one for each experiment.
        started: the start of the first run.
        took_s: how long all of them took, in seconds.
        quick: whether they ran in their quick form.
    """

    rows: Sequence[SummaryRow]
    started: datetime
    took_s: float
    quick: bool

    def groups(self) -> list[tuple[str, list[SummaryRow]]]:
        """Return the rows by verdict; a verdict without a row is left out."""
        groups = [(verdict, [row for row in self.rows if row.verdict == verdict]) for verdict in VERDICTS]
        return [(verdict, rows) for verdict, rows in groups if rows]

    def headline(self) -> str:
        """Return what came out, as one line."""
        counts = ", ".join(f"{len(rows)} {verdict}" for verdict, rows in self.groups())
        form = f"experiment{'s' * (len(self.rows) != 1)}{' in their quick form' * self.quick}"
        minutes, seconds = divmod(round(self.took_s), 60)
        return f"{len(self.rows)} {form}, {minutes} min {seconds} s: {counts}."

    def write(self, folder: Path) -> Path:
        """Write the page as one self-contained HTML file, and return its path.

        Args:
            folder: ``var/lab``.
        """
        path = folder / f"{self.started:%Y%m%dT%H%M%S}-all.html"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_html(), encoding="utf-8")
        return path

    def to_html(self) -> str:
        """Return the page as HTML."""
        template = Environment(loader=PackageLoader("shop.lab"), autoescape=True).get_template("summary.html")
        return template.render(summary=self, meanings=VERDICTS, light=charts.LIGHT, dark=charts.DARK, font=charts.FONT)


def row_of(result: Result) -> SummaryRow:
    """Return the row of a run."""
    figure, sentence = headline_figure(result), verdict_line(result)
    return SummaryRow(result["experiment"], result["verdict"], figure, sentence, result.get("took_s"))
