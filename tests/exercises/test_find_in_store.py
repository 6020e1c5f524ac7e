"""Find exercises on a running store of this test run, which has no edge: what a reader sets up, answers and resets."""

import signal

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.exercises.cases import slow_page, stale_price
from shop.exercises.cases.slow_page import SWITCHES
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.finding import check_answer, release_case, set_up_case
from shop.exercises.progress import ExerciseProgress, ProgressFile
from shop.lab.lab_lock import claim_lab
from shop.lab.restore_file import FILE_NAME, read_holder
from tests.support.polling import until

pytestmark = pytest.mark.xdist_group("exercise-store")  # one process, one store
SLOW_PAGE, STALE_PRICE = (load_definition(EXERCISES / name) for name in ("02-slow-page", "06-stale-price"))
LOCAL, SHARED = SWITCHES.index("cache.local"), SWITCHES.index("cache.shared")
ONLY_SHARED = stale_price.ANSWERS.index("shared")
WRONG = {
    "cache.browser": "Cache-Control: no-cache; ETag: W/",
    "cache.edge": "no entry of shop-edge.",
    "cache.local": "shop-local; fwd=miss; stored",
    "cache.shared": "shop-shared; fwd=",
}
"""What the verdict shows for a switch that is on; of the edge, for a store without one."""


@pytest.fixture(autouse=True)
def prompt(monkeypatch):
    """Do not wait for an edge, which this store does not have; look at a stale price for a shorter time."""
    monkeypatch.setattr(slow_page, "EDGE_FORGETS_S", 0.0)
    monkeypatch.setattr(stale_price, "EDGE_FORGETS_S", 0.0)
    monkeypatch.setattr(stale_price, "LOOK_S", 1.0)


@pytest.fixture
def lab_dir(tmp_path, store):
    """The folder of the restore file; afterwards the store is restored."""
    yield tmp_path / "var" / "lab"
    for exercise in (SLOW_PAGE, STALE_PRICE):
        release_case(exercise, store, tmp_path / "var" / "lab")


@pytest.fixture
def shop(tmp_path, monkeypatch, store):
    """Return a function that runs a command of the reader on this store; it returns exit code, output and errors."""
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))

    def run(*words):
        address = ("--url", store.base_url) if words[0] in ("start", "check", "reset") else ()
        done = CliRunner().invoke(main, ["exercise", *words, *address])
        assert not isinstance(done.exception, Exception), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


def silent(text):
    """Receive a sentence about what was restored."""


def own_products(store):
    return [slug for slug in store.products(100) if slug.startswith("exercise-")]


@pytest.mark.parametrize("switch", ["cache.browser", "cache.local", "cache.shared"])
def test_switch_behind_slow_page_is_found(switch, store, lab_dir, switches):
    before, variant = switches(), SWITCHES.index(switch)
    set_up_case(SLOW_PAGE, variant, store, lab_dir, silent)
    assert (switches()[switch], read_holder(lab_dir)) == ("off", SLOW_PAGE.name)
    for answer in set(SWITCHES) - {switch}:
        verdict = check_answer(SLOW_PAGE, answer, variant, store, lab_dir, silent)
        assert (verdict.verdict, WRONG[answer] in verdict.failure.came) == ("not yet", True), verdict
        assert read_holder(lab_dir) == SLOW_PAGE.name, "the reader may look again"
    assert check_answer(SLOW_PAGE, switch, variant, store, lab_dir, silent).verdict == "passed"
    assert switches() == before
    assert not (lab_dir / FILE_NAME).exists()
    assert own_products(store) == []


def test_stale_price_is_found_and_store_restored(store, lab_dir, switches):
    before = switches()
    text = set_up_case(STALE_PRICE, ONLY_SHARED, store, lab_dir, silent)
    (slug,) = own_products(store)
    assert f"PRODUCT={slug}" in text
    came = {}
    for answer in ("edge shared", "local", "browser shared"):
        verdict = check_answer(STALE_PRICE, answer, ONLY_SHARED, store, lab_dir, silent)
        assert verdict.verdict == "not yet", verdict
        came[answer] = verdict.failure.came
    assert came["edge shared"].startswith("no such hit; for example Cache-Status: shop-shared; hit")
    assert came["local"].startswith("no such hit; for example Cache-Status: shop-shared; hit")
    assert came["browser shared"] == "Cache-Control: no-cache."
    assert check_answer(STALE_PRICE, "shared", ONLY_SHARED, store, lab_dir, silent).verdict == "passed"
    assert switches() == before
    assert own_products(store) == []


def test_expired_price_could_not_be_judged(store, lab_dir):
    set_up_case(STALE_PRICE, ONLY_SHARED, store, lab_dir, silent)
    store.set_switch("cache.shared", "off")
    store.wait_applied()
    verdict = check_answer(STALE_PRICE, "shared", ONLY_SHARED, store, lab_dir, silent)
    assert (verdict.verdict, "Every layer has the new price" in verdict.reason) == ("could not judge", True), verdict


def test_changed_situation_could_not_be_judged(store, lab_dir):
    set_up_case(SLOW_PAGE, LOCAL, store, lab_dir, silent)
    store.set_switch("cache.local", "on")
    store.set_switch("cache.shared", "off")
    store.wait_applied()
    verdict = check_answer(SLOW_PAGE, "cache.local", LOCAL, store, lab_dir, silent)
    assert (verdict.verdict, verdict.exit_code) == ("could not judge", 3)
    assert "bin/shop exercise start 2" in verdict.reason


def test_reader_starts_answers_and_resets(shop, store, lab_dir, switches, tmp_path):
    before, file = switches(), ProgressFile(tmp_path / "var")
    assert shop("check", "2")[0] == 2, "it is not set up yet"
    code, said, _ = shop("start", "2")
    assert (code, "The store is changed now" in said) == (0, True), said
    assert "bin/shop exercise reset 2 restores it" in shop("list")[1]
    assert "bin/shop exercise reset 2 restores it" in shop("map")[1]
    variant = file.of("slow-page").variant
    assert shop("check", "2")[0] == 2, "there is no answer yet"
    shop("predict", "2", SWITCHES[variant - 1])
    file.save("slow-page", file.of("slow-page").with_changes(variant=LOCAL))  # drawn among four; this store has no edge
    release_case(SLOW_PAGE, store, lab_dir)
    assert switches() == before
    assert shop("start", "2")[0] == 0
    assert file.of("slow-page").variant == LOCAL, "another start sets up the same case"
    shop("predict", "2", "cache.shared")
    code, said, notes = shop("check", "2")
    assert (code, "The store stays changed until you pass" in said) == (1, True), said
    assert notes.strip() == "The check takes about 3 seconds, longer on a busy machine."
    code, said, _ = shop("reset", "2", "--yes")
    assert "The store is restored." in said
    assert (switches(), own_products(store)) == (before, [])
    assert {variant, LOCAL} == {*file.of("slow-page").drawn}
    assert file.of("slow-page").with_changes(drawn=()) == ExerciseProgress()


def test_start_after_a_pass_draws_again(shop, store, lab_dir, tmp_path, monkeypatch):
    file = ProgressFile(tmp_path / "var")
    file.save("slow-page", ExerciseProgress(variant=LOCAL, answer="cache.local"))
    assert shop("start", "2")[0] == 0
    code, said, _ = shop("check", "2")
    assert (code, "The answer explained" in said) == (0, True), said
    code, _, errors = shop("check", "2")
    assert (code, "is passed; the next start draws another case: bin/shop exercise start 2" in errors) == (2, True), (
        errors
    )
    monkeypatch.setattr("shop.cli.exercise_store.draw_variant", lambda task, drawn: SHARED)
    assert shop("start", "2")[0] == 0
    assert file.of("slow-page").variant == SHARED


def test_next_check_restores_what_start_has_changed(shop, store, lab_dir, switches, tmp_path):
    before = switches()
    ProgressFile(tmp_path / "var").save("slow-page", ExerciseProgress(variant=SHARED, answer="cache.local"))
    set_up_case(SLOW_PAGE, SHARED, store, lab_dir, silent)
    shop("predict", "1", "50")
    _, _, errors = shop("check", "1")
    assert errors.count("Exercise 02-slow-page had changed the store; restored all.") == 1, errors
    assert "cache.shared" not in errors, "it is the answer"
    assert switches() == before
    code, said, _ = shop("check", "2")
    assert (code, "the store has been restored since" in said) == (3, True), said


def test_second_check_is_refused_while_one_runs(shop, lab_dir, tmp_path):
    ProgressFile(tmp_path / "var").save("slow-page", ExerciseProgress(variant=SHARED, answer="cache.local"))
    with claim_lab(lab_dir):
        code, _, errors = shop("check", "2")
    assert (code, "is running" in errors) == (2, True), errors


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_ended_start_leaves_the_store_as_it_was(end, store, lab_dir, switches, start_shop):
    before = switches()
    start = start_shop("start", "2", "--url", store.base_url)
    until((lab_dir / FILE_NAME).exists, 60)
    until(lambda: "off" in {switches()[name] for name in SWITCHES}, 60)
    start.send_signal(end)
    start.communicate(timeout=60)
    until(lambda: not (lab_dir / FILE_NAME).exists(), 60)  # after kill -9, a guard restores it
    assert switches() == before


def test_store_of_another_address_is_not_restored(store, lab_dir):
    set_up_case(SLOW_PAGE, LOCAL, store, lab_dir, silent)
    path = lab_dir / FILE_NAME
    text = path.read_text()
    path.write_text(text.replace(store.base_url, "http://127.0.0.1:9"))
    verdict = check_answer(SLOW_PAGE, "cache.local", LOCAL, store, lab_dir, silent)
    path.write_text(text)
    assert (verdict.verdict, "not set up" in verdict.reason) == ("could not judge", True)


def test_stopped_store_could_not_be_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    ProgressFile(tmp_path / "var").save("slow-page", ExerciseProgress(variant=SHARED, answer="cache.local"))
    done = CliRunner().invoke(main, ["exercise", "check", "2"])
    assert (done.exit_code, "bin/shop up" in done.stdout) == (3, True), done.output
    done = CliRunner().invoke(main, ["exercise", "start", "2"])
    assert (done.exit_code, "bin/shop up" in done.stderr) == (2, True), done.output
