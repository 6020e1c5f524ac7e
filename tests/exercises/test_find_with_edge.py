"""Find exercises and decisions on a whole stack with its edge, in every variant that a reader can draw."""

import json
import re

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.exercises.cases import slow_page, stale_price
from shop.exercises.cases.cache_status import SITUATIONS
from shop.exercises.cases.slow_page import SWITCHES
from shop.exercises.decision import measure_sql
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.finding import check_answer, release_case, set_up_case
from shop.exercises.query_count import count_queries
from shop.lab.restore_file import read_holder
from shop.lab.store_client import StoreClient
from shop.stack import edge
from tests.exercises.test_decision import DECISIONS, fill_in
from tests.support.stack_instance import StackInstance

pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("find-store"),  # one process, one store
    pytest.mark.skipif(not edge.find_binary(), reason="no nginx for this platform"),
]
SLOW_PAGE, CACHE_STATUS, STALE_PRICE = (
    load_definition(EXERCISES / name) for name in ("02-slow-page", "05-cache-status", "06-stale-price")
)


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """A running stack of the reader's own."""
    instance = StackInstance(tmp_path_factory.mktemp("checkout"))
    try:
        instance.up("--size", "s")
        yield instance
    finally:
        instance.shop("down")


@pytest.fixture
def store(instance):
    """A client of that store, which has no setting of an exercise afterwards."""
    store = StoreClient(f"http://127.0.0.1:{instance.port}")
    yield store
    for exercise in (SLOW_PAGE, STALE_PRICE):
        release_case(exercise, store, instance.var / "lab")
    store.close()


@pytest.fixture
def lab_dir(instance):
    """The folder of the restore file."""
    return instance.var / "lab"


def silent(text):
    """Receive a sentence about what was restored."""


@pytest.mark.parametrize("variant", range(len(SWITCHES)))
def test_each_switch_behind_slow_page_is_found(variant, store, lab_dir, monkeypatch):
    monkeypatch.setattr(slow_page, "EDGE_FORGETS_S", 0.0)  # the check reads one response that the edge forwards
    before = store.switches()
    set_up_case(SLOW_PAGE, variant, store, lab_dir, silent)
    for answer in set(SWITCHES) - {SWITCHES[variant]}:
        assert check_answer(SLOW_PAGE, answer, variant, store, lab_dir, silent).verdict == "not yet"
    assert check_answer(SLOW_PAGE, SWITCHES[variant], variant, store, lab_dir, silent).verdict == "passed"
    assert store.switches() == before


@pytest.mark.parametrize("variant", range(len(SITUATIONS)))
def test_line_of_each_situation_is_read(variant, store, lab_dir):
    before, right = store.switches(), SITUATIONS[variant].answer
    assert "Cache-Status: shop-" in set_up_case(CACHE_STATUS, variant, store, lab_dir, silent)
    assert store.switches() == before
    assert check_answer(CACHE_STATUS, right, variant, store, lab_dir, silent).verdict == "passed"
    assert store.switches() == before


def test_wrong_readings_of_a_line_are_told_apart(store, lab_dir):
    came = {}
    for answer in ("local bypass", "origin miss", "shared miss"):
        verdict = check_answer(CACHE_STATUS, answer, 3, store, lab_dir, silent)
        assert verdict.verdict == "not yet"
        came[answer] = verdict.failure.came
    assert came["local bypass"] == "shop-local; fwd=bypass."
    assert came["origin miss"] == "an entry with `hit`."
    assert came["shared miss"] == "another entry there."


@pytest.mark.parametrize("variant", range(len(stale_price.ANSWERS)))
def test_layers_with_the_stale_price_are_found(variant, store, lab_dir):
    before, right = store.switches(), stale_price.ANSWERS[variant]
    set_up_case(STALE_PRICE, variant, store, lab_dir, silent)
    wrong = {"browser", *right.split()} if variant % 2 else {"shared"} if right != "shared" else {"edge", "shared"}
    verdict = check_answer(STALE_PRICE, " ".join(sorted(wrong)), variant, store, lab_dir, silent)
    assert verdict.verdict == "not yet", verdict
    assert read_holder(lab_dir) == STALE_PRICE.name
    assert check_answer(STALE_PRICE, right, variant, store, lab_dir, silent).verdict == "passed"
    assert store.switches() == before


@pytest.mark.parametrize("exercise", DECISIONS, ids=lambda one: one.name)
def test_decision_with_the_measured_figures_passes(exercise, instance, store, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(instance.var))
    monkeypatch.setenv("SHOP_EXERCISES_DIR", str(tmp_path))
    figures = {
        figure.name: measure_sql(figure.sql) if figure.sql else count_queries(store, figure.header)
        for figure in exercise.decide.figures
    }
    assert CliRunner().invoke(main, ["exercise", "start", str(exercise.number)]).exit_code == 0
    path = tmp_path / exercise.name / "decision.md"
    fill_in(exercise, path, figures)
    done = CliRunner().invoke(main, ["exercise", "check", str(exercise.number)])
    assert done.exit_code == 0, done.output
    assert "Not judged: your reasons." in done.output
    assert done.output.count("Model answer:") == len(exercise.decide.points)
    first = exercise.decide.figures[0]
    fill_in(exercise, path, {**figures, first.name: figures[first.name] * 1.5 + 1})
    verdict = json.loads(CliRunner().invoke(main, ["exercise", "check", str(exercise.number), "--json"]).stdout)
    assert (verdict["verdict"], verdict["failure"]["check"]) == ("not yet", "figures")
    assert re.search(rf"[\d.]+ {first.unit}", verdict["failure"]["came"])
