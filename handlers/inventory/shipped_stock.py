"""Shipped stock: once a shipment is dispatched, what was reserved for its order has left the warehouse.

Levels say what is available, so they do not change.
"""

from collections.abc import Sequence

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.shipping import ShipmentDispatched
from handlers.inventory import reservation
from handlers.runtime.observability import about
from handlers.table.event_store import EventStore


def ship_stock(store: EventStore, record: Recorded) -> None:
    """Record that each chunk reserved for the order is shipped. Doing it again changes nothing.

    Raises:
        Retryable: try again.
    """
    event = record.event
    assert isinstance(event, ShipmentDispatched)
    order_id = event.order_id

    def decide(history: Sequence[Recorded]) -> Sequence[DomainEvent]:
        return reservation.shipped(reservation.fold(history), order_id)

    with about(order_id, "ship_stock"):
        store.execute(streams.reservation(order_id), decide, correlation_id=order_id, causation_id=record.event_id)
