"""The test cards of the payments simulator. The lab offers them; the production profile refuses them."""

from shop.errors import InvalidFields

LOST_ANSWER = "tok_timeout_charged"
"""The order's page explains what happened with this card."""
TEST_CARDS = (
    ("tok_ok", "Works", "The provider charges at once. The order is paid when you see it."),
    ("tok_slow", "Works, slowly", "The provider takes its time, but answers. Watch the thread wait in the lab."),
    (
        "tok_declined",
        "Is declined",
        "The provider refuses. Nothing is charged or ordered; the stock is free again.",
    ),
    (
        LOST_ANSWER,
        "Charges, then never answers",
        "The provider charges, and its answer is lost. The store asks again with the same key: you are charged once.",
    ),
    ("tok_error", "Breaks the provider", "It fails before it charges. After a few of them the circuit breaker opens."),
)
"""Token, name, and a description of the behaviour."""
TEST_ADDRESS = {
    "email": "reader@shop.test",
    "name": "Test Reader",
    "line1": "1 Example Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}
"""Fills the form of the lab: nothing is sent there."""
REFUSED = "This is a test card. Enter the token that the payments provider gave for a real one."
_TOKENS = frozenset(token for token, _, _ in TEST_CARDS)


def refuse_test_card(token: str) -> None:
    """Refuse a card that charges nothing.

    Raises:
        InvalidFields: the token is one of the simulator's.
    """
    if token in _TOKENS:
        raise InvalidFields("Some fields are not right.", errors={"token": REFUSED})
