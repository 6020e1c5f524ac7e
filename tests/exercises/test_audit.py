"""The audit is proven: each weakness is found, wrong repairs fail with their own message, right ones pass."""

import gc
import json
import shutil
import sqlite3
import threading
import warnings
from contextlib import closing

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.exercises import audit_process
from shop.exercises.audit import check_audit, check_list, copy_patient
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.hints import HintList
from shop.exercises.probes import load_probes
from shop.exercises.verdict import AttemptFailed
from tests.exercises.repairs import (
    copy_of,
    model_repairs,
    repair,
    right_repairs,
    untouched_messages,
    wrong_repairs,
)

AUDIT = load_definition(EXERCISES / "09-audit")
TASK = AUDIT.audit
SERVES, PROBES = load_probes(TASK.probes)
RIGHT = right_repairs(AUDIT)
WAITING = {"timeouts", "retries"}
"""Probes that wait for seconds; they are repeated less often."""


def run_probe(probe, package):
    """Run one probe in this process; the program's unclosed responses end here, and not in another test."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        report = audit_process.run_probe(probe, package)
        gc.collect()
    return report


def repetitions(probe):
    return 2 if probe in WAITING else 10


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a function that runs a command of the reader, and returns its exit code and output."""
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SHOP_EXERCISES_DIR", str(tmp_path / "exercises"))

    def run(*words):
        done = CliRunner().invoke(main, ["exercise", *words])
        assert not isinstance(done.exception, Exception), done.exception
        return done.exit_code, done.output

    return run


@pytest.fixture
def home(shop, tmp_path):
    """The reader's folder, after the start of the exercise."""
    assert shop("start", "9")[0] == 0
    return tmp_path / "exercises" / "09-audit"


def write_list(home, *, faulty=()):
    """Fill in the list, wrongly at some points."""
    text = (home / "audit.md").read_text()
    for point in TASK.points:
        is_weak = point.weak != (point.name in faulty)
        place = f"{point.file} {point.function}" if is_weak else ""
        old = f"## {point.name}\n<!-- {point.asks} -->\nVerdict:\nPlace:"
        assert old in text
        new = old.replace("Verdict:", f"Verdict: {'Weak' if is_weak else 'sound'}").replace("Place:", f"Place: {place}")
        text = text.replace(old, new)
    (home / "audit.md").write_text(text)


def test_every_weak_point_has_a_probe_and_its_place_exists():
    assert {point.name for point in TASK.weak_points} == set(PROBES) == set(untouched_messages(AUDIT))
    for point in TASK.weak_points:
        assert f"def {point.function}(" in (EXERCISES / TASK.patient / point.file).read_text()


@pytest.mark.parametrize("probe", PROBES)
def test_untouched_program_fails_with_its_message(probe, tmp_path):
    package = copy_of(AUDIT, tmp_path)
    for number in range(1 if probe in WAITING else 3):
        report = run_probe(PROBES[probe], package)
        assert report is not None, f"repetition {number}"
        assert untouched_messages(AUDIT)[probe] in report.came, report
        assert report.did.startswith(f"{probe}: ")
        assert all((report.expected, report.look))


@pytest.mark.parametrize("wrong", wrong_repairs(AUDIT), ids=lambda one: one.name)
def test_wrong_repair_fails_with_its_own_message(wrong, tmp_path):
    package = copy_of(AUDIT, tmp_path, wrong.path.read_text())
    for number in range(repetitions(wrong.probe)):
        report = run_probe(PROBES[wrong.probe], package)
        assert report is not None, f"repetition {number}"
        assert wrong.came in report.came, report


@pytest.mark.parametrize("probe", PROBES)
def test_model_repair_passes_its_probe(probe, tmp_path):
    package = copy_of(AUDIT, tmp_path, *model_repairs(AUDIT))
    for number in range(repetitions(probe)):
        assert run_probe(PROBES[probe], package) is None, f"repetition {number}"


@pytest.mark.parametrize("name", RIGHT)
def test_repair_of_another_form_passes(name, tmp_path):
    package = copy_of(AUDIT, tmp_path, RIGHT[name])
    probe = next(one for one in PROBES if name.endswith(one))
    for number in range(repetitions(probe)):
        assert run_probe(PROBES[probe], package) is None, f"repetition {number}"
    assert run_probe(SERVES, package) is None


def test_untouched_and_repaired_program_serve(tmp_path):
    for name, texts in (("untouched", ()), ("repaired", model_repairs(AUDIT))):
        (tmp_path / name).mkdir()
        assert run_probe(SERVES, copy_of(AUDIT, tmp_path / name, *texts)) is None, name


def test_statements_of_another_database_are_not_counted(tmp_path):
    """A thread of another test may use SQLite at the same time, as the payments simulator does."""
    is_over = threading.Event()

    def read_all_the_time():
        while not is_over.is_set():
            with closing(sqlite3.connect(tmp_path / "another.db")) as connection:
                connection.execute("SELECT 1")

    other = threading.Thread(target=read_all_the_time)
    other.start()
    try:
        package = copy_of(AUDIT, tmp_path, *model_repairs(AUDIT))
        assert [run_probe(PROBES["n-plus-one"], package) for _ in range(5)] == [None] * 5
    finally:
        is_over.set()
        other.join()


def test_repair_that_changes_an_answer_is_named(tmp_path):
    package = copy_of(AUDIT, tmp_path, "# catalog.py\n@blueprint.get('/products')\ndef list_products(): return []\n")
    assert "/products?limit=1" in run_probe(SERVES, package).did


def test_list_is_checked_before_repairs(shop, home):
    code, said = shop("check", "9")
    page = AUDIT.page("README.md")
    assert code == 1
    assert said.replace(str(home), "exercises/09-audit") in page
    write_list(home, faulty=("money", "injection", "errors"))
    code, said = shop("check", "9")
    assert (code, "12 of 15 points are right" in said) == (1, True), said
    assert "The first that differs is errors" in said


def test_audit_from_start_to_pass(shop, home):
    write_list(home, faulty=("money",))
    assert "every file is as it was" in shop("check", "9")[1]
    repair(home / "patient", (EXERCISES.parents[1] / "tests/exercises/09/wrong-error-in-200.py").read_text())
    code, said = shop("check", "9", "--json")
    assert (code, json.loads(said)["failure"]["check"]) == (1, "serves")
    shop("reset", "9", "--yes")
    write_list(home)
    for text in model_repairs(AUDIT):
        if text.startswith("# catalog.py"):
            repair(home / "patient", text)
    code, said = shop("check", "9")
    assert code == 0, said
    assert "passed    list, serves, repairs, repair of n-plus-one, repair of page-size, repair of errors" in said
    assert shop("solution", "9")[0] == 0


@pytest.mark.parametrize(
    ("text", "check", "came"),
    [
        ("# orders.py\nimport nothing_like_it\n", "serves", "ModuleNotFoundError"),
        ("# orders.py\nimport os\nGONE = os._exit(3)\n", "serves", "the whole process ended"),
        (
            "# health.py\nimport time\n@blueprint.get('/livez')\ndef show_liveness(): time.sleep(3600)\n",
            "serves",
            "no answer",
        ),
    ],
)
def test_broken_copy_is_not_yet(tmp_path, text, check, came):
    copy_patient(TASK, tmp_path)
    shutil.copy(AUDIT.folder / "audit.md", tmp_path)
    write_list(tmp_path)
    repair(tmp_path / TASK.patient, text)
    verdict = check_audit(AUDIT, tmp_path)
    assert (verdict.verdict, verdict.failure.check) == ("not yet", check), verdict
    assert came in verdict.failure.came


@pytest.mark.parametrize(
    ("old", "new", "came"),
    [
        ("## money\n", "## mony\n", "the heading ## mony."),
        ("## money\n", "", "no heading ## money."),
        ("## money\n", "## money\n\n## money\n", "the heading ## money again."),
        ("\nVerdict:\n", "\nVerdict: perhaps\n", "Verdict: perhaps for timeouts."),
    ],
)
def test_faulty_list_names_the_line(home, old, new, came):
    path = home / "audit.md"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(AttemptFailed) as failed:
        check_list(TASK, path, 13)
    assert failed.value.report.came == came
    assert f"{path}:" in failed.value.report.look


def test_each_check_has_a_first_hint_of_its_own():
    hints = HintList(AUDIT)
    assert len({hints.hint(1, rule.name) for rule in AUDIT.checks}) == len(AUDIT.checks)
