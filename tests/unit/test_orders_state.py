from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.errors import StateConflict
from shop.money import Money
from shop.orders.events import (
    SCHEMA_VERSIONS,
    V1_CANCELLATION_CAUSES,
    CancellationCause,
    OrderAdopted,
    OrderCancelled,
    OrderedLine,
    OrderEvent,
    OrderPlaced,
    PaymentCharged,
    PaymentDeclined,
    deserialize,
    serialize,
)
from shop.orders.order_state import (
    AdoptOrder,
    CancelOrder,
    DeliverOrder,
    RecordCharge,
    RecordDecline,
    RecordRefund,
    ShipOrder,
    decide,
    evolve,
    fold,
)
from shop.orders.transitions import EventType, IllegalTransition, OrderStatus
from shop.patterns.event_sourcing import EventUpcasters, StoredEvent, UnknownEventVersion

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLACED = OrderPlaced(
    "ord_1", "S-1", None, (OrderedLine(1, "Mug", 2, Money(500)), OrderedLine(1, "Mug, red", 1, Money(700)))
)
COMMANDS = (
    RecordCharge("ch_1"),
    RecordDecline("card_declined"),
    CancelOrder(CancellationCause.CUSTOMER),
    ShipOrder(),
    DeliverOrder(),
    RecordRefund(),
    AdoptOrder(7),
)


def stored(*events):
    """The events as the database hands them back."""
    told = [serialize(event) for event in events]
    return [StoredEvent(n, one.type, one.schema_version, one.data, AT) for n, one in enumerate(told, start=1)]


def placed():
    return fold(stored(PLACED))


def test_an_order_is_the_fold_of_its_events():
    order = fold(stored(PLACED, OrderAdopted(7), PaymentCharged("ch_1"), OrderCancelled(CancellationCause.STAFF)))
    assert (order.version, order.status, order.user_id, order.total) == (4, OrderStatus.CANCELLED, 7, Money(1700))
    assert order.quantities == {1: 3}
    assert order.owes_refund


def test_a_decision_leaves_the_state_it_was_made_on_alone():
    order = placed()
    assert decide(order, RecordDecline("no funds")) == [
        PaymentDeclined("no funds"),
        OrderCancelled(CancellationCause.DECLINED),
    ]
    assert order == placed()


def test_a_guests_order_is_adopted_once():
    assert decide(placed(), AdoptOrder(7)) == [OrderAdopted(7)]
    assert decide(fold(stored(PLACED, OrderAdopted(7))), AdoptOrder(8)) == []


def test_refusal_names_status_and_refused_command():
    with pytest.raises(IllegalTransition, match="pending payment cannot be shipped") as refused:
        decide(placed(), ShipOrder())
    assert isinstance(refused.value, StateConflict)
    assert (refused.value.status, refused.value.event) == (OrderStatus.PENDING_PAYMENT, EventType.ORDER_SHIPPED)


@given(st.lists(st.sampled_from(COMMANDS), max_size=12))
def test_stream_of_any_commands_folds_to_same_state(commands):
    state, stream = placed(), stored(PLACED)
    for command in commands:
        try:
            decided = decide(state, command)
        except IllegalTransition:
            continue
        for event in decided:
            one = serialize(event)
            stream.append(StoredEvent(len(stream) + 1, one.type, one.schema_version, one.data, AT))
            state = evolve(state, event, len(stream), AT)
    assert fold(stream) == state
    assert state.version == len(stream)


@pytest.mark.parametrize("sentence", [*V1_CANCELLATION_CAUSES, "something nobody writes any more", None])
def test_cancellation_of_version_1_is_upcast(sentence):
    data = {} if sentence is None else {"reason": sentence}
    old = StoredEvent(2, "OrderCancelled", 1, data, AT)
    assert deserialize(old) == OrderCancelled(V1_CANCELLATION_CAUSES.get(sentence, CancellationCause.UNKNOWN))
    assert old.data == data


@pytest.mark.parametrize("kind", EventType)
def test_event_of_newer_schema_version_is_refused(kind):
    with pytest.raises(UnknownEventVersion, match="newer"):
        deserialize(StoredEvent(1, kind.value, SCHEMA_VERSIONS[kind] + 1, {}, AT))


def test_a_version_that_nothing_lifts_is_refused():
    with pytest.raises(UnknownEventVersion, match="cannot be converted"):
        deserialize(StoredEvent(1, "OrderPlaced", 1, {"total": {"amount": 5, "currency": "EUR"}}, AT))


def test_an_event_is_lifted_one_version_after_the_other():
    steps = {("Made", 1): lambda data: {**data, "b": 2}, ("Made", 2): lambda data: {**data, "c": data["b"] + 1}}
    assert EventUpcasters({"Made": 3}, steps).upcast("Made", 1, {"a": 1}) == {"a": 1, "b": 2, "c": 3}
    assert EventUpcasters({"Made": 3}, steps).upcast("Made", 2, {"b": 5}) == {"b": 5, "c": 6}


def test_a_stream_that_tells_an_impossible_story_is_refused():
    with pytest.raises(IllegalTransition):
        fold(stored(PaymentCharged("ch_1")))
    with pytest.raises(IllegalTransition):
        fold([])


def test_stored_event_type_does_not_depend_on_class_name():
    types = [event.event_type for event in get_args(OrderEvent)]
    assert sorted(types) == sorted(EventType)
