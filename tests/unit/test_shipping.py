"""Shipping: a carrier is asked once, whatever gets lost, and a shipment that is called off stays called off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from events.ordering import Address, OrderCancellationStarted
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentRejected
from events.store import EventStore
from handlers import refusals
from handlers.books import Books
from handlers.refusals import CarrierUnreachable, OrderCancelling, OrderNotFound
from handlers.shipping.carrier import Consignment
from handlers.shipping.sandbox import SandboxCarrier
from handlers.shipping.shipments import arrange_shipment, cancel_shipment
from tests.unit.samples import append, items, names, place, to, told

ARRANGED = ShipmentArranged(order_id="o1", tracking_number="trk_o1")
CANCELLED = ShipmentCancelled(order_id="o1", tracking_number="trk_o1")
NOTHING = ShipmentCancelled(order_id="o1")


class Unsteady:
    """The sandbox behind a line that breaks at these calls; the value tells whether the call reached it."""

    def __init__(self, store: EventStore, broken: dict[int, bool] | None = None) -> None:
        self._sandbox = SandboxCarrier(Books(store.client, store.table, "shipping"))
        self._broken = broken or {}
        self.asked = 0

    def _call(self, call: Callable[[], Consignment]) -> Consignment:
        self.asked += 1
        reached = self._broken.get(self.asked)
        if reached is None:
            return call()
        if reached:
            call()
        raise CarrierUnreachable

    def arrange(self, key: str, address: Address) -> Consignment:
        return self._call(lambda: self._sandbox.arrange(key, address))

    def cancel(self, key: str) -> Consignment:
        return self._call(lambda: self._sandbox.cancel(key))


def state(store: EventStore) -> str | None:
    """What the carrier's book says."""
    found = items(store, "sandbox#shipping#")
    return found[0]["book_state"]["S"] if found and "book_state" in found[0] else None


def until_answered(command: Callable[[], None], tries: int = 3) -> None:
    for _ in range(tries - 1):
        try:
            return command()
        except CarrierUnreachable:
            continue
    return command()


@pytest.mark.parametrize("postal_code", ["N1", "SBX-TIMEOUT-ONCE", "SBX-LOST-ANSWER"])
def test_what_is_arranged_in_the_end_is_arranged_once(store: EventStore, postal_code: str) -> None:
    place(store, shipping_address=to(postal_code))
    for _ in range(2):
        until_answered(lambda: arrange_shipment(store, Unsteady(store), "o1"))
    assert told(store, "shipment#o1") == [ARRANGED]
    assert state(store) == "arranged"


def test_a_carrier_that_rejects_is_believed(store: EventStore) -> None:
    place(store, shipping_address=to("SBX-REJECT"))
    for _ in range(2):
        with pytest.raises(refusals.ShipmentRejected, match="no service to this address"):
            arrange_shipment(store, Unsteady(store), "o1")
    for _ in range(2):
        cancel_shipment(store, Unsteady(store), "o1")
    assert told(store, "shipment#o1") == [ShipmentRejected(order_id="o1", reason="no service to this address")]


def test_a_rejection_whose_answer_got_lost_is_told_by_the_compensation(store: EventStore) -> None:
    place(store, shipping_address=to("SBX-REJECT"))
    with pytest.raises(CarrierUnreachable):
        arrange_shipment(store, Unsteady(store, {1: True}), "o1")
    cancel_shipment(store, Unsteady(store), "o1")
    assert names(told(store, "shipment#o1")) == ["ShipmentRejected"]


@pytest.mark.parametrize("postal_code", ["SBX-UNREACHABLE", "SBX-TIMEOUT-ONCE"])
def test_where_nothing_was_arranged_the_shipment_is_closed(store: EventStore, postal_code: str) -> None:
    place(store, shipping_address=to(postal_code))
    with pytest.raises(CarrierUnreachable):
        arrange_shipment(store, Unsteady(store), "o1")
    assert told(store, "shipment#o1") == []
    for _ in range(2):
        cancel_shipment(store, Unsteady(store), "o1")
    assert told(store, "shipment#o1") == [NOTHING]
    with pytest.raises(OrderCancelling):
        until_answered(lambda: arrange_shipment(store, Unsteady(store), "o1"))
    assert state(store) == "cancelled"


@pytest.mark.parametrize("broken", [{}, {1: True}, {1: False}, {2: True}, {2: False}, {1: True, 2: True}], ids=str)
def test_what_was_arranged_is_called_off_whatever_gets_lost(store: EventStore, broken: dict[int, bool]) -> None:
    place(store)
    carrier = Unsteady(store, broken)
    try:
        arrange_shipment(store, carrier, "o1")
    except CarrierUnreachable:
        assert 1 in broken
    for _ in range(2):
        until_answered(lambda: cancel_shipment(store, carrier, "o1"))
    never_arranged = broken.get(1) is False
    assert told(store, "shipment#o1") == ([NOTHING] if never_arranged else [ARRANGED, CANCELLED])
    assert state(store) == "cancelled"
    with pytest.raises(OrderCancelling):
        arrange_shipment(store, carrier, "o1")


def test_no_answer_is_no_matter_where_another_execution_had_one(store: EventStore) -> None:
    place(store)
    arrange_shipment(store, Unsteady(store), "o1")
    arrange_shipment(store, Unsteady(store, {1: False}), "o1")
    cancel_shipment(store, Unsteady(store), "o1")
    with pytest.raises(OrderCancelling):
        arrange_shipment(store, Unsteady(store, {1: False}), "o1")


def test_an_order_that_is_being_cancelled_is_not_arranged(store: EventStore) -> None:
    place(store)
    append(store, "order#o1", OrderCancellationStarted(order_id="o1", reason="OutOfStock"))
    carrier = Unsteady(store)
    with pytest.raises(OrderCancelling):
        arrange_shipment(store, carrier, "o1")
    assert carrier.asked == 0


def test_a_cancellation_while_the_carrier_is_asked_is_obeyed(store: EventStore) -> None:
    place(store)

    class Meanwhile(Unsteady):
        def arrange(self, key: str, address: Address) -> Consignment:
            consignment = super().arrange(key, address)
            cancel_shipment(store, Unsteady(store), "o1")
            return consignment

    arrange_shipment(store, Meanwhile(store), "o1")
    assert told(store, "shipment#o1") == [ARRANGED, CANCELLED]
    assert state(store) == "cancelled"


def test_an_order_nobody_knows_asks_nobody(store: EventStore) -> None:
    carrier = Unsteady(store)
    for step in (arrange_shipment, cancel_shipment):
        with pytest.raises(OrderNotFound):
            step(store, carrier, "o9")
    assert carrier.asked == 0
    assert items(store) == []
