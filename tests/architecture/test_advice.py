"""The page that leads from advice to code, and the glossary: each row names what exists, and what belongs together."""

import re

import pytest

from shop.exercises.definition import load_definitions
from shop.lab.experiment import load_experiments
from shop.settings import PROJECT_ROOT
from shop.switches.registry import SWITCHES

DOCS = PROJECT_ROOT / "docs"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CODE = re.compile(r"`([^`]+)`")


def rows(page, columns):
    """Return the cells of each row of the tables with so many columns."""
    lines = re.findall(r"^\| (.*) \|$", (DOCS / page).read_text(), re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if len(row) == columns and row[0] not in ("advice", "term")]


ADVICE = rows("explanation/from-advice-to-code.md", 6)
TERMS = rows("reference/glossary.md", 3)


@pytest.mark.parametrize("row", ADVICE, ids=lambda row: row[0])
def test_advice_leads_to_code_and_an_exercise(row):
    _, page, code, _, _, exercises = row
    assert LINK.search(page)
    assert all(target.startswith("../../shop/") for _, target in LINK.findall(code))
    labels = {one.name: one.label for one in load_definitions().values()}
    found = LINK.findall(exercises)
    assert found
    assert [number for number, target in found if labels[target.split("/")[2]] != number] == []


@pytest.fixture(scope="module")
def experiments():
    return load_experiments()


@pytest.mark.parametrize("row", ADVICE, ids=lambda row: row[0])
def test_advice_names_a_switch_with_an_experiment_that_flips_it(row, experiments):
    switches, names = set(CODE.findall(row[3])), CODE.findall(row[4])
    assert switches <= set(SWITCHES)
    flipped = {
        switch
        for name in names
        for switch in switches
        if len({arm.switches.get(switch) for arm in experiments[name].arms}) > 1
    }
    assert not (switches and names) or flipped == switches


def test_advice_covers_each_switch():
    assert set(SWITCHES) == {switch for row in ADVICE for switch in CODE.findall(row[3])}


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_term_names_its_place_in_the_code(row):
    """Whether the file has the name, another test checks for all pages (``SOURCE_LINK``)."""
    places = LINK.findall(row[2])
    assert places
    assert all(f"in [{text}]({target})" in row[2] and text.endswith(".py") for text, target in places)


def test_each_pattern_has_terms_in_the_glossary():
    files = {target.removeprefix("../../shop/") for row in TERMS for _, target in LINK.findall(row[2])}
    folders = {path.name for path in (PROJECT_ROOT / "shop/patterns").iterdir() if (path / "__init__.py").exists()}
    assert folders <= {file.split("/")[1] for file in files if file.startswith("patterns/")}
