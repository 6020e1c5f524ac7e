"""What every payments provider must do, as tests. A provider's own test file inherits them and says how it is reached.

A subclass has the fixtures ``provider`` (the class under test, talking to a real server of its kind), ``cards`` (what
its server takes for each way a charge can go) and ``away`` (the same class, with nobody listening).
"""

import uuid
from dataclasses import dataclass

import pytest

from shop.database.transactions import ExternalCallInTransaction
from shop.errors import ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience import deadlines
from shop.payments.orphaned_charges import iter_charges
from shop.payments.provider import (
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    ProviderNotReached,
    ProviderOutcomeUnknown,
)
from tests.support.polling import until

PRICE = Money(1200)


@dataclass(frozen=True)
class Cards:
    """Tokens."""

    good: str
    declined: str
    unknown: str
    never_answered: str | None = None
    """Charged, but the answer does not come; ``None`` where the server has no such card."""


def new_charge(token, key=None, amount=PRICE):
    return ChargeRequest(key or f"contract-{uuid.uuid4()}", amount, token, {"order": "S-1"})


class ProviderContract:
    """The tests."""

    def test_a_charge_is_found_under_its_key(self, provider, cards):
        request = new_charge(cards.good)
        charged = provider.charge(request)
        assert isinstance(charged, ChargeSucceeded)
        assert provider.find_charge(request.key) == charged

    def test_a_key_moves_money_once_and_answers_the_same_charge(self, provider, cards):
        request = new_charge(cards.good)
        assert provider.charge(request) == provider.charge(request)

    def test_a_key_is_good_for_one_request_only(self, provider, cards):
        request = new_charge(cards.good)
        charged = provider.charge(request)
        with pytest.raises(ProviderUnavailable):
            provider.charge(new_charge(cards.good, request.key, Money(1)))
        assert provider.find_charge(request.key) == charged

    def test_a_declined_card_is_an_answer_and_stays_declined(self, provider, cards):
        request = new_charge(cards.declined)
        assert isinstance(provider.charge(request), ChargeDeclined)
        assert isinstance(provider.charge(request), ChargeDeclined)
        assert not isinstance(provider.find_charge(request.key), ChargeSucceeded)

    def test_a_card_that_does_not_exist_is_declined(self, provider, cards):
        assert isinstance(provider.charge(new_charge(cards.unknown)), ChargeDeclined)

    def test_books_that_hold_no_charge_say_so(self, provider):
        assert provider.find_charge(f"contract-{uuid.uuid4()}") is None

    def test_every_charge_is_listed_once_in_the_order_they_were_made(self, provider, cards):
        keys = [f"contract-{uuid.uuid4()}" for _ in range(3)]
        made = [provider.charge(new_charge(cards.good, key)).provider_id for key in keys]
        provider.refund(f"refund-{uuid.uuid4()}", made[1], Money(500))
        found = [charge for charge in iter_charges(provider) if charge.key in keys]
        assert [(one.id, one.amount, one.succeeded) for one in found] == [(one, PRICE, True) for one in made]
        assert [one.refunded for one in found] == [Money(0), Money(500), Money(0)]
        assert [one.id for one in provider.list_charges(made[0])[:2]] == made[1:]
        assert provider.list_charges([*iter_charges(provider)][-1].id) == []

    def test_a_refund_asked_twice_is_given_once(self, provider, cards):
        charged = provider.charge(new_charge(cards.good))
        key = f"refund-{uuid.uuid4()}"
        provider.refund(key, charged.provider_id, PRICE)
        provider.refund(key, charged.provider_id, PRICE)
        with pytest.raises(ProviderUnavailable):  # under another key it would be a second one, and nothing is left
            provider.refund(f"refund-{uuid.uuid4()}", charged.provider_id, PRICE)

    def test_the_books_say_how_much_of_a_charge_went_back(self, provider, cards):
        request = new_charge(cards.good)
        charged = provider.charge(request)
        assert provider.find_charge(request.key).refunded == Money(0)
        provider.refund(f"refund-{uuid.uuid4()}", charged.provider_id, Money(500))
        assert provider.find_charge(request.key).refunded == Money(500)

    def test_no_more_is_given_back_than_was_taken(self, provider, cards):
        charged = provider.charge(new_charge(cards.good))
        with pytest.raises(ProviderUnavailable):
            provider.refund(f"refund-{uuid.uuid4()}", charged.provider_id, Money(PRICE.amount + 1))

    def test_a_charge_nobody_made_is_not_refunded(self, provider):
        with pytest.raises(ProviderUnavailable):
            provider.refund(f"refund-{uuid.uuid4()}", "no-such-charge", PRICE)

    def test_nobody_listening_is_told_from_no_answer(self, away, cards):
        for call in (
            lambda: away.charge(new_charge(cards.good)),
            lambda: away.find_charge("contract"),
            lambda: away.list_charges(),
            lambda: away.refund("contract", "no-such-charge", PRICE),
        ):
            with pytest.raises(ProviderNotReached):
                call()

    def test_an_answer_that_stays_out_beyond_the_deadline_is_no_answer(self, provider, cards):
        if cards.never_answered is None:
            pytest.skip("the server has no such card")
        request = new_charge(cards.never_answered)
        with deadlines.within(0.4), pytest.raises(ProviderOutcomeUnknown):
            provider.charge(request)
        charge = until(lambda: provider.find_charge(request.key))  # a server may be behind a caller who has hung up
        assert isinstance(charge, ChargeSucceeded)

    def test_no_call_is_made_inside_a_transaction(self, provider, cards, database):
        request = new_charge(cards.good)
        for call in (
            lambda: provider.charge(request),
            lambda: provider.find_charge(request.key),
            lambda: provider.refund(request.key, "no-such-charge", PRICE),
        ):
            with database.transaction(), pytest.raises(ExternalCallInTransaction):
                call()
        assert provider.find_charge(request.key) is None
