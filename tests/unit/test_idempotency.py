"""The pure half of idempotency keys: the identity of a request, and the rules for an earlier request with the key."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.errors import BadRequest, InvalidFields, StateConflict
from shop.patterns.idempotency import keys
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import (
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
def test_order_of_names_spacing_and_escapes_do_not_count(body):
    spellings = [json.dumps(shuffled(body), indent=2, ensure_ascii=False), json.dumps(body, ensure_ascii=True)]
    assert {keys.canonical_json(json.loads(spelling)) for spelling in spellings} == {keys.canonical_json(body)}


@given(BODIES, BODIES)
def test_two_bodies_have_one_canonical_form_only_if_equal(one, other):
    alike = keys.canonical_json(one) == keys.canonical_json(other)
    assert alike == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(FIELDS)
def test_order_counts_for_form_values_not_for_names(fields):
    by_name = sorted(fields, key=lambda field: field[0], reverse=True)
    assert keys.canonical_form(by_name) == keys.canonical_form(fields)
    assert keys.canonical_form([*fields, ("a", "1"), ("a", "2")]) != keys.canonical_form(
        [*fields, ("a", "2"), ("a", "1")]
    )


@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_a_fingerprint_depends_on_secret_address_and_body(secret, address, body):
    found = keys.fingerprint(secret, address, body)
    assert found == keys.fingerprint(secret, address, body)
    assert found != keys.fingerprint(secret + "x", address, body)
    assert found != keys.fingerprint(secret, address + "x", body)
    assert found != keys.fingerprint(secret, address, body + b"x")


@given(st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)))
def test_locks_of_keys_fit_postgresql_and_differ(parts):
    owner, route, key = (part.replace("\0", "") for part in parts)
    mine, theirs = RequestKey(owner, route, key, "f"), RequestKey(owner, route + "x", key, "f")
    assert -(2**63) <= mine.lock < 2**63
    assert mine.lock != theirs.lock


@pytest.mark.parametrize("key", [None, "", "k" * 256, "a\0b"])
def test_a_missing_too_long_or_malformed_key_is_refused(key):
    with pytest.raises(BadRequest):
        keys.validate_key(key)


def test_a_key_of_255_characters_is_valid():
    assert keys.validate_key("k" * 255) == "k" * 255


@given(st.integers(100, 599), st.sampled_from(["user:1", "guest:1", "anybody:1"]))
def test_successes_and_final_refusals_are_stored(status, owner):
    final = status == 402 or (status in (403, 404, 410) and owner == "user:1")
    assert is_storable(status, owner) == (200 <= status < 400 or final)


@given(st.booleans(), st.sampled_from([None, True, False]), st.sampled_from([None, ANSWER]))
def test_a_failed_claim_raises_its_reason(is_acquired, same_request, response):
    result = ClaimResult(is_acquired, same_request, response)
    if is_acquired:
        assert raise_unless_claimed(result) is None
        return
    expected = InvalidFields if same_request is False else ReplayedRequest if response else StateConflict
    with pytest.raises(expected) as raised:
        raise_unless_claimed(result)
    if expected is ReplayedRequest:
        assert raised.value.response is response
    else:
        assert "another" in raised.value.detail or raised.value.retry_after
