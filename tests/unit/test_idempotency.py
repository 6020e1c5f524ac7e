"""The pure half of idempotency keys: what makes two requests the same, and what an earlier one means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.errors import BadRequest, InvalidFields, StateConflict
from shop.patterns.idempotency import keys
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.rules import (
    ClaimResult,
    ReplayedRequest,
    StoredResponse,
    is_storable,
    raise_unless_claimed,
)

NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=5)
ANSWER = StoredResponse(201, b"{}", "application/json", "/api/v1/orders/one")


def shuffled(body):
    """The same JSON value with every object's names in the opposite order."""
    if isinstance(body, dict):
        return {name: shuffled(value) for name, value in reversed(body.items())}
    return [shuffled(value) for value in body] if isinstance(body, list) else body


@given(BODIES)
def test_the_order_of_names_spacing_and_escapes_do_not_count(body):
    spellings = [json.dumps(shuffled(body), indent=2, ensure_ascii=False), json.dumps(body, ensure_ascii=True)]
    assert {keys.of_json(json.loads(spelling)) for spelling in spellings} == {keys.of_json(body)}


@given(BODIES, BODIES)
def test_two_bodies_are_spelled_alike_only_if_they_say_the_same(one, other):
    alike = keys.of_json(one) == keys.of_json(other)
    assert alike == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(FIELDS)
def test_the_order_of_a_forms_names_does_not_count_and_that_of_its_values_does(fields):
    by_name = sorted(fields, key=lambda field: field[0], reverse=True)
    assert keys.of_form(by_name) == keys.of_form(fields)
    assert keys.of_form([*fields, ("a", "1"), ("a", "2")]) != keys.of_form([*fields, ("a", "2"), ("a", "1")])


@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_a_fingerprint_depends_on_secret_address_and_body(secret, address, body):
    found = keys.fingerprint(secret, address, body)
    assert found == keys.fingerprint(secret, address, body)
    assert found != keys.fingerprint(secret + "x", address, body)
    assert found != keys.fingerprint(secret, address + "x", body)
    assert found != keys.fingerprint(secret, address, body + b"x")


@given(st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)))
def test_the_lock_of_a_key_fits_postgresql_and_is_not_that_of_its_neighbour(parts):
    owner, route, key = (part.replace("\0", "") for part in parts)
    mine, theirs = RequestKey(owner, route, key, "f"), RequestKey(owner, route + "x", key, "f")
    assert -(2**63) <= mine.lock < 2**63
    assert mine.lock != theirs.lock


@pytest.mark.parametrize("given", [None, "", "k" * 256, "a\0b"])
def test_a_key_that_is_missing_too_long_or_no_text_is_refused(given):
    with pytest.raises(BadRequest):
        keys.check(given)


def test_a_key_of_255_characters_is_one():
    assert keys.check("k" * 255) == "k" * 255


@given(st.integers(100, 599), st.sampled_from(["user:1", "guest:1", "anybody:1"]))
def test_what_is_kept_is_what_was_done_and_what_never_will_be(status, owner):
    final = status == 402 or (status in (403, 404, 410) and owner == "user:1")
    assert is_storable(status, owner) == (200 <= status < 400 or final)


@given(st.booleans(), st.sampled_from([None, True, False]), st.sampled_from([None, ANSWER]))
def test_who_does_not_get_the_key_is_told_why(taken, same, answer):
    seen = ClaimResult(taken, same, answer)
    if taken:
        assert raise_unless_claimed(seen) is None
        return
    expected = InvalidFields if same is False else ReplayedRequest if answer else StateConflict
    with pytest.raises(expected) as told:
        raise_unless_claimed(seen)
    if expected is ReplayedRequest:
        assert told.value.answer is answer
    else:
        assert "another" in told.value.detail or told.value.retry_after
