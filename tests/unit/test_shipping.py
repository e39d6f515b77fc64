"""Shipping: a carrier is asked once, whatever gets lost, and a shipment that is called off stays called off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from events.integration import Address
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from events.shipping import (
    ShipmentArranged,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentRejected,
)
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main import shipment_intake
from handlers.intake.validation import NotYet
from handlers.ordering.refusals import AlreadyCancelled, OrderCancelling, OrderNotConfirmed, OrderNotFound
from handlers.sandbox.books import Books
from handlers.shipping import refusals
from handlers.shipping.carrier import BreachOfContract, Consignment
from handlers.shipping.refusals import CarrierUnreachable
from handlers.shipping.sandbox_carrier import SandboxCarrier
from handlers.shipping.shipment_reports import report
from handlers.shipping.shipment_steps import cancel_shipment, recall_shipment
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.messages import CONTEXT, failed, from_publisher, request, sqs
from tests.builders.orders import to
from tests.builders.races import Raced, cancelled_meanwhile, confirmed_meanwhile
from tests.builders.recorded_events import names
from tests.builders.stores import append, events_of, items, place
from tests.builders.vault import arrange_shipment, forget, vaulted

ARRANGED = ShipmentArranged(order_id="demo.o1", tracking_number="trk_demo.o1")
CANCELLED = ShipmentCancelled(order_id="demo.o1", tracking_number="trk_demo.o1")
NOTHING = ShipmentCancelled(order_id="demo.o1")


class Unsteady:
    """The sandbox behind a line that breaks at these calls; the value says whether the call reached it."""

    def __init__(self, store: EventStore, broken: dict[int, bool] | None = None) -> None:
        self._sandbox = SandboxCarrier(Books(store.client, store.table, "shipping"))
        self._broken = broken or {}
        self.asked = 0
        self.told: list[Address] = []

    def _call(self, call: Callable[[], Consignment]) -> Consignment:
        self.asked += 1
        reached = self._broken.get(self.asked)
        if reached is None:
            return call()
        if reached:
            call()
        raise CarrierUnreachable

    def arrange(self, key: str, address: Address) -> Consignment:
        self.told.append(address)
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
        until_answered(lambda: arrange_shipment(store, Unsteady(store), "demo.o1"))
    assert events_of(store, "shipment#demo.o1") == [ARRANGED]
    assert state(store) == "arranged"


@pytest.mark.parametrize("customer", [{"customer_id": "c1"}, None], ids=["known", "guest"])
def test_the_carrier_is_told_the_address_in_the_vault_and_no_event_holds_it(
    store: EventStore, customer: dict[str, str] | None
) -> None:
    place(store, customer=customer, shipping_address=to("SW1A 1AA"))
    carrier = Unsteady(store)
    arrange_shipment(store, carrier, "demo.o1")
    [told] = carrier.told
    assert told.model_dump(mode="json") == to("SW1A 1AA")
    written = str(items(store))
    assert not [part for part in (told.name, told.street, told.city, told.postal_code) if part in written]


def test_an_address_that_is_forgotten_is_told_to_nobody(store: EventStore) -> None:
    forget(store, place(store))
    before = items(store), vaulted(store)
    carrier = Unsteady(store)
    with pytest.raises(RuntimeError, match=r"nobody knows where order demo\.o1 goes"):
        arrange_shipment(store, carrier, "demo.o1")
    assert carrier.told == []
    assert (items(store), vaulted(store)) == before


def test_what_is_done_for_a_shipment_needs_no_address(store: EventStore) -> None:
    """Calling it off and recalling it go by the order's id, also once the person is forgotten."""
    for order_id in ("demo.o1", "demo.o2"):
        of = place(store, order_id)
        arrange_shipment(store, Unsteady(store), order_id)
        forget(store, of)
    cancel_shipment(store, Unsteady(store), "demo.o1")
    append(store, "order#demo.o2", OrderConfirmed(order_id="demo.o2"))
    arrange_shipment(store, Unsteady(store), "demo.o2")
    recall_shipment(store, Unsteady(store), "demo.o2")
    for order_id in ("demo.o1", "demo.o2"):
        assert names(events_of(store, f"shipment#{order_id}")) == ["ShipmentArranged", "ShipmentCancelled"]


@pytest.mark.parametrize(("postal_code", "kept"), [("SW1A 1AA", "other"), ("SBX-COLLECTED", "SBX-COLLECTED")])
def test_the_sandbox_keeps_nothing_of_an_address_but_its_own_code(
    store: EventStore, postal_code: str, kept: str
) -> None:
    place(store, shipping_address=to(postal_code))
    arrange_shipment(store, Unsteady(store), "demo.o1")
    [book] = items(store, "sandbox#shipping#")
    assert book.keys() == {"PK", "SK", "book_state", "tracking_number", "postal_code"}
    assert book["postal_code"] == {"S": kept}


def test_a_carrier_that_rejects_is_believed(store: EventStore) -> None:
    place(store, shipping_address=to("SBX-REJECT"))
    for _ in range(2):
        with pytest.raises(refusals.ShipmentRejected, match="no service to this address"):
            arrange_shipment(store, Unsteady(store), "demo.o1")
    for _ in range(2):
        cancel_shipment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [
        ShipmentRejected(order_id="demo.o1", reason="no service to this address")
    ]


def test_a_rejection_whose_answer_got_lost_is_told_by_the_compensation(store: EventStore) -> None:
    place(store, shipping_address=to("SBX-REJECT"))
    with pytest.raises(CarrierUnreachable):
        arrange_shipment(store, Unsteady(store, {1: True}), "demo.o1")
    cancel_shipment(store, Unsteady(store), "demo.o1")
    assert names(events_of(store, "shipment#demo.o1")) == ["ShipmentRejected"]


@pytest.mark.parametrize("postal_code", ["SBX-UNREACHABLE", "SBX-TIMEOUT-ONCE"])
def test_where_nothing_was_arranged_the_shipment_is_closed(store: EventStore, postal_code: str) -> None:
    place(store, shipping_address=to(postal_code))
    with pytest.raises(CarrierUnreachable):
        arrange_shipment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == []
    for _ in range(2):
        cancel_shipment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [NOTHING]
    with pytest.raises(OrderCancelling):
        until_answered(lambda: arrange_shipment(cancelled_meanwhile(store), Unsteady(store), "demo.o1"))
    assert state(store) == "cancelled"


@pytest.mark.parametrize("broken", [{}, {1: True}, {1: False}, {2: True}, {2: False}, {1: True, 2: True}], ids=str)
def test_what_was_arranged_is_called_off_whatever_gets_lost(store: EventStore, broken: dict[int, bool]) -> None:
    place(store)
    carrier = Unsteady(store, broken)
    try:
        arrange_shipment(store, carrier, "demo.o1")
    except CarrierUnreachable:
        assert 1 in broken
    for _ in range(2):
        until_answered(lambda: cancel_shipment(store, carrier, "demo.o1"))
    never_arranged = broken.get(1) is False
    assert events_of(store, "shipment#demo.o1") == ([NOTHING] if never_arranged else [ARRANGED, CANCELLED])
    assert state(store) == "cancelled"
    with pytest.raises(OrderCancelling):
        arrange_shipment(cancelled_meanwhile(store), carrier, "demo.o1")


def test_no_answer_is_no_matter_where_another_execution_had_one(store: EventStore) -> None:
    place(store)
    arrange_shipment(store, Unsteady(store), "demo.o1")
    arrange_shipment(store, Unsteady(store, {1: False}), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED]


def test_an_order_that_is_being_cancelled_is_not_arranged(store: EventStore) -> None:
    place(store)
    append(store, "order#demo.o1", OrderCancellationStarted(order_id="demo.o1", reason="OutOfStock"))
    carrier = Unsteady(store)
    with pytest.raises(OrderCancelling):
        arrange_shipment(store, carrier, "demo.o1")
    assert carrier.asked == 0


def test_a_cancellation_while_the_carrier_is_asked_is_obeyed(store: EventStore) -> None:
    place(store)

    class Meanwhile(Unsteady):
        def arrange(self, key: str, address: Address) -> Consignment:
            consignment = super().arrange(key, address)
            cancel_shipment(store, Unsteady(store), "demo.o1")
            return consignment

    arrange_shipment(store, Meanwhile(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, CANCELLED]
    assert state(store) == "cancelled"


def test_an_order_nobody_knows_asks_nobody(store: EventStore) -> None:
    carrier = Unsteady(store)
    for step in (arrange_shipment, cancel_shipment):
        with pytest.raises(OrderNotFound):
            step(store, carrier, "demo.o9")
    assert carrier.asked == 0
    assert items(store) == []


def test_a_late_arrangement_finds_a_confirmed_order_recalled_and_does_nothing(store: EventStore) -> None:
    """The carrier has cancelled it by now, though the log does not say so yet: the recall will record that."""
    place(store)
    arrange_shipment(store, Unsteady(store), "demo.o1")
    SandboxCarrier(Books(store.client, store.table, "shipping")).cancel("demo.o1")
    arrange_shipment(confirmed_meanwhile(store), Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED]


def test_a_shipment_closed_by_nobody_is_no_reason_to_cancel(store: EventStore) -> None:
    place(store)
    SandboxCarrier(Books(store.client, store.table, "shipping")).cancel("demo.o1")
    with pytest.raises(RuntimeError, match="nobody cancels"):
        arrange_shipment(store, Unsteady(store), "demo.o1")


# Recalling the shipment of a confirmed order


def confirm(store: EventStore, postal_code: str = "N1") -> None:
    place(store, shipping_address=to(postal_code))
    arrange_shipment(store, Unsteady(store), "demo.o1")
    append(store, "order#demo.o1", OrderConfirmed(order_id="demo.o1"))


STARTED = OrderCancellationStarted(order_id="demo.o1", reason="CancellationRequested")
DISPATCHED = ShipmentDispatched(order_id="demo.o1")
DELIVERED = ShipmentDelivered(order_id="demo.o1")


@pytest.mark.parametrize("broken", [{}, {1: True}, {1: False}], ids=str)
def test_a_recall_calls_off_the_shipment_and_starts_to_cancel(store: EventStore, broken: dict[int, bool]) -> None:
    confirm(store)
    carrier = Unsteady(store, broken)
    for _ in range(2):
        until_answered(lambda: recall_shipment(store, carrier, "demo.o1"))
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, CANCELLED]
    assert events_of(store, "order#demo.o1")[2:] == [STARTED]
    assert state(store) == "cancelled"


def test_a_dispatch_in_the_middle_of_a_recall_wins(store: EventStore) -> None:
    confirm(store)
    raced = Raced(store, before_append=lambda stream, version: report_status(store, "dispatched"))
    with pytest.raises(refusals.ShipmentDispatched):
        recall_shipment(raced, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, DISPATCHED]
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderConfirmed"]


def test_another_recall_in_the_middle_of_one_is_obeyed(store: EventStore) -> None:
    confirm(store)
    first = iter([True])

    def quicker(stream: str, version: int) -> None:
        if next(first, False):
            recall_shipment(store, Unsteady(store), "demo.o1")

    recall_shipment(Raced(store, before_append=quicker), Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, CANCELLED]
    assert events_of(store, "order#demo.o1")[2:] == [STARTED]


def test_a_carrier_that_has_the_parcel_says_so_and_the_log_learns_it(store: EventStore) -> None:
    confirm(store, "SBX-COLLECTED")
    carrier = Unsteady(store)
    for _ in range(2):
        with pytest.raises(refusals.ShipmentDispatched):
            recall_shipment(store, carrier, "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, DISPATCHED]
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderConfirmed"]
    assert state(store) == "dispatched"
    assert carrier.asked == 1


def test_a_parcel_collected_before_the_order_is_confirmed_is_a_breach(store: EventStore) -> None:
    place(store, shipping_address=to("SBX-COLLECTED"))
    arrange_shipment(store, Unsteady(store), "demo.o1")
    append(store, "order#demo.o1", STARTED)
    with pytest.raises(BreachOfContract, match="never confirmed"):
        cancel_shipment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED]


@pytest.mark.parametrize(
    ("history", "refusal"),
    [
        ([], OrderNotConfirmed),
        ([STARTED, OrderCancelled(order_id="demo.o1", reason="CancellationRequested")], AlreadyCancelled),
    ],
)
def test_there_is_nothing_to_recall(store: EventStore, history: list[DomainEvent], refusal: type[Exception]) -> None:
    place(store)
    append(store, "order#demo.o1", *history)
    before = items(store)
    carrier = Unsteady(store)
    with pytest.raises(refusal):
        recall_shipment(store, carrier, "demo.o1")
    assert carrier.asked == 0
    assert items(store) == before


def test_a_recall_cancels_the_shipment_of_an_order_that_its_own_saga_cancels(store: EventStore) -> None:
    place(store)
    arrange_shipment(store, Unsteady(store), "demo.o1")
    append(store, "order#demo.o1", STARTED)
    recall_shipment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, CANCELLED]
    assert events_of(store, "order#demo.o1")[1:] == [STARTED]


# What carriers report


def report_status(store: EventStore, status: str) -> None:
    report(store, request({"order_id": "demo.o1", "status": status}, shop=None))


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        (["dispatched"] * 2, [DISPATCHED]),
        (["dispatched", "delivered", "delivered"], [DISPATCHED, DELIVERED]),
        (["delivered", "dispatched"], [DISPATCHED, DELIVERED]),
    ],
)
def test_reports_are_told_once_and_delivered_implies_dispatched(
    store: EventStore, reports: list[str], expected: list[DomainEvent]
) -> None:
    confirm(store)
    for status in reports:
        report_status(store, status)
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, *expected]


def reported(status: str = "dispatched", *, receives: int = 1) -> list[str]:
    """The messages that are delivered again."""
    body = from_publisher({"order_id": "demo.o1", "status": status}, "ShipmentStatusReported")
    return failed(shipment_intake.handler(sqs(body, receives=receives), CONTEXT))


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_report_of_an_order_that_is_not_confirmed_is_delivered_again(store: EventStore, confirmed: bool) -> None:
    assert reported() == ["m0"]
    place(store)
    assert reported() == ["m0"]
    if confirmed:
        arrange_shipment(store, Unsteady(store), "demo.o1")
        append(store, "order#demo.o1", OrderConfirmed(order_id="demo.o1"))
    assert reported(receives=MAX_RECEIVE_COUNT - 1) == ([] if confirmed else ["m0"])
    assert dead_letters() == []
    assert reported(receives=MAX_RECEIVE_COUNT) == []
    reasons = [message["MessageAttributes"]["reasons"]["StringValue"] for message in dead_letters()]
    assert reasons == ([] if confirmed else ["order_id: order 'demo.o1' is PLACED"])


def test_a_report_of_a_confirmed_order_without_a_shipment_is_delivered_again(store: EventStore) -> None:
    place(store)
    append(store, "order#demo.o1", OrderConfirmed(order_id="demo.o1"))
    with pytest.raises(NotYet, match="no shipment"):
        report_status(store, "delivered")


def test_a_report_of_a_cancelled_shipment_is_a_dead_letter(store: EventStore) -> None:
    confirm(store)
    recall_shipment(store, Unsteady(store), "demo.o1")
    assert reported("delivered") == []
    [message] = dead_letters()
    assert "ShipmentCancelled" in message["MessageAttributes"]["reasons"]["StringValue"]
    assert events_of(store, "shipment#demo.o1") == [ARRANGED, CANCELLED]


def test_a_report_that_is_none_is_a_dead_letter(store: EventStore) -> None:
    assert reported("lost") == []
    assert len(dead_letters()) == 1


def test_a_report_names_the_order_as_the_carrier_was_told_it(store: EventStore) -> None:
    confirm(store)
    body = from_publisher({"order_id": "o1", "status": "dispatched"}, "ShipmentStatusReported")
    assert failed(shipment_intake.handler(sqs(body), CONTEXT)) == []
    [message] = dead_letters()
    assert message["MessageAttributes"]["reasons"]["StringValue"].startswith("order_id: String should match")
    assert events_of(store, "shipment#demo.o1") == [ARRANGED]
