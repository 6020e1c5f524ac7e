"""The file that a learner hands in, and the table of a class."""

import json

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.exercises import progress_export
from shop.exercises.definition import CHAPTERS, EXERCISES, load_definition, load_definitions
from shop.exercises.progress import ExerciseProgress, ProgressFile

JITTER = load_definition(EXERCISES / "04-ttl-jitter")
BEGUN = "2026-11-30T09:00:00Z"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a function that runs a command in a folder of its own, and returns exit code, output and errors."""
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SHOP_EXERCISES_DIR", str(tmp_path / "exercises"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(main, ["exercise", *words])
        assert not isinstance(done.exception, Exception), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def learner(tmp_path, shop):
    """Return a function that exports the progress of a learner into the folder of the class."""
    (tmp_path / "class").mkdir()

    def hand_in(name, **progress):
        ProgressFile(tmp_path / "var").save("ttl-jitter", ExerciseProgress(begun_at=BEGUN, **progress))
        path = tmp_path / "class" / f"{name}.json"
        assert shop("export", "--name", name, "--out", str(path))[0] == 0
        return path

    return hand_in


def test_export_has_progress_and_answers_and_nothing_else(shop, tmp_path):
    shop("start", "4")
    folder = tmp_path / "exercises" / JITTER.name
    (folder / "attempt.py").write_text("mine = 1\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "attempt.py").write_text("")
    (folder / ".env").write_text("SECRET=1")
    (folder / "picture.png").write_bytes(b"\x89PNG\xff")
    shop("predict", "1", "60")
    code, said, _ = shop("export", "--name", "Ada L.")
    text = (tmp_path / "shop-exercises-ada-l.json").read_text()
    content = json.loads(text)
    assert (code, "shop-exercises-ada-l.json" in said) == (0, True)
    assert (content["name"], content["answers"]) == ("Ada L.", {"ttl-jitter": {"attempt.py": "mine = 1\n"}})
    assert content["progress"]["exercises"]["hit-rate"]["prediction"] == 60
    assert str(tmp_path) not in text


def test_export_has_no_untouched_file(shop, tmp_path):
    for number in ("4", "9", "22"):
        shop("start", number)
    shop("reset", "4", "--yes")
    assert "answers in 0." in shop("export")[1]
    changed = next((tmp_path / "exercises").glob("09-*/*/*.py"))
    changed.write_text("mine = 1\n")
    assert "answers in 1." in shop("export")[1]
    (files,) = json.loads((tmp_path / "shop-exercises.json").read_text())["answers"].values()
    assert files == {f"{changed.parent.name}/{changed.name}": "mine = 1\n"}


def test_export_without_a_name_has_none(shop, tmp_path):
    assert shop("export")[0] == 0
    assert json.loads((tmp_path / "shop-exercises.json").read_text())["name"] == ""


def test_export_replaces_an_earlier_one_and_no_other_file(shop, tmp_path):
    assert [shop("export")[0], shop("export")[0]] == [0, 0]
    (tmp_path / "mine.json").write_text('{"my": "data"}')
    code, _, errors = shop("export", "--out", "mine.json")
    assert (code, "no earlier export" in errors) == (2, True)
    assert (tmp_path / "mine.json").read_text() == '{"my": "data"}'


@pytest.mark.parametrize("name", ["x" * 61, "two\nlines", "\x1b[31mred"])
def test_unusable_name_is_refused(shop, tmp_path, name):
    assert shop("export", "--name", name)[0] == 2
    assert list(tmp_path.glob("*.json")) == []


def test_table_of_a_class(shop, learner):
    learner("Bea", checks=3, hints=2, failed_check="bounds")
    learner("ada", checks=1, passed_at="2026-11-30T10:00:00Z")
    learner("Cy", checks=2, failed_check="bounds", gave_up=True)
    code, said, errors = shop("collect", "class")
    assert (code, errors) == (0, "")
    assert said.index("ada") < said.index("Bea") < said.index("Cy")
    assert "bounds 2" in said
    report = json.loads(shop("collect", "class", "--json")[1])
    assert [row["name"] for row in report["learners"]] == ["ada", "Bea", "Cy"]
    ada, bea, cy = report["learners"]
    assert (ada["passed"]["week"], ada["begun"], ada["last_pass"]) == (1, [], "2026-11-30T10:00:00+00:00")
    assert (bea["passed"]["week"], bea["begun"], bea["checks"], bea["hints"]) == (0, ["04"], 3, 2)
    assert cy["gave_up"] == ["04"]
    (exercise,) = report["exercises"]
    assert (exercise["passed"], exercise["begun"], exercise["gave_up"]) == (1, 2, 1)
    assert exercise["stopped_at"] == {"bounds": 2}


def test_table_of_a_class_shows_every_column_in_80_characters(shop, tmp_path):
    definitions = load_definitions()
    progress = ProgressFile(tmp_path / "var")
    for number, slug in enumerate(definitions):
        passed_at = None if number % 3 else "2026-11-30T10:00:00Z"
        progress.save(slug, ExerciseProgress(begun_at=BEGUN, passed_at=passed_at, checks=123, hints=3, gave_up=True))
    (tmp_path / "class").mkdir()
    shop("export", "--name", "Maximiliane Hohenstaufen-Sonnenschein", "--out", "class/m.json")
    said = shop("collect", "class")[1]
    assert max(map(len, said.splitlines())) <= 80
    row = next(line for line in said.splitlines() if " of " in line)
    for chapter in ("week", "month", "quarter", "checks", "hints", "last pass"):
        assert chapter in said
    totals = [sum(one.chapter == chapter for one in definitions.values()) for chapter in CHAPTERS]
    for figure in (*(f"of {total}" for total in totals), str(123 * len(definitions)), str(3 * len(definitions))):
        assert figure in row
    assert "2026-11-30" in row


def spoiled(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def newer(path):
    spoiled(path, version=progress_export.VERSION + 1, wings=2)


def newer_progress(path):
    spoiled(path, progress={"version": progress_export.PROGRESS_VERSION + 1, "exercises": {}, "wings": 2})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_text(path.read_text()[:-40]), "not JSON"),
        (lambda path: path.write_bytes(b"\xff\x00\xff"), "not JSON"),
        (lambda path: path.write_text("[]"), "not from `bin/shop exercise export`"),
        (lambda path: path.write_text('{"version": 1, "exercises": {}}'), "not from `bin/shop exercise export`"),
        (lambda path: spoiled(path, version="one"), "no version"),
        (lambda path: spoiled(path, progress=3), "no version"),
        (lambda path: spoiled(path, name="\x1b[31mred"), "damaged: name"),
        (lambda path: spoiled(path, wings=2), "damaged: wings"),
        (newer, "a newer release"),
        (newer_progress, "a newer release"),
    ],
)
def test_file_that_cannot_be_used_is_named_and_skipped(shop, learner, spoil, reason):
    learner("Ada", checks=1)
    spoil(learner("Bea", checks=1))
    code, said, errors = shop("collect", "class")
    assert (code, "Ada" in said, "Bea" in said) == (0, True, False)
    assert errors.startswith("Skipped Bea.json: ")
    assert reason in errors
    assert reason in json.loads(shop("collect", "class", "--json")[1])["skipped"]["Bea.json"]


def test_class_without_a_usable_file_fails(shop, tmp_path):
    (tmp_path / "class").mkdir()
    assert shop("collect", "class")[0] == 1
    code, _, errors = shop("collect", "nowhere")
    assert (code, "is no folder" in errors) == (2, True)


def test_exercise_of_a_later_release_is_left_out(shop, learner):
    path = learner("Ada", checks=1)
    content = json.loads(path.read_text())
    content["progress"]["exercises"]["time-travel"] = {"begun_at": BEGUN, "passed_at": BEGUN}
    path.write_text(json.dumps(content))
    (row,) = json.loads(shop("collect", "class", "--json")[1])["learners"]
    assert (sum(row["passed"].values()), row["begun"]) == (0, ["04"])
