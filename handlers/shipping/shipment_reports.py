"""Reports of carriers about parcels become events, once however often they are made."""

from collections.abc import Sequence

from pydantic import ValidationError

from events import streams
from events.envelope import Recorded
from events.integration import ShipmentStatusReported
from events.model import DomainEvent
from handlers.intake.requests import Request
from handlers.intake.validation import Refused, canonical, reasons
from handlers.ordering import order
from handlers.runtime.observability import about
from handlers.shipping import shipment
from handlers.table.event_store import EventStore


def report(store: EventStore, request: Request) -> None:
    """Record that a parcel is dispatched, or delivered. Repeating the report changes nothing.

    Raises:
        Refused: the report is invalid, or about a shipment that is rejected or cancelled.
        NotYet: the order is not confirmed, or no shipment is arranged for it.
        Retryable: try again.
    """
    try:
        reported = ShipmentStatusReported.model_validate_json(canonical(request.detail))
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from None
    order_id = reported.order_id

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        return shipment.progress(placed, history, order_id, reported.status)

    with about(order_id, "report"):
        placed = order.fold(store.read(streams.order(order_id)))
        store.execute(streams.shipment(order_id), decide, correlation_id=order_id, causation_id=request.id)
