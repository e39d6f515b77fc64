"""Arranging a shipment, cancelling it and recalling it: the carrier is asked, and its answer recorded."""

from collections.abc import Sequence

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderCancellationStarted
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentDispatched, ShipmentRejected
from handlers.ordering.order import Order, Status, load, load_going_forward, refuse_if_cancelling
from handlers.ordering.refusals import AlreadyCancelled, OrderNotConfirmed
from handlers.retry_policy import MAX_CONFLICTS, Contended
from handlers.shipping import refusals, shipment
from handlers.shipping.carrier import Carrier, Consignment, ConsignmentState
from handlers.table.event_store import Conflict, EventStore, New
from handlers.vault.vault import Vault


def arrange_shipment(store: EventStore, vault: Vault, carrier: Carrier, order_id: str) -> None:
    """Arrange that the carrier collects the order once it is confirmed.

    Raises:
        OrderNotFound: there is no such order.
        OrderCancelling: a cancellation came first.
        ShipmentRejected: the carrier does not deliver there.
        CarrierUnreachable: no answer came, and the log has none either.
        Retryable: try again.
    """
    order = load_going_forward(store, order_id)
    if order.status is Status.CONFIRMED:
        return
    in_log = _record(store, vault, carrier, order)
    if isinstance(in_log, ShipmentRejected):
        raise refusals.ShipmentRejected(f"order {order_id}: {in_log.reason}")
    if not isinstance(in_log, ShipmentArranged):
        refuse_if_cancelling(store, order_id, "the shipment")


def _record(store: EventStore, vault: Vault, carrier: Carrier, order: Order) -> DomainEvent | None:
    """Ask the carrier and record its answer; returns the event that the log has for the step, or None where the
    shipment is cancelled.

    Where the carrier does not answer, the event of another execution of the same step is the answer.
    """
    order_id = order.placed.order_id
    stream = streams.shipment(order_id)
    customer = vault.read(order.placed)
    if customer is None:
        raise RuntimeError(f"nobody knows where order {order_id} goes: its customer is forgotten")
    try:
        consignment = carrier.arrange(order_id, customer.person.address)
    except refusals.CarrierUnreachable:
        known = store.read(stream)
        if not known:
            raise
        return known[0].event
    if consignment.state is ConsignmentState.CANCELLED:
        return None
    decided = shipment.arrangement(order_id, consignment)
    return store.append_if_absent(stream, 1, decided, **order.correlation).record.event


def cancel_shipment(store: EventStore, carrier: Carrier, order_id: str) -> None:
    """Cancel the shipment, and close its key where nothing was arranged. Doing it again changes nothing.

    The carrier's answer says what had happened before, also where an earlier answer was lost.

    Raises:
        OrderNotFound: there is no such order.
        BreachOfContract: the carrier has collected the parcel, though the order was never confirmed.
        CarrierUnreachable: no answer came.
        Retryable: try again.
    """
    _cancel_shipment(store, carrier, load(store, order_id))


def _cancel_shipment(store: EventStore, carrier: Carrier, order: Order) -> None:
    order_id = order.placed.order_id
    consignment: Consignment | None = None

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal consignment
        if shipment.is_closed(history):
            return []
        if consignment is None:
            consignment = carrier.cancel(order_id)
        return shipment.undone(history, order_id, consignment)

    store.execute(streams.shipment(order_id), decide, **order.correlation)


def recall_shipment(store: EventStore, carrier: Carrier, order_id: str) -> None:
    """Cancel the shipment of a confirmed order, and so start to cancel the order: the log has both, or neither.

    That or the dispatch is the next version of the shipment's stream. Doing it again changes nothing.

    Raises:
        OrderNotFound: there is no such order.
        OrderNotConfirmed: it has no outcome yet; nothing is cancelled.
        AlreadyCancelled: there is nothing left to undo.
        ShipmentDispatched: the carrier has the parcel.
        CarrierUnreachable: no answer came.
        Retryable: try again.
    """
    for _ in range(MAX_CONFLICTS):
        order = load(store, order_id)
        match order.status:
            case Status.PLACED:
                raise OrderNotConfirmed(f"order {order_id} is not confirmed: there is nothing to recall yet")
            case Status.CANCELLED:
                raise AlreadyCancelled(f"order {order_id} is cancelled: {order.reason}")
            case Status.CANCELLING:
                _cancel_shipment(store, carrier, order)
                return
        try:
            _recall(store, carrier, order)
        except Conflict:
            continue
        return
    raise Contended(f"order {order_id} is being written by too many others")


def _recall(store: EventStore, carrier: Carrier, order: Order) -> None:
    order_id = order.placed.order_id
    stream = streams.shipment(order_id)
    history = store.read(stream)
    version = len(history) + 1
    if not shipment.is_dispatched(history):
        consignment = carrier.cancel(order_id)
        if consignment.state is not ConsignmentState.DISPATCHED:
            cancelled = ShipmentCancelled(order_id=order_id, tracking_number=consignment.tracking_number)
            started = OrderCancellationStarted(order_id=order_id, reason=CancellationRequested.__name__)
            store.append_together(
                [New(stream, version, cancelled), New(streams.order(order_id), order.version + 1, started)],
                **order.correlation,
            )
            return
        store.append(stream, version, ShipmentDispatched(order_id=order_id), **order.correlation)
    raise refusals.ShipmentDispatched(f"the carrier has the parcel of order {order_id}")
