"""The pages of the patterns are for learners: one form, one piece of code from the source, a question, few words."""

import re
from collections import Counter

import pytest

from shop.cli.reference import DOCS, DRAWINGS, REGION

PATTERNS = DOCS / "patterns"
HEADINGS = [
    "The problem",
    "How it works here",
    "The switch",
    "The measured effect",
    "What can go wrong",
    "When not to use it",
    "A question",
    "Practice",
]
MOST_WORDS = 900
"""Counted without the generated parts (code, tables, lists of exercises) and without comments."""
SECTION = re.compile(r"^## (.+?)$\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]{20,}\]\(\.\./images/([\w-]+)\.svg\)")
"""A picture with a description for readers who do not see it."""
ANSWER = re.compile(r"<details>\n<summary>Answer</summary>\n\n.+\n\n</details>|\]\(\.\./exercises/", re.DOTALL)
of_each_page = pytest.mark.parametrize("page", sorted(page.stem for page in PATTERNS.glob("*.md")), ids=str)


@of_each_page
def test_page_has_six_parts_a_question_and_practice(page):
    headings = [title for title in sections(page) if title != "More"]
    assert headings == HEADINGS


@of_each_page
def test_problem_has_a_drawing_made_from_a_text(page):
    pictures = PICTURE.findall(sections(page)["The problem"])
    assert [picture for picture in pictures if list(DRAWINGS.glob(f"{picture}.*"))]


@of_each_page
def test_code_of_a_page_is_one_part_of_the_source(page):
    regions = [region[2] for region in REGION.finditer(sections(page)["How it works here"])]
    assert regions.count("code") == 1
    assert "```python" not in written_part(text_of(page))


@of_each_page
def test_switch_is_shown_by_commands(page):
    commands = "".join(COMMANDS.findall(sections(page)["The switch"]))
    assert re.search(r"^bin/shop \w+", commands, re.MULTILINE)


@of_each_page
def test_question_has_an_answer_that_is_not_in_sight(page):
    assert ANSWER.search(sections(page)["A question"])


@of_each_page
def test_page_has_at_most_900_words(page):
    assert len(written_part(text_of(page)).split()) <= MOST_WORDS


@of_each_page
def test_page_shows_three_figures_of_one_run_at_most(page):
    """The generator refuses another number of figures; the whole table is in the reference."""
    assert [region[2] for region in REGION.finditer(text_of(page))].count("effect") <= 1


def test_each_generated_part_is_on_one_page_only():
    parts = Counter(
        (region[2], region[3]) for page in DOCS.rglob("*.md") for region in REGION.finditer(page.read_text())
    )
    assert [part for part, number in parts.items() if number > 1] == []


def text_of(page: str) -> str:
    return (PATTERNS / f"{page}.md").read_text()


def sections(page: str) -> dict[str, str]:
    return dict(SECTION.findall(text_of(page)))


def written_part(text: str) -> str:
    return re.sub(r"<!--.*?-->", "", REGION.sub("", text), flags=re.DOTALL)
