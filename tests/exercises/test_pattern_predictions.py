"""The predict exercises on a whole stack: the calculation of ``why.md`` passes, and the page's own example does not."""

import re

import pytest

from shop.exercises import prediction
from shop.exercises.definition import load_definitions
from shop.exercises.measurements import load_measurement
from shop.exercises.prediction import check_prediction, judge_prediction
from shop.lab import saved_state
from shop.lab.store_client import PAGE_SIZE, StoreClient
from tests.exercises.answers import model_answer
from tests.support.stack_instance import StackInstance

QUICK = ("browser-cache", "composite-api", "read-model-lag", "order-events", "partial-write", "write-through")
"""One for each part of the machinery: a cache, a page, orders, staff, and what an order leaves behind."""
PREDICT = [one for one in load_definitions().values() if one.kind == "predict" and one.slug != "hit-rate"]
EXAMPLE = re.compile(r"shop exercise predict \d+ (\S+)$", re.MULTILINE)
WORKERS = 2
REFRESH_S, IN_FORCE_S = 0.2, 0.5
"""How often this stack's processes poll switches, and when every process applies a change."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exercise-predictions")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = StackInstance(tmp_path_factory.mktemp("predictions"))
    stack.up("--size", "s", "--workers", str(WORKERS), SHOP_SWITCH_REFRESH_S=str(REFRESH_S))
    yield stack
    books = stack.shop("books")
    stack.shop("down")
    assert books.returncode == 0, books.stdout + books.stderr


@pytest.fixture
def store(stack, monkeypatch):
    monkeypatch.setattr(prediction, "SWITCH_SETTLE_S", IN_FORCE_S)
    monkeypatch.setattr(saved_state, "SETTLE_S", IN_FORCE_S)
    store = StoreClient(f"http://127.0.0.1:{stack.port}")
    yield store
    store.close()


def calculated(definition):
    """Return the number that the calculation of ``why.md`` ends with."""
    names = {}
    exec(model_answer(definition), names)  # noqa: S102 - our own page
    return float(list(names.values())[-1])


def marked(definition):
    return pytest.param(definition, id=definition.name, marks=[] if definition.slug in QUICK else [pytest.mark.long])


@pytest.mark.parametrize("definition", map(marked, PREDICT))
def test_calculation_passes_and_example_fails(definition, store, tmp_path):
    before = store.switches(), store.faults()
    verdict = check_prediction(definition, calculated(definition), store, tmp_path, print)
    assert verdict.verdict == "passed", verdict
    example = float(EXAMPLE.search(definition.page("README.md"))[1])
    wrong = judge_prediction(definition, load_measurement(definition.predict), example, verdict.measured)
    assert wrong.verdict == "not yet"
    assert (store.switches(), store.faults()) == before
    own = load_measurement(definition.predict).own_products
    assert [slug for slug in store.products(PAGE_SIZE) if slug in own] == []


@pytest.mark.parametrize("definition", PREDICT, ids=lambda one: one.name)
def test_page_shows_the_verdict_on_its_example(definition):
    page = definition.page("README.md")
    example = float(EXAMPLE.search(page)[1])
    failure = judge_prediction(definition, load_measurement(definition.predict), example, -1.0).failure
    for text in (definition.checks[0].says, failure.did, failure.expected, failure.look):
        assert text in page


def test_stack_without_a_server_could_not_be_judged(store, tmp_path, monkeypatch):
    definition = next(one for one in PREDICT if one.slug == "deadlines")
    monkeypatch.setattr(StoreClient, "faults", lambda self: {"web": "none"})
    verdict = check_prediction(definition, 8.0, store, tmp_path, print)
    assert (verdict.verdict, "breaks the payments" in verdict.reason) == ("could not judge", True)
