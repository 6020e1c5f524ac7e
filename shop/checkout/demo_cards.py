"""The test cards of the payments simulator. The lab offers them; the production profile refuses them."""

from shop.errors import InvalidFields

TEST_CARDS = (
    ("tok_ok", "Works", "Charged at once."),
    ("tok_slow", "Works, slowly", "The provider takes its time, but answers."),
    ("tok_declined", "Is declined", "Nothing is charged, nothing is ordered."),
    ("tok_timeout_charged", "Charges, then never answers", "The answer is lost. You are charged once."),
    ("tok_error", "Breaks the provider", "It fails before it charges."),
)
"""Token, name, and a description of the behaviour."""
REFUSED = "This is a test card. Enter the token that the payments provider gave for a real one."
_TOKENS = frozenset(token for token, _, _ in TEST_CARDS)


def refuse_test_card(token: str) -> None:
    """Refuse a card that charges nothing.

    Raises:
        InvalidFields: the token is one of the simulator's.
    """
    if token in _TOKENS:
        raise InvalidFields("Some fields are not right.", errors={"token": REFUSED})
