"""Unicode normalisation of texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalog.text_normalisation import normalise_line, to_nfc


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Cafe\u0301 Blanc", "Café Blanc"),
        ("Salt  Box", "Salt Box"),
        (" Salt\u00a0Box\t", "Salt Box"),
        ("Salt\u2009\u3000Box", "Salt Box"),
        ("Salt\u200bbox", "Saltbox"),
        ("choco\u00adlate", "chocolate"),
        ("e\u200b\u0301", "é"),
        ("Salt\nBox", "Salt Box"),
        ("\ue000marked\ue001", "marked"),
        ("👩\u200d🍳 apron", "👩\u200d🍳 apron"),
    ],
)
def test_names_have_one_normal_form(written, stored):
    assert normalise_line(written) == stored


@given(st.text())
def test_normal_form_is_idempotent_and_composed(text):
    once = normalise_line(text)
    assert normalise_line(once) == once == to_nfc(once)
    assert once == once.strip()
    assert "  " not in once
    assert unicodedata.is_normalized("NFC", once)
