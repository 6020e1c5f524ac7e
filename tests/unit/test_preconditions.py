"""If-Match (RFC 9110, 13.1.1)."""

import pytest

from shop.errors import BadRequest
from shop.web.preconditions import IfMatch


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ('"v1"', {"v1"}),
        ('  "v1"  ', {"v1"}),
        ('"v1", "v2"', {"v1", "v2"}),
        ('"v1","v2"', {"v1", "v2"}),
        (', "v1" ,, "v2" ,', {"v1", "v2"}),
        ('"a,b"', {"a,b"}),
        ('""', {""}),
        ('W/"v1"', set()),
        ('W/"v1", "v2"', {"v2"}),
    ],
)
def test_strong_tags_of_the_list_match_and_weak_ones_never(header, allowed):
    condition = IfMatch.parse(header)
    assert condition.strong == allowed
    assert all(condition.allows(tag) for tag in allowed)
    assert not condition.allows("another")


def test_the_star_matches_whatever_is_there():
    assert IfMatch.parse(" * ").allows("anything")


def test_no_header_is_no_condition():
    assert IfMatch.parse(None) is None


@pytest.mark.parametrize("header", ["", " ", ",", "v1", '"v1', '"v1" "v2"', '"v1", *', 'w/"v1"', '"v\n1"', '"v1",v2'])
def test_malformed_list_of_entity_tags_is_refused(header):
    with pytest.raises(BadRequest, match="double quotes"):
        IfMatch.parse(header)
