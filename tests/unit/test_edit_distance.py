"""The weighted edit distance of typing errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalog.edit_distance import BEGINNING, DOUBLED, LETTER, MISTAKEN, OTHER, SWAPPED, edit_distance, max_distance

WORDS = st.text("abcdefz", max_size=8)


@pytest.mark.parametrize(
    ("typed", "meant", "tenths"),
    [
        ("mug", "mug", 0),
        ("mgu", "mug", SWAPPED),
        ("umg", "mug", SWAPPED),
        ("kettel", "kettle", SWAPPED),
        ("coton", "cotton", DOUBLED),
        ("lammp", "lamp", DOUBLED),
        ("lap", "lamp", LETTER),
        ("lampy", "lamp", LETTER),
        ("lanp", "lamp", MISTAKEN),
        ("towal", "towel", MISTAKEN),
        ("wine", "wide", OTHER),
        ("fridge", "ridge", LETTER + BEGINNING),
        ("hose", "rose", OTHER + BEGINNING),
        ("", "ab", 2 * LETTER + BEGINNING),
    ],
)
def test_typing_errors_have_weights(typed, meant, tenths):
    assert edit_distance(typed, meant) == edit_distance(meant, typed) == tenths


@given(WORDS, WORDS)
def test_edit_distance_is_symmetric_and_not_negative(a, b):
    assert edit_distance(a, a) == 0
    assert edit_distance(a, b) == edit_distance(b, a) >= 0


def test_longer_words_tolerate_larger_distances():
    forgiven = [max_distance(letters) for letters in range(1, 15)]
    assert forgiven == sorted(forgiven)
    assert (forgiven[0], forgiven[-1]) == (SWAPPED, 2 * LETTER)
