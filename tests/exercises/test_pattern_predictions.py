"""The predict exercises on a running store: the calculation of ``why.md`` passes, and the page's example does not."""

import re

import pytest

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ServiceUnavailable
from shop.exercises.definition import load_definitions
from shop.exercises.measurements import load_measurement
from shop.exercises.prediction import check_prediction, judge_prediction
from shop.lab.saved_state import FILE_NAME, restore_after_kill
from shop.lab.store_client import PAGE_SIZE, StoreClient
from tests.exercises.answers import model_answer
from tests.support.accounts import CHEAP
from tests.support.factories import make_category, make_product, make_user
from tests.support.stack_instance import StackInstance
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("exercise-predictions")
PREDICT = {one.slug: one for one in load_definitions().values() if one.kind == "predict" and one.slug != "hit-rate"}
QUICK = ("browser-cache", "composite-api", "prefetch", "write-through")
"""They need no more than a web server; for another exercise, `long` starts a whole stack."""
EXAMPLE = re.compile(r"bin/shop exercise predict \d+ (\S+)$", re.MULTILINE)
WORKERS = 2
REFRESH_S = 0.2
"""How often this store's processes poll switches."""
of_every_predict = pytest.mark.parametrize("definition", PREDICT.values(), ids=lambda one: one.name)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A whole stack, with the servers that an exercise breaks. Its books must be right at the end."""
    stack = StackInstance(tmp_path_factory.mktemp("predictions"))
    stack.up("--size", "s", "--workers", str(WORKERS), SHOP_SWITCH_REFRESH_S=str(REFRESH_S))
    yield stack
    books = stack.shop("books")
    stack.shop("down")
    assert books.returncode == 0, books.stdout + books.stderr


@pytest.fixture(scope="module")
def web_address(settings, tmp_path_factory):
    """The address of a web server with an empty store."""
    own = settings.model_copy(update={"switch_refresh_s": REFRESH_S})
    server = WebServer(own, tmp_path_factory.mktemp("store"), workers=WORKERS)
    try:
        server.wait()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def web_store(web_address, database, cache_client):
    """A client of the web server, with a category and an administrator."""
    with database.transaction() as session:
        make_product(session, make_category(session))
        make_user(session, ADMIN.email, password_hash=CHEAP.hash(DEMO_PASSWORD), role="admin")
    store = StoreClient(web_address)
    yield store
    store.close()


@pytest.fixture
def stack_store(stack):
    """A client of the whole stack."""
    store = StoreClient(f"http://127.0.0.1:{stack.port}")
    yield store
    store.close()


def calculated(definition):
    """Return the number that the calculation of ``why.md`` ends with."""
    names = {}
    exec(model_answer(definition), names)  # noqa: S102 - our own page
    return float(list(names.values())[-1])


def example(definition):
    """Return the number that the page types in."""
    return float(EXAMPLE.search(definition.page("README.md"))[1])


def prove(definition, store, folder):
    """Check that the calculation passes, the example fails, and the store is as before."""
    before = store.switches(), store.faults()
    measurement = load_measurement(definition.predict)
    shown = []

    def show(verdict):
        shown.append((verdict, (folder / FILE_NAME).exists()))

    verdict = check_prediction(definition, calculated(definition), store, folder, print, show)
    if verdict.verdict == "could not judge" and "too busy" in verdict.reason:
        pytest.skip(verdict.reason)
    assert verdict.verdict == "passed", verdict
    assert shown == [(verdict, True)], "the reader waits until the store is restored"
    assert judge_prediction(definition, measurement, example(definition), verdict.measured).verdict == "not yet"
    assert (store.switches(), store.faults()) == before
    assert [slug for slug in store.products(PAGE_SIZE) if slug in measurement.own_products] == []


@pytest.mark.parametrize("slug", QUICK)
def test_calculation_passes_and_example_fails(slug, web_store, tmp_path):
    prove(PREDICT[slug], web_store, tmp_path)


def test_verdict_stays_if_the_store_cannot_be_restored(web_store, tmp_path, monkeypatch):
    definition, notes = PREDICT["composite-api"], []

    def fail(slug):
        raise ServiceUnavailable("The store does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(web_store, "withdraw_product", fail)
        verdict = check_prediction(definition, calculated(definition), web_store, tmp_path, notes.append)
    assert verdict.verdict == "passed", verdict
    assert "not restored yet" in notes[-1]
    restore_after_kill(web_store, tmp_path, notes.append)
    assert "was killed; restored" in notes[-1]


@pytest.mark.long  # above: measuring and restoring; test_lab_experiments.py: faults and parameters, also after a kill
@pytest.mark.parametrize("slug", [slug for slug in PREDICT if slug not in QUICK])
def test_calculation_passes_on_a_whole_stack(slug, stack_store, tmp_path):
    prove(PREDICT[slug], stack_store, tmp_path)


@of_every_predict
def test_page_shows_the_verdict_on_its_example(definition):
    page = definition.page("README.md")
    failure = judge_prediction(definition, load_measurement(definition.predict), example(definition), -1.0).failure
    for text in (definition.checks[0].says, failure.did, failure.expected, failure.look):
        assert text in page


@of_every_predict
def test_calculation_is_within_the_range_and_differs_from_the_example(definition):
    assert definition.predict.lowest <= calculated(definition) <= definition.predict.highest
    assert abs(calculated(definition) - example(definition)) > definition.checks[0].threshold


@pytest.mark.parametrize("slug", ["deadlines", "edge-cache"])
def test_store_without_a_server_could_not_be_judged(slug, web_store, tmp_path):
    missing = {"deadlines": "breaks the payments", "edge-cache": "without its edge"}[slug]
    verdict = check_prediction(PREDICT[slug], 1.0, web_store, tmp_path, print)
    assert (verdict.verdict, missing in verdict.reason) == ("could not judge", True), verdict
