"""The commands of the exercise pages and of the tutorial do what the text around them says."""

import re

import pytest

from shop.lab.experiment import load_experiments
from shop.settings import PROJECT_ROOT

PAGES = sorted([*PROJECT_ROOT.glob("docs/exercises/*/README.md"), *PROJECT_ROOT.glob("docs/tutorial/*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"^(?=## )", re.MULTILINE)
RUN = re.compile(r"^bin/shop lab run ([a-z-]+)$", re.MULTILINE)
SAYS = re.compile(
    r"about (half a minute|a minute|one and a half minutes|two minutes|two and a half minutes|three minutes)"
)
TOLERANCE_S = 35
SECONDS = {
    "half a minute": 30,
    "a minute": 60,
    "one and a half minutes": 90,
    "two minutes": 120,
    "two and a half minutes": 150,
    "three minutes": 180,
}


def page_name(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", [one for one in PAGES if RUN.search(one.read_text())], ids=page_name)
def test_page_says_how_long_its_experiment_takes(path):
    for section in SECTION.split(path.read_text()):
        for name in set(RUN.findall(section)):
            said = [SECONDS[words] for words in SAYS.findall(" ".join(section.split()))]
            takes_s = load_experiments()[name].expected_seconds()
            assert any(abs(seconds - takes_s) <= TOLERANCE_S for seconds in said), f"{path}: {name}: {takes_s:.0f} s"


@pytest.mark.parametrize("path", [one for one in PAGES if "switch set" in one.read_text()], ids=page_name)
def test_page_waits_for_a_switch_before_it_asks_the_store(path):
    """A process applies a new value within a second, not at once: without a pause, a reader may see the old one."""
    for block in BLOCK.findall(path.read_text()):
        is_waiting, asks = False, asking_names(block)
        for line in block.splitlines():
            if line.startswith("bin/shop switch set "):
                is_waiting = True
            elif line.startswith("sleep "):
                is_waiting = False
            elif is_waiting and re.match(rf"(?:{asks})(?!\(\)|\w)", line):
                pytest.fail(f"{path}: {line!r} follows a switch without a sleep")


def asking_names(block):
    """Return a pattern for the commands that ask the store: curl, and the functions of the page that call it."""
    return "|".join(["curl", "for", "ask", *re.findall(r"^([a-z]+)\(\) \{", block, re.MULTILINE)])
