"""The code on a page of the docs comes from the source, by name."""

import pytest

from shop.cli.reference import fill_regions
from shop.cli.reference_code import code_excerpt, definition_code
from shop.errors import ConfigurationError
from shop.lab.markdown_table import effect_table
from shop.settings import PROJECT_ROOT

SOURCE = '''
LIMIT = 3
"""Of entries."""


class Store:
    """Keeps things.

    Args:
        size: how many.
    """

    @property
    def size(self) -> int:
        """Return the number of things that are kept, and
        of no others. They may change.

        Raises:
            KeyError: never.
        """
        return LIMIT  # as long as nobody asks

    def put(self) -> None:
        """Keep it."""
'''
PAGE = PROJECT_ROOT / "docs" / "patterns" / "x.md"
RUN = {
    "experiment": "some-run",
    "title": "A run",
    "verdict": "confirmed",
    "started_at": "2026-11-30T10:00:00Z",
    "runs": 1,
    "machine": {"cpus": 2, "architecture": "x86_64", "system": "Linux 6", "python": "3.11"},
    "words": {},
    "arms": [
        {
            "name": name,
            "title": f"arm {name}",
            "p50_ms": 10.0,
            "p99_ms": 20.0,
            "error_rate": 0.5,
            "hit_rate": {},
            "measures": {},
            "spread": {figure: {"min": 1.0, "max": 1.0} for figure in ("p50_ms", "p99_ms", "error_rate")},
        }
        for name in ("off", "on")
    ],
}


def write(tmp_path, text):
    (tmp_path / "shop.py").write_text(text)
    return tmp_path


def test_method_is_shown_with_the_first_sentence_of_its_docstring():
    assert definition_code(SOURCE, "Store.size", "x.py") == (
        "@property\n"
        "def size(self) -> int:\n"
        '    """Return the number of things that are kept, and\n'
        '    of no others. They may change."""\n'
        "    return LIMIT  # as long as nobody asks"
    )


def test_constant_is_shown():
    assert definition_code(SOURCE, "LIMIT", "x.py") == "LIMIT = 3"


def test_methods_of_one_class_stand_below_its_name(tmp_path):
    excerpt = code_excerpt(
        "shop.py Store.size Store.put LIMIT LIMIT", tmp_path / "docs" / "a" / "x.md", write(tmp_path, SOURCE)
    )
    assert excerpt.startswith("```python\nclass Store:\n    @property\n    def size")
    assert "\n\n    def put(self) -> None:\n" in excerpt
    assert "\n\n\nLIMIT = 3\nLIMIT = 3\n```\n" in excerpt
    assert excerpt.endswith("`Store.size`, `Store.put`, `LIMIT`, `LIMIT` in [shop.py](../../shop.py)")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("shop.py Store.gone", "shop.py has no Store.gone"),
        ("shop.py LIMIT", "1 lines of code; a page shows 10 to 30"),
        ("shop.py Store Store Store", "37 lines of code; a page shows 10 to 30"),
        ("gone.py Store", "there is no file gone.py"),
        ("shop.py", "name a file and a definition"),
    ],
)
def test_place_without_code_of_a_fitting_size_is_refused(place, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        code_excerpt(place, tmp_path / "x.md", write(tmp_path, SOURCE))


@pytest.mark.parametrize("marker", ["code: shop/app.py gone", "effect: gone p50_ms", "practice: gone"])
def test_mistake_names_page_and_marker(marker):
    with pytest.raises(ConfigurationError, match=rf"docs/patterns/x.md, <!-- {marker} -->: .*gone"):
        fill_regions(f"<!-- {marker} -->\n<!-- end -->", PAGE, {}, [])


def test_effect_shows_three_figures_of_the_chosen_arms():
    lines = effect_table(RUN, "p99_ms error_rate p50_ms of on").splitlines()
    assert lines[:5] == [
        "| | arm on |",
        "|---|---|",
        "| 99th percentile | 20.0 ms |",
        "| Failed | 50.0% |",
        "| Median wait | 10.0 ms |",
    ]
    assert lines[-1].endswith("[All figures of this run](../reference/measurements.md#some-run).")


@pytest.mark.parametrize("choice", ["p50_ms p99_ms", "p50_ms p99_ms p10_ms", "p50_ms p99_ms error_rate of in"])
def test_effect_of_other_figures_lists_the_right_names(choice):
    with pytest.raises(ValueError, match="name 3 of the figures p50_ms, p99_ms, error_rate; of the arms off, on"):
        effect_table(RUN, choice)
