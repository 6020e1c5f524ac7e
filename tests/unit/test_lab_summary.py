"""The one page about all experiments: in the terminal, and as one HTML file."""

import re
from datetime import UTC, datetime

import pytest

from shop.cli.lab_summary import print_summary
from shop.lab.experiment import load_experiments
from shop.lab.run_summary import COULD_NOT_RUN, NOT_RUN, RunSummary, SummaryRow, row_of

STARTED = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
BROKEN = "on.db_queries_per_request is 0.88 (0.86 to 0.89 over the runs), not <= 0.5"


def result(verdict, outcome="holds"):
    """A run of the experiment with the longest name."""
    return {
        "experiment": max(load_experiments(), key=len),
        "verdict": verdict,
        "reason": "It is <so>.",
        "refuted_by": [BROKEN] if verdict == "refuted" else [],
        "runs": 2,
        "took_s": 21.4,
        "headline": {
            "claim": "ratios.p50_off_over_on >= 2",
            "says": "{figure} times quicker with the cache",
            "figure": 9.0,
            "low": 8.0,
            "high": 10.0,
            "unit": "",
            "outcome": outcome,
        },
    }


@pytest.fixture
def summary():
    """A page with each kind of row."""
    runs = [result("invalid"), result("confirmed"), result("refuted", "broken"), result("look")]
    failed = [SummaryRow("flash-sale", COULD_NOT_RUN, sentence="The store is <away>.")]
    left = [SummaryRow(name, NOT_RUN) for name in load_experiments()]
    return RunSummary([*map(row_of, runs), *failed, *left], STARTED, 402.4, quick=True)


def test_terminal_page_groups_by_verdict_and_fits(summary, capsys):
    print_summary(summary)
    printed = capsys.readouterr().out
    assert re.findall(r"^(\w[\w ]*) \(\d+\)$", printed, re.MULTILINE) == [
        *("confirmed", "refuted", "look", "invalid", COULD_NOT_RUN, NOT_RUN)
    ]
    assert "in their quick form, 6 min 42 s: 1 confirmed, 1 refuted" in printed
    assert max(map(len, printed.splitlines())) <= 80
    words = " ".join(printed.split())
    assert "It is <so>." in words, "an invalid run tells its reason"
    assert words.count(f"Refuted: {BROKEN}.") == 1
    assert words.count("9.00 times quicker with the cache") == 4


def test_html_page_is_one_file_with_the_figures(summary, tmp_path):
    path = summary.write(tmp_path / "lab")
    page = path.read_text()
    assert path.name == "20261130T090000-all.html"
    assert page.count('<td class="figure">9.00</td>') == 4
    assert "The store is &lt;away&gt;." in page
    assert not re.search(r"(src|href)=", page), "nothing is fetched"


def test_a_page_without_runs_names_the_experiments_that_are_left():
    summary = RunSummary([SummaryRow("cache-aside", NOT_RUN)], STARTED, 1.0, quick=False)
    assert summary.headline() == "1 experiment, 0 min 1 s: 1 not run."
