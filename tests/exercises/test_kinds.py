"""The definitions of find, audit and decide are as strict as the others: each fault names file, line and field."""

import json
import shutil

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.errors import ConfigurationError
from shop.exercises.definition import EXERCISES, load_definition, load_definitions
from shop.exercises.grader_version import grader_version
from shop.lab.restore_file import FILE_NAME

FIND, AUDIT, DECIDE = "05-cache-status", "09-audit", "22-events-or-rows"


@pytest.mark.parametrize(
    ("name", "old", "new", "at", "message"),
    [
        (FIND, 'case = "cache_status"\n', "", "[find]", "find.case: this key is missing."),
        (FIND, "form =", "shape =", "shape =", "find.shape: unknown key."),
        (FIND, '"edge", "local"', '"The edge", "local"', "[find]", "find: places has lower-case words without blanks"),
        (FIND, "places =", "several = true\nplaces =", "[find]", "find: an answer of several words in any order has"),
        (FIND, 'name = "answer"', 'name = "reading"', "[[checks]]", "checks: an exercise of kind find has the checks"),
        (FIND, "[find]", 'file = "answer.md"\n[find]', "file =", "file: an exercise of kind find has no file."),
        (
            FIND,
            'kind = "find"',
            'kind = "predict"',
            "[find]",
            "find: an exercise of kind predict has a table [predict]",
        ),
        (AUDIT, 'file = "audit.md"\n', "", "title =", 'file: an exercise of kind audit has file = "audit.md".'),
        (AUDIT, 'function = "fetch_days"\n', "", "[[audit.points]]", "a weak point has a file and a function"),
        (
            AUDIT,
            'name = "serves"',
            'name = "works"',
            "[[checks]]",
            "has the checks list, serves, repairs, in this order",
        ),
        (AUDIT, "weak = true", 'weak = "perhaps"', "weak =", "audit.points.0.weak: Input should be a valid boolean"),
        (DECIDE, "least_words = 30", "least_words = 0", "least_words", "decide.points.0.least_words: Input should be"),
        (DECIDE, 'point = "cost"', 'point = "costs"', "[decide]", "a figure names the point costs, which does not"),
        (DECIDE, 'sql = "SELECT max', 'query = "SELECT max', "query =", "decide.figures.1.query: unknown key."),
        (DECIDE, 'sql = "SELECT max(version) FROM order_events"\n', "", "[[decide.figures]]", "is measured by sql or"),
    ],
)
def test_faulty_definition_names_file_line_and_field(tmp_path, name, old, new, at, message):
    folder = shutil.copytree(EXERCISES / name, tmp_path / name)
    path = folder / "exercise.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as refused:
        load_definition(folder)
    line = next(line for line in str(refused.value).splitlines() if message in line)
    number = int(line.removeprefix(f"{path}:").partition(":")[0])
    assert number == 1 or path.read_text().splitlines()[number - 1].startswith(at)


@pytest.mark.parametrize(("name", "file"), [(AUDIT, "audit.md"), (DECIDE, "decision.md")])
def test_missing_template_is_named(tmp_path, name, file):
    folder = shutil.copytree(EXERCISES / name, tmp_path / name)
    (folder / file).unlink()
    with pytest.raises(ConfigurationError, match=f"{folder / file}: the file is missing"):
        load_definition(folder)


def test_audited_program_is_no_exercise():
    assert "patient" not in load_definitions()


def test_version_of_the_check_follows_its_module():
    versions = {grader_version(load_definition(EXERCISES / name)) for name in (FIND, AUDIT, DECIDE, "02-slow-page")}
    assert len(versions) == 4


@pytest.mark.parametrize("number", ["2", "9", "22"])
def test_prediction_is_asked_for_only_where_there_is_one(number, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    done = CliRunner().invoke(main, ["exercise", "predict", number, "10"])
    assert done.exit_code == 2
    assert ("is not one of the words" if number == "2" else "asks for no prediction: you write in") in done.output


def test_status_names_the_exercise_that_has_changed_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path))
    assert "changed for exercise" not in CliRunner().invoke(main, ["status"]).output
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / FILE_NAME).write_text(json.dumps({"url": "", "kept": {}, "holder": "02-slow-page"}))
    assert "`bin/shop exercise reset 02-slow-page` restores the store" in CliRunner().invoke(main, ["status"]).output
