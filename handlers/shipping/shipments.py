"""Arranging a shipment and calling it off: the carrier is asked, and its answer recorded."""

from collections.abc import Sequence

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.shipping import ShipmentArranged, ShipmentRejected
from events.store import EventStore
from handlers import refusals
from handlers.ordering.order import Order, Status, load, load_going_forward
from handlers.shipping import shipment
from handlers.shipping.carrier import Carrier, Consignment, ConsignmentState


def arrange_shipment(store: EventStore, carrier: Carrier, order_id: str) -> None:
    """Arrange that the carrier collects the order once it is confirmed.

    Raises:
        OrderNotFound: there is no such order.
        OrderCancelling: a cancellation came first.
        ShipmentRejected: the carrier does not deliver there.
        CarrierUnreachable: no answer came, and the log has none either.
        Throttled: try again.
    """
    order = load_going_forward(store, order_id)
    if order.status is Status.CONFIRMED:
        return
    standing = _record(store, carrier, order)
    if isinstance(standing, ShipmentRejected):
        raise refusals.ShipmentRejected(f"order {order_id}: {standing.reason}")
    if not isinstance(standing, ShipmentArranged):
        raise refusals.OrderCancelling(f"the shipment of order {order_id} was cancelled")


def _record(store: EventStore, carrier: Carrier, order: Order) -> DomainEvent:
    """Ask the carrier and record its answer; returns the event that stands in the log for it.

    Where the carrier does not answer, another execution's record of the same step will do.
    """
    order_id = order.placed.order_id
    stream = streams.shipment(order_id)
    try:
        consignment = carrier.arrange(order_id, order.placed.shipping_address)
    except refusals.CarrierUnreachable:
        known = store.read(stream)
        if not known:
            raise
        return known[-1].event
    if consignment.state is ConsignmentState.CANCELLED:
        raise refusals.OrderCancelling(f"the shipment of order {order_id} is cancelled")
    return store.standing(stream, 1, shipment.arrangement(order_id, consignment), **order.correlation)


def cancel_shipment(store: EventStore, carrier: Carrier, order_id: str) -> None:
    """Call the shipment off, and close its key where nothing was arranged. Doing it again changes nothing.

    The carrier's answer tells what had happened before, also where an earlier answer was lost.

    Raises:
        OrderNotFound: there is no such order.
        CarrierUnreachable: no answer came.
        Throttled: try again.
    """
    order = load(store, order_id)
    consignment: Consignment | None = None

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal consignment
        if shipment.is_closed(history):
            return []
        if consignment is None:
            consignment = carrier.cancel(order_id)
        return shipment.undone(history, order_id, consignment)

    store.execute(streams.shipment(order_id), decide, **order.correlation)
