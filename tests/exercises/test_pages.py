"""The pages of the exercises, and the page for teachers: what a learner or a teacher does by them."""

import re

import pytest

from shop.exercises.definition import CHAPTERS, PAGE, load_definitions
from shop.settings import PROJECT_ROOT

EXERCISES = load_definitions().values()
TEACHING = (PROJECT_ROOT / "docs" / "action-plan" / "teaching.md").read_text()


def section(begin, end):
    return TEACHING.partition(begin)[2].partition(end)[0]


def test_weeks_of_a_course_have_each_exercise_once():
    weeks = section("## Four weeks", "Take out what does not fit")
    named = re.findall(r"\b(\d\d)\b", re.sub(r"\b\d\d minutes", "", weeks))
    assert sorted(set(named)) == sorted(one.label for one in EXERCISES)
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("kind", "begin", "end"), [("predict", "In predictions:", "In the code:"), ("build", "In the code:", "In build")]
)
def test_usual_mistakes_name_each_exercise_of_a_kind(kind, begin, end):
    named = re.findall(r"^\| (\d\d) ", section(begin, end), re.MULTILINE)
    assert named == [one.label for one in EXERCISES if one.kind == kind]


def test_example_of_a_class_has_the_number_of_exercises():
    example = section("## Hand in and collect", "## When a new release comes")
    assert f"of {len(EXERCISES)} exercises" in example
    totals = re.findall(r"\d of (\d+)\b(?! exercises)", example)
    assert totals == [str(sum(one.chapter == chapter for one in EXERCISES)) for chapter in CHAPTERS]


@pytest.mark.parametrize("name", [one.name for one in EXERCISES])
def test_page_clears_no_fault_right_after_it_has_set_it(name):
    page = next(one for one in EXERCISES if one.name == name).page(PAGE)
    assert not re.search(r"bin/shop fault set .*\n\s*bin/shop fault clear", page)
