"""A faulty exercise is refused, and the message names file, line and field."""

import shutil

import pytest

from shop.errors import ConfigurationError
from shop.exercises.attempt_runner import build_interface
from shop.exercises.definition import EXERCISES, load_definition, load_definitions
from shop.exercises.exercise_list import advise_next, find_exercise
from shop.exercises.hints import HintList
from shop.exercises.progress import ExerciseProgress
from tests.exercises.answers import BUILD, unfinished_places

JITTER = EXERCISES / "04-ttl-jitter"
LINES = (JITTER / "exercise.toml").read_text().splitlines()
PREREQUISITES = LINES.index('prerequisites = ["hit-rate"]') + 1
ALL = load_definitions()


def line_of(text):
    return LINES.index(text) + 1


@pytest.fixture
def folder(tmp_path):
    """A copy of an exercise that a test may spoil."""
    return shutil.copytree(JITTER, tmp_path / JITTER.name)


def spoil(folder, old, new):
    path = folder / "exercise.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("minutes = 30", "minute = 30", line_of("minutes = 30"), "minute: unknown key. Did you mean minutes?"),
        ("minutes = 30\n", "", 1, "minutes: this key is missing."),
        ("minutes = 30", "minutes = 0", line_of("minutes = 30"), "minutes: Input should be greater than"),
        ('kind = "build"', 'kind = "watch"', line_of('kind = "build"'), "kind: Input should be"),
        ("call_limit_ms = 250", "limit = 250", line_of("call_limit_ms = 250"), "build.limit: unknown key."),
        ('grader = "ttl_jitter"\n', "", line_of("[build]"), "build.grader: this key is missing."),
        ("repetitions = 12", "repeats = 12", line_of("repetitions = 12"), "checks.2.repeats: unknown key."),
        ('defines = "jittered"', 'defines = "2"', line_of('defines = "jittered"'), "build.defines: is no name"),
        ("servers = []", 'servers = ["kafka"]', line_of("servers = []"), "build.servers.0: Input should be"),
        (
            '"cache.jitter"',
            '"cache.jiter"',
            line_of('switch = "cache.jitter"'),
            "build.switch: the store has no switch cache.jiter. Did you mean cache.jitter?",
        ),
        ('"cache.jitter"', '"exercise.05"', line_of("[build]"), "build: the switch of its own is exercise.04"),
        ('name = "bounds"\n', "", line_of('name = "bounds"') - 1, "checks.1.name: this key is missing."),
        (
            "repetitions = 12",
            "repetitions = 0",
            line_of("[[checks]]"),
            "checks: a threshold is not negative, and repet",
        ),
        ('name = "bounds"', 'name = "own-draws"', line_of("[[checks]]"), "checks: each has a name of its own"),
        ('["ttl-classes"]', '["ttl-class"]', line_of('patterns = ["ttl-classes"]'), "Did you mean ttl-classes?"),
        ('file = "attempt.py"\n', "", 1, 'file: an exercise of kind build has file = "attempt.py"'),
        (
            'kind = "build"',
            'kind = "predict"',
            line_of('file = "attempt.py"'),
            "file: an exercise of kind predict has no file",
        ),
        ('kind = "build"', 'kind = "predict"', line_of("[build]"), "build: an exercise of kind predict has a table"),
        ("[build]", "[predict]", line_of("[build]"), "predict.grader: unknown key."),
        ("level =", "slug = 'x'\nlevel =", line_of('level = "first steps"'), "slug: comes from the folder's name."),
    ],
)
def test_faulty_definition_names_file_line_and_field(folder, old, new, line, message):
    spoil(folder, old, new)
    with pytest.raises(ConfigurationError) as refused:
        load_definition(folder)
    assert f"{folder}/exercise.toml:{line}: " in str(refused.value)
    assert message in str(refused.value)


def test_text_that_is_not_toml_names_the_line(folder):
    spoil(folder, "minutes = 30", "minutes = ")
    with pytest.raises(ConfigurationError, match=rf"exercise\.toml: not TOML: .*line {line_of('minutes = 30')}"):
        load_definition(folder)


def test_every_fault_of_a_definition_is_told(folder):
    spoil(folder, "minutes = 30", "minute = 30")
    with pytest.raises(ConfigurationError) as refused:
        load_definition(folder)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["exercise.toml", "README.md", "hints.md", "why.md", "attempt.py"])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=f"{folder / name}: the file is missing"):
        load_definition(folder)


def test_folder_without_a_number_is_refused(folder):
    with pytest.raises(ConfigurationError, match="named NN-slug"):
        load_definition(folder.rename(folder.parent / "jitter"))


def test_two_exercises_never_share_a_number(folder):
    spoil(folder, '["hit-rate"]', "[]")
    shutil.copytree(folder, folder.parent / "04-other")
    with pytest.raises(ConfigurationError, match="same number or slug"):
        load_definitions(folder.parent)


def test_missing_folder_of_exercises_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="part of a checkout"):
        load_definitions(tmp_path / "exercises")


def test_unknown_prerequisite_names_the_line(folder):
    with pytest.raises(ConfigurationError, match=f":{PREREQUISITES}: prerequisites.0"):
        load_definitions(folder.parent)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## 2", "## 4", r"hints\.md:\d+: ## 4: the headings are"),
        ("### bounds", "### bound", r"hints\.md:\d+: ### bound: below ## 1"),
        ("## 3\n", "", "hint 3 is missing"),
    ],
)
def test_faulty_hints_name_the_line(folder, old, new, message):
    path = folder / "hints.md"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message):
        HintList(load_definition(folder))


@pytest.mark.parametrize("definition", ALL.values(), ids=lambda one: one.name)
def test_page_of_every_exercise_has_the_same_headings_and_files(definition):
    HintList(definition)
    headings = [line for line in definition.page("README.md").splitlines() if line.startswith("#")]
    assert headings == [
        f"# {definition.label} {definition.title}",
        *("## What goes wrong in life", "## About this exercise", "## See the symptom", "## Predict"),
        *("## The commands", "## Where to write", "## How it is checked", "## Explain in your own words", "## Reset"),
    ]
    assert f"About {definition.minutes} minutes, {definition.level}" in definition.page("README.md")
    for objective in definition.objectives:
        assert objective in " ".join(definition.page("README.md").split()).replace("`", "")


@pytest.mark.parametrize(
    "interface", ["shop.exercises.interfaces.moon:Moon", "shop.exercises.interfaces.ttl_jitter:Moon"]
)
def test_interface_that_does_not_exist_is_refused(folder, interface):
    spoil(folder, "shop.exercises.interfaces.ttl_jitter:JitterFactory", interface)
    with pytest.raises(ConfigurationError, match=f"{interface}, which an exercise names: "):
        build_interface(load_definition(folder).build)


@pytest.mark.parametrize("definition", ALL.values(), ids=lambda one: one.name)
def test_nothing_is_left_to_write(definition):
    places = unfinished_places(definition)
    assert not places, "\n".join([f"{definition.name} is unfinished:", *places])


def test_exercise_is_found_by_number_slug_or_name():
    for name in ("4", "04", "ttl-jitter", "04-ttl-jitter"):
        assert find_exercise(ALL, name).slug == "ttl-jitter"
    with pytest.raises(ConfigurationError, match="Did you mean 04-ttl-jitter"):
        find_exercise(ALL, "ttl-jiter")


def test_advice_is_begun_first_then_in_order_of_prerequisites():
    begun = ExerciseProgress(begun_at="2026-11-30T09:00:00Z")
    passed = begun.with_changes(passed_at="2026-11-30T09:10:00Z")
    assert advise_next(ALL, {}).slug == "hit-rate"
    assert advise_next(ALL, {"ttl-jitter": begun}).slug == "ttl-jitter"
    assert advise_next(ALL, {"hit-rate": passed}).slug != "hit-rate"
    assert advise_next(ALL, dict.fromkeys(ALL, passed)) is None


def test_a_build_exercise_exists():
    assert BUILD
