import re

import pytest

from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import carry_cart, guest_with_cart


@pytest.fixture
def queries(client, database, simulator):
    """Check out so many different products and return the statements of the checkout and of its replay."""

    def count(products):
        with database.transaction() as session:
            category = make_category(session)
            slugs = [make_product(session, category).slug for _ in range(products)]
        carry_cart(client, guest_with_cart(database, dict.fromkeys(slugs, 2)))
        return [
            _statements(client.post("/api/v1/checkout", json=DETAILS, headers={"Idempotency-Key": "k"})) for _ in "12"
        ]

    return count


def _statements(answer):
    assert answer.status_code == 201
    return int(re.search(r"(\d+) quer", answer.headers["Server-Timing"])[1])


@pytest.mark.parametrize("products", [1, 3])
def test_product_costs_two_statements_and_replay_a_constant_number(queries, products):
    first, replay = queries(products)
    assert first <= 21 + 2 * products  # the confirmation and the read model among them, which travel with COMMIT
    assert replay <= 2
